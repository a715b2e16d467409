//! `tidy`: the house rules that a program can check.

use crate::commands::Context;
use crate::failure::Failure;
use crate::tidy;

pub(crate) fn execute(context: &Context) -> Result<(), Failure> {
    let report = tidy::check(context.project.root())?;
    print!("{}", report.text());
    match report.is_good() {
        true => Ok(()),
        false => Err(Failure::Config("error: the tree breaks house rules".into())),
    }
}
