//! `test`: every suite, then what failed once more, minutes per suite, and a last line that counts.

use crate::cli::Test;
use crate::commands::Context;
use crate::failure::Failure;
use crate::guests::Guest;
use crate::suites::{self, Length};

pub(crate) fn execute(context: &Context, arguments: &Test) -> Result<(), Failure> {
    if arguments.list {
        for suite in suites::ALL {
            println!("{:<14} {}", suite.name, suite.shows);
        }
        return Ok(());
    }
    let length = if arguments.long { Length::Long } else { Length::Short };
    let tally = suites::run(context.builder(Guest::Payload), length, arguments.filter.as_deref());
    print!("\n{}", tally.text());
    match (tally.failures.len(), tally.passed) {
        (0, 1..) => Ok(()),
        (0, 0) => Err(Failure::Usage("no suite has that name; `cargo xtask test --list` shows them".into())),
        (failed, _) => Err(Failure::Run(format!("{failed} tests failed"))),
    }
}
