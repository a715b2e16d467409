//! The random row of the heap with as many steps as its acceptance test names; the short run has no time for them.
//!
//! The image under test is the self-test image, in whose data the number of steps is written.

use super::{boot, judge_row, report};
use crate::build::Built;
use crate::failure::Failure;
use crate::suites::Bench;
use crate::suites::faults::patch;

/// The boards, by their parts of the suite, two CPUs each. On AArch64 a page that is freed is unmapped, and one
/// instruction makes the other CPU forget it. On x86-64 an interrupt does, with which an emulator takes hours: there all
/// RAM stays mapped, and the row is about the heap alone.
pub(super) const BOARDS: [&str; 2] = ["qemu-arm64-far", "qemu-x86_64-full"];
/// The variable that holds the number of steps.
const VARIABLE: &str = "RANDOM_STEPS";
/// Allocations and frees.
const STEPS: u64 = 100_000;
/// The row.
const ROW: &str = "p8: random allocations and frees end where they began";

/// Boots once more, for this row.
pub(super) fn run(bench: &mut Bench<'_>, name: &str, built: &mut Built) {
    let result = patch::set_word(built, VARIABLE, STEPS).and_then(|()| ends_where_it_began(bench, built));
    bench.job(format!("{name}: {ROW}, {STEPS} steps"), result);
}

fn ends_where_it_began(bench: &Bench<'_>, built: &Built) -> Result<(), Failure> {
    let outcome = boot(bench, built)?;
    let reported: Vec<_> = outcome.lines.iter().filter_map(|line| report(line)).collect();
    judge_row(ROW, &reported).map_err(Failure::Run)?;
    let counts = format!("tabula: p8: {STEPS} random steps");
    match outcome.lines.contains(&counts) {
        true => Ok(()),
        false => Err(Failure::Run("the row ran another number of steps".to_owned())),
    }
}
