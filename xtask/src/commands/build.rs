//! `build`: a folder with everything a loader needs, and how full each extent is.

use crate::cli::{Build, Format};
use crate::commands::Context;
use crate::failure::Failure;

pub(crate) fn execute(context: &Context, arguments: &Build) -> Result<(), Failure> {
    let mut reports = Vec::new();
    for board in context.boards(&arguments.boards.platform)? {
        let built = context.builder(arguments.guest).build(&board, arguments.profile)?;
        let holes = codegen::map::holes(&built.planned.plan);
        match arguments.format {
            Format::Text => {
                println!("{}: {}", built.manifest.board, context.shown(&built.folder, ""));
                print!("{}", built.report.text());
                holes.iter().for_each(|hole| println!("{hole}"));
            }
            Format::Json => reports.push(serde_json::json!({
                "board": built.manifest.board,
                "folder": context.shown(&built.folder, ""),
                "manifest": built.manifest,
                "report": built.report,
                "holes": holes,
            })),
        }
    }
    if arguments.format == Format::Json {
        println!("{:#}", serde_json::Value::Array(reports));
    }
    Ok(())
}
