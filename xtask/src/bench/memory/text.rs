//! The figures as a page for people: the committed report is this, to the letter.
//!
//! Says nothing that was not measured.

use std::fmt::Write;

use super::{Memory, Operation, Run, Seen, Tables};

impl Memory {
    /// The page.
    pub fn text(&self) -> String {
        let mut page = format!(
            "# What the memory system costs\n\n\
             Written by `cargo xtask bench memory`, to the digit wherever compiler and emulator are these:\n\n\
             - {}\n- {}\n\n\
             A map is a page that the map cache was asked for and that no directmap shows. Instructions are those of the CPU that does it, in code compiled as it ships, waiting for other CPUs included; \
             clearing memory stands apart. Entry writes and invalidations are what the checker of page tables sees of the \
             same operation; the number of invalidations is compared with the instructions that invalidate. AArch64 \
             invalidates on every CPU by a broadcast, x86-64 by an interrupt (IPI) to each.\n",
            self.compiler, self.emulator
        );
        mapped(&mut page, &self.runs);
        for run in &self.runs {
            one(&mut page, run);
        }
        page
    }
}

fn mapped(page: &mut String, runs: &[Run]) {
    page.push_str(
        "\n## RAM that a CPU's root maps after boot\n\n\
         Release images, 1 GiB, two CPUs, in KiB; under `full` all RAM is mapped besides.\n\n| board | policy |",
    );
    let Some(first) = runs.first() else { return };
    let classes: Vec<&String> = first.mapped_kib.keys().collect();
    for class in &classes {
        line(page, format_args!(" {class} |"));
    }
    page.push_str("\n| --- | --- |");
    classes.iter().for_each(|_| page.push_str(" ---: |"));
    for run in runs {
        line(page, format_args!("\n| {} | {} |", run.board, run.policy));
        for class in &classes {
            line(page, format_args!(" {} |", run.mapped_kib.get(*class).copied().unwrap_or_default()));
        }
    }
    page.push('\n');
}

fn one(page: &mut String, run: &Run) {
    line(page, format_args!("{}\n{}.\n\n", heading(run.board, run.policy), run.machine));
    line(page, format_args!("| operation | {} |\n| --- |", COLUMNS.join(" | ")));
    COLUMNS.iter().for_each(|_| page.push_str(" ---: |"));
    page.push('\n');
    for operation in &run.operations {
        line(page, format_args!("| {} |", operation.name));
        cells(operation).iter().for_each(|cell| line(page, format_args!(" {cell} |")));
        page.push('\n');
    }
    page.push_str("\n| heap pages | table pages | left once they are gone |\n| --- | ---: | ---: |\n");
    for tables in &run.tables {
        line(page, format_args!("{}\n", tables_row(tables)));
    }
}

/// What a row tells of an operation; instructions first.
pub(super) const COLUMNS: [&str; 10] = [
    "instructions",
    "clearing",
    "maps",
    "entry writes",
    "barriers",
    "page, here",
    "all, here",
    "page, everywhere",
    "all, everywhere",
    "IPIs",
];

/// An operation's figures, by column.
pub(super) fn cells(operation: &Operation) -> [u64; COLUMNS.len()] {
    let Operation { instructions, scrub, maps, barriers, ipis, seen, .. } = operation;
    let Seen { writes, local_pages, local, pages, everywhere } = *seen;
    [*instructions, *scrub, *maps, writes, *barriers, local_pages, local, pages, everywhere, *ipis]
}

/// The row of a count of tables.
pub(super) fn tables_row(tables: &Tables) -> String {
    let Tables { how, tables, pages, left } = tables;
    format!("| {pages}, {how} | {tables} | {left} |")
}

/// What the section of a board and a policy begins with.
pub(super) fn heading(board: &str, policy: &str) -> String {
    format!("\n## {board}, policy `{policy}`\n")
}

/// Text that is formatted into a string cannot fail.
fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes any text");
}
