//! A board larger than any: 1,024 processors and 64 TiB in 64 banks, read, checked and planned at once.
//!
//! Prints what a processor and a bank cost in pages.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use codegen::plan::{Flavour, Plan};

const CPUS: u64 = 1024;
const BANKS: u64 = 64;

fn board(cpus: u64, banks: u64) -> String {
    let arm = std::fs::read_to_string("accept/arm.toml").expect("it is there");
    let mut text =
        String::from("schema = 1\n\n[platform]\nname = \"large\"\nmodel = \"large\"\narch = \"aarch64\"\n\n");
    text.push_str("[memory]\nbanks-from = \"static\"\npa-bits-min = 48\n\n");
    for bank in 0..banks {
        let base = (bank + 1) << 40;
        write!(text, "[[memory.bank]]\nbase = {base:#x}\nsize = \"1 TiB\"\n\n").expect("strings take all text");
    }
    text.push_str("[cpu]\nenable-method = \"psci\"\npsci = { conduit = \"smc\" }\n\n");
    for cpu in 0..cpus {
        let mpidr = ((cpu / 16) << 8) | (cpu % 16);
        write!(text, "[[cpu.core]]\nmpidr = {mpidr:#x}\n\n").expect("strings take all text");
    }
    let bytes = cpus.max(1) * 0x2_0000;
    text.push_str("[irq]\nkind = \"gic-v3\"\ngicd = { base = 0x0800_0000, size = 0x1_0000 }\n");
    writeln!(text, "gicr = [{{ base = 0x1000_0000, size = {bytes:#x} }}]\nmaintenance-intid = 25\n").expect("as above");
    let rest = arm.find("[timer]").expect("the board has a timer");
    let end = arm.find("[[domain]]").expect("and a domain");
    text.push_str(&arm[rest..end]);
    text
}

fn plan(cpus: u64, banks: u64) -> (Plan, Duration) {
    let text = board(cpus, banks);
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
    println!("{time:?}; {} pages in all, {a_cpu} a processor, {a_bank} a bank", pages(&large));
    // Root, three tables, a stack of four pages, scratch pages; nothing of the image grows with RAM.
    assert!(a_cpu <= 16 && a_bank == 0, "{a_cpu} {a_bank}");
}
