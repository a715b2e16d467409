//! `expand`: the board file with its base merged in, each value with its origin.

use crate::cli::One;
use crate::commands::Context;
use crate::failure::Failure;
use crate::planned;

pub(crate) fn execute(context: &Context, arguments: &One) -> Result<(), Failure> {
    let board = context.board(&arguments.platform)?;
    print!("{}", codegen::expand(&board.path).map_err(|found| planned::findings(&found))?);
    Ok(())
}
