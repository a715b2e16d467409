//! `verify`: a linked image against its plan.

use crate::build::names;
use crate::cli::{Format, Verify};
use crate::commands::Context;
use crate::failure::Failure;
use crate::planned::Planned;
use crate::verify;

pub(crate) fn execute(context: &Context, arguments: &Verify) -> Result<(), Failure> {
    let board = context.board(&arguments.board.platform)?;
    let plan = Planned::new(&board, arguments.profile)?.plan;
    let built = context.project.output(&plan.board.name, arguments.profile.word()).join(names::ELF);
    let file = arguments.image.as_ref().map_or(built, |image| context.from.join(image));
    let elf = std::fs::read(&file).map_err(|error| {
        let (file, name) = (file.display(), &board.name);
        Failure::Usage(format!(
            "cannot read {file}: {error}\n  = help: run `cargo xtask build -p {name}`, or name a file with --image"
        ))
    })?;
    let report = verify::image(&plan, &elf);
    match arguments.format {
        Format::Text => print!("{}", report.text()),
        Format::Json => println!("{:#}", serde_json::json!(report)),
    }
    match report.is_good() {
        true => Ok(()),
        false => Err(Failure::Mismatch(format!("{} is not what {} asks for", file.display(), plan.board.file))),
    }
}
