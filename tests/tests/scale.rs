//! A board larger than any: 1,024 processors and 64 TiB in 64 banks, read, checked and planned at once.
//!
//! Prints what a processor and a bank cost in pages.

use std::path::Path;
use std::time::{Duration, Instant};

use codegen::plan::{Flavour, Plan};

const CPUS: u64 = 1024;
const BANKS: u64 = 64;

fn plan(cpus: u64, banks: u64) -> (Plan, Duration) {
    let text = tests::large::board(cpus, banks);
    let read = |_: &Path| Ok(text.clone().into_bytes());
    let began = Instant::now();
    let loaded = codegen::load_with("large.toml".as_ref(), &read);
    let (board, _) = loaded.unwrap_or_else(|found| panic!("{}", found.text(codegen::diagnostic::Colour::Never)));
    let plan = codegen::plan(&board, Flavour::Release);
    let plan = plan.unwrap_or_else(|found| panic!("{}", found.text(codegen::diagnostic::Colour::Never)));
    (plan, began.elapsed())
}

#[test]
fn a_thousand_processors_and_64_tebibytes_plan_at_once() {
    let (large, time) = plan(CPUS, BANKS);
    let ((one, _), (narrow, _)) = (plan(1, BANKS), plan(CPUS, 1));
    let pages = |plan: &Plan| plan.footprint.frames;
    let a_cpu = (pages(&large) - pages(&one)) / (CPUS - 1);
    let a_bank = (pages(&large) - pages(&narrow)) / (BANKS - 1);
    println!(
        "figure: 1,024 processors and 64 TiB in 64 banks load and plan in {} ms, 50 at most; {} pages in all, {a_cpu} a processor, {a_bank} a bank",
        time.as_millis(),
        pages(&large)
    );
    // Root, three tables, a stack of four pages, scratch pages; nothing of the image grows with RAM.
    assert!(a_cpu <= 16 && a_bank == 0, "{a_cpu} {a_bank}");
}
