//! The corpus as a page: counts, and what stands against the rest.
//!
//! Never names a board's text: trees are not ours to copy.

use std::fmt::Write as _;

use codegen::import::{BringUp, IrqClass};

use super::{Outcome, Trees, histogram};

/// The page, without times: those differ from run to run.
pub fn markdown(trees: &Trees, outcomes: &[Outcome]) -> String {
    let mut page = format!(
        "# The device trees of Debian's arm64 kernel\n\n\
         Made by `cargo xtask corpus --write` from the package `{}`. RAM, console and bring-up come from the tree where it\n\
         says them, from a test's answers where it does not.\n\n\
         | figure | boards |\n| --- | ---: |\n",
        trees.package
    );
    for (what, count) in figures(outcomes) {
        row(&mut page, what, count);
    }
    let mut section = |title: &str, list: Vec<(String, usize)>| {
        row_head(&mut page, title);
        list.iter().for_each(|(word, count)| row(&mut page, word, *count));
    };
    section("open keys without answers", histogram(outcomes.iter().flat_map(|one| one.holes.iter().copied())));
    section("interrupt controller", histogram(outcomes.iter().map(|one| irq(one.class.irq))));
    section("bring-up", histogram(outcomes.iter().map(|one| bring_up(one.class.bring_up))));
    section("console", histogram(outcomes.iter().map(|one| one.class.console.unwrap_or("open"))));
    let refused = outcomes.iter().filter_map(|one| one.plan.as_ref().err());
    section("refused by `check`, by code", histogram(refused.flatten().copied()));
    page
}

/// The figures that matter.
fn figures(outcomes: &[Outcome]) -> Vec<(&'static str, usize)> {
    let count = |test: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|one| test(one)).count();
    vec![
        ("device trees", outcomes.len()),
        ("imported to a file that parses", count(&|one| one.parses)),
        ("complete without an answer", count(&|one| one.holes.is_empty())),
        ("complete with one answer", count(&|one| one.holes.len() == 1)),
        ("pass `check` with answers", count(&|one| one.plan.is_ok())),
        ("bootable in principle", count(&|one| one.plan.is_ok() && one.class.is_bootable())),
        ("the same with console = none", count(&|one| one.plan.is_ok() && one.class.is_bootable_without_console())),
    ]
}

fn row_head(page: &mut String, title: &str) {
    put(page, format_args!("\n| {title} | boards |\n| --- | ---: |\n"));
}

fn row(page: &mut String, what: &str, count: usize) {
    put(page, format_args!("| {what} | {count} |\n"));
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("strings take all text");
}

fn irq(class: IrqClass) -> &'static str {
    match class {
        IrqClass::GicV2 => "GICv2 with its virtual half",
        IrqClass::GicV2Plain => "GICv2 without",
        IrqClass::GicV3 => "GICv3 or v4",
        IrqClass::Bcm2836 => "BCM2836",
        IrqClass::Apic => "APIC",
        IrqClass::Unknown => "none that is known",
    }
}

fn bring_up(class: Option<BringUp>) -> &'static str {
    match class {
        Some(BringUp::Single) => "one core",
        Some(BringUp::Psci) => "PSCI 0.2 or later",
        Some(BringUp::Psci01) => "PSCI 0.1",
        Some(BringUp::SpinTable) => "spin table",
        Some(BringUp::Sipi) => "INIT-SIPI-SIPI",
        None => "open",
    }
}
