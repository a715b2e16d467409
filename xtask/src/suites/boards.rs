//! Each board builds and verifies; code and the sum of extents stay within their budgets.

use super::{Bench, variants};
use crate::boards::{self, BoardFile};
use crate::build::Built;
use crate::cli::Profile;
use crate::compile;
use crate::failure::Failure;
use crate::planned::Planned;

/// All release extents together.
const EXTENTS_MAX_BYTES: u64 = 384 * 1024;
/// Text and rodata together, release, of a board without guests: the hypervisor and its memory system.
const BARE_CODE_MAX_BYTES: u64 = 64 * 1024;
/// The same with one guest: its tables and builder, virtual hardware and the Xen ABI. The aim is 96 KiB here too; it may
/// shrink only.
const CODE_MAX_BYTES: u64 = 165 * 1024;
/// The same with several guests, on an emulated PL011 among others: what is a constant for one alone is code for them.
const SEVERAL_CODE_MAX_BYTES: u64 = 169 * 1024;
/// The board whose code is measured without guests, and with the built-in one alone.
const MEASURED: &str = "qemu-arm64";

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
    let bare = variants::with_guests(bench.builder.project, MEASURED, "qemu-arm64-bare", "")
        .and_then(|board| small(bench, &board, BARE_CODE_MAX_BYTES));
    bench.job(format!("build {MEASURED} without guests"), bare.map(drop));
    let alone =
        variants::with_payload(bench.builder.project, MEASURED).and_then(|board| small(bench, &board, CODE_MAX_BYTES));
    bench.job(format!("build {MEASURED} with one guest"), alone.map(drop));
}

fn release(bench: &Bench<'_>, board: &BoardFile) -> Result<(), Failure> {
    let domains = Planned::new(board, Profile::Release)?.plan.domains.len();
    let built = small(bench, board, if domains > 1 { SEVERAL_CODE_MAX_BYTES } else { CODE_MAX_BYTES })?;
    names_no_path_of_this_machine(bench, &built)
}

fn small(bench: &Bench<'_>, board: &BoardFile, code_max_bytes: u64) -> Result<Built, Failure> {
    let built = bench.builder.build(board, Profile::Release)?;
    let sections = &built.report.sections;
    let extents: u64 = sections.iter().map(|section| section.extent_bytes).sum();
    let code: u64 =
        sections.iter().filter(|part| matches!(part.name, "text" | "rodata")).map(|part| part.used_bytes).sum();
    if extents > EXTENTS_MAX_BYTES {
        return Err(Failure::Mismatch(format!("extents are {extents} bytes, at most {EXTENTS_MAX_BYTES}")));
    }
    if code > code_max_bytes {
        return Err(Failure::Mismatch(format!("text and rodata are {code} bytes, at most {code_max_bytes}")));
    }
    Ok(built)
}

/// Two builders of the same commit get the same image, and learn nothing of each other's folders.
fn names_no_path_of_this_machine(bench: &Bench<'_>, built: &Built) -> Result<(), Failure> {
    let path = built.image();
    let image = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    for folder in [Some(bench.builder.project.root().to_path_buf()), compile::cargo_home()].into_iter().flatten() {
        let folder = folder.display().to_string();
        if memchr::memmem::find(&image, folder.as_bytes()).is_some() {
            return Err(Failure::Mismatch(format!("{} names {folder}", path.display())));
        }
    }
    Ok(())
}
