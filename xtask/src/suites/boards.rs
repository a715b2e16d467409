//! Each board builds and verifies; the sum of extents stays within its budget.

use super::Bench;
use crate::boards::{self, BoardFile};
use crate::cli::Profile;
use crate::failure::Failure;

/// All release extents together.
const EXTENTS_MAX_BYTES: u64 = 384 * 1024;
/// Text and rodata together, release. The aim is 96 KiB: the spine alone had 73, the virtual hardware, the Xen ABI and
/// domains that come and go have made it 164. It may shrink only.
const CODE_MAX_BYTES: u64 = 165 * 1024;

pub(super) fn run(bench: &mut Bench<'_>) {
    let boards = match boards::all(bench.builder.project) {
        Ok(boards) => boards,
        Err(failure) => return bench.job("boards", Err(failure)),
    };
    for board in boards {
        let result = release(bench, &board);
        bench.job(format!("build {} release", board.name), result);
        for profile in [Profile::Debug, Profile::SelfTest] {
            let result = bench.builder.build(&board, profile).map(drop);
            bench.job(format!("build {} {}", board.name, profile.word()), result);
        }
    }
}

fn release(bench: &Bench<'_>, board: &BoardFile) -> Result<(), Failure> {
    let built = bench.builder.build(board, Profile::Release)?;
    let sections = &built.report.sections;
    let extents: u64 = sections.iter().map(|section| section.extent_bytes).sum();
    let code: u64 =
        sections.iter().filter(|part| matches!(part.name, "text" | "rodata")).map(|part| part.used_bytes).sum();
    if extents > EXTENTS_MAX_BYTES {
        return Err(Failure::Mismatch(format!("extents are {extents} bytes, at most {EXTENTS_MAX_BYTES}")));
    }
    if code > CODE_MAX_BYTES {
        return Err(Failure::Mismatch(format!("text and rodata are {code} bytes, at most {CODE_MAX_BYTES}")));
    }
    Ok(())
}
