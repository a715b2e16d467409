//! `diff`: what changed between two boards, or two states of one, in words.

use codegen::map::diff;

use crate::cli::{Diff, DiffFormat};
use crate::commands::Context;
use crate::failure::Failure;
use crate::planned::Planned;

pub(crate) fn execute(context: &Context, arguments: &Diff) -> Result<(), Failure> {
    let plan = |word: &str| Ok(Planned::new(&context.board(word)?, arguments.profile)?.plan);
    let (changes, compared) = diff::diff(&plan(&arguments.old)?, &plan(&arguments.new)?);
    match arguments.format {
        DiffFormat::Text => print!("{}", diff::text(&changes, compared)),
        DiffFormat::Md => print!("{}", diff::markdown(&changes, compared)),
        DiffFormat::Json => println!("{:#}", serde_json::json!({ "compared": compared, "changes": changes })),
    }
    Ok(())
}
