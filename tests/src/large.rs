//! A board as large as one asks for: processors, and banks of 1 TiB.
//!
//! Never a real machine.

use std::fmt::Write;

/// Its file, with the devices of `accept/arm.toml`.
///
/// # Panics
/// Outside of the folder that suites run in.
pub fn board(cpus: u64, banks: u64) -> String {
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
