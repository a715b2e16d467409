//! The figures as a page for people: the committed report is this, to the letter.
//!
//! Says nothing that was not measured.

use std::fmt::Write;

use super::{Memory, Operation, Run, Tables};

impl Memory {
    /// The page.
    pub fn text(&self) -> String {
        let mut page = format!(
            "# What the memory system costs\n\n\
             Written by `cargo xtask bench memory`, to the digit wherever compiler and emulator are these:\n\n\
             - {}\n- {}\n\n\
             Instructions are those of the CPU that does it, in code compiled as it ships, waiting for other CPUs included; \
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
    line(page, format_args!("\n## {}, policy `{}`\n\n{}.\n\n", run.board, run.policy, run.machine));
    page.push_str(
        "| operation | instructions | clearing | entry writes | barriers | page, here | all, here | page, everywhere \
         | all, everywhere | IPIs |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for Operation { name, instructions, scrub, barriers, ipis, seen, .. } in &run.operations {
        line(
            page,
            format_args!(
                "| {name} | {instructions} | {scrub} | {} | {barriers} | {} | {} | {} | {} | {ipis} |\n",
                seen.writes, seen.local_pages, seen.local, seen.pages, seen.everywhere
            ),
        );
    }
    page.push_str("\n| heap pages | table pages | left once they are gone |\n| --- | ---: | ---: |\n");
    for Tables { how, tables, pages, left } in &run.tables {
        line(page, format_args!("| {pages}, {how} | {tables} | {left} |\n"));
    }
}

/// Text that is formatted into a string cannot fail.
fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes any text");
}
