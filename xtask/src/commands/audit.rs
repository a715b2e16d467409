//! `audit`: what each CPU of the running machine can reach, and whether that is what it may.

use crate::audit;
use crate::cli::{Audit, Format};
use crate::commands::Context;
use crate::failure::Failure;

pub(crate) fn execute(context: &Context, arguments: &Audit) -> Result<(), Failure> {
    let board = context.board(&arguments.board.platform)?;
    let builder = context.builder(arguments.guest);
    let report = audit::audit(&builder, &board, arguments.profile, arguments.stops)?;
    match arguments.format {
        Format::Text => print!("{}", report.text()),
        Format::Json => println!("{:#}", report.json()),
    }
    report.verdict()?;
    if arguments.format == Format::Text {
        println!("audit: secrets are out of reach, and the control reaches them");
    }
    Ok(())
}
