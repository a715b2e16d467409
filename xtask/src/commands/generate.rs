//! `gen`: writes the generated files of every flavour, or compares them.

use crate::cli::{Gen, Profile};
use crate::commands::Context;
use crate::failure::Failure;
use crate::generate;
use crate::planned::Planned;

pub(crate) fn execute(context: &Context, arguments: &Gen) -> Result<(), Failure> {
    let mut work = Vec::new();
    for board in context.boards(&arguments.boards.words())? {
        for profile in Profile::ALL {
            let planned = Planned::new(&board, profile)?;
            let files = generate::files(&planned)?;
            work.push((generate::folder(&context.project, &planned, profile), files));
        }
    }
    let mut stale = Vec::new();
    let (mut total, mut changed) = (0, 0);
    for (folder, files) in &work {
        total += files.len();
        if arguments.check {
            let relative = folder.strip_prefix(context.project.root()).unwrap_or(folder);
            stale.extend(generate::differences(relative, files));
        } else {
            changed += generate::write(folder, files)?;
        }
    }
    if !stale.is_empty() {
        let list = stale.join("\n  ");
        return Err(Failure::Generate(format!("generated files are stale\n  {list}\n  = help: run `cargo xtask gen`")));
    }
    match arguments.check {
        true => println!("{total} generated files are as they would be written"),
        false => println!("{total} files generated, {changed} changed"),
    }
    Ok(())
}
