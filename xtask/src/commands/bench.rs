//! `bench`: instruction counts; fails when the two ways of counting disagree.

use crate::bench;
use crate::cli::{Bench, Format, What};
use crate::commands::Context;
use crate::failure::Failure;
use crate::guests::Guest;

pub(crate) fn execute(context: &Context, arguments: &Bench) -> Result<(), Failure> {
    let What::Boot { format } = arguments.what;
    let boot = bench::boot(&context.builder(Guest::Described))?;
    match format {
        Format::Text => print!("{}", boot.text()),
        Format::Json => println!("{:#}", serde_json::json!(boot)),
    }
    boot.agree()
}
