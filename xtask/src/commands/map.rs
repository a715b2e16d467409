//! `map`: where everything lies.

use crate::cli::{Format, Map};
use crate::commands::Context;
use crate::failure::Failure;
use crate::planned::Planned;

pub(crate) fn execute(context: &Context, arguments: &Map) -> Result<(), Failure> {
    let board = context.board(&arguments.board.platform)?;
    let plan = Planned::new(&board, arguments.profile)?.plan;
    match arguments.format {
        Format::Text => print!("{}", codegen::map::text(&plan)),
        Format::Json => println!("{}", codegen::map::json(&plan)),
    }
    Ok(())
}
