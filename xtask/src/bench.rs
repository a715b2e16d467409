//! Counting instructions of a boot: what the figure is, how it is made, what it means. Operations of the memory system
//! one by one are [`memory`]'s, what Linux domains cost is [`linux`]'s.
//!
//! Counts come from the emulator's plugin by address range, never from a clock. The sum of them is compared with the
//! emulated generic timer, which under `-icount shift=0` counts instructions too and knows nothing of the plugin: two
//! sums that differ are no figure. Nothing else here passes or fails.

pub mod boards;
mod calls;
mod counter;
pub mod linux;
pub mod memory;

use std::path::Path;

use serde::Serialize;

use crate::boards::{BoardFile, Place};
use crate::build::{Builder, Built, names};
use crate::cli::Profile;
use crate::emulator::{self, LIMIT, Show};
use crate::failure::Failure;
use crate::guests::{self, PAYLOAD};
use crate::project::Project;

use counter::{REPEATABLE, SCRUB_SYMBOL, count, function};

pub use calls::{Calls, calls};

/// The board whose boot is counted, with one CPU.
const BOARD: &str = "qemu-arm64";
/// Nanoseconds in a second; with `shift=0` an instruction takes one.
const SECOND_NS: u64 = 1_000_000_000;
/// What the payload says of the timer at its first instruction.
const ENTERED: &str = "payload: entered at tick ";
/// Most by which the two sums may differ, as a part of the figure.
const DIFFERENCE_MAX_PERCENT: u64 = 2;
/// Instructions from entry to the first instruction of the payload, scrubbing apart.
const BUDGET: u64 = 300_000;
/// Instructions that clear and clean 64 bytes, in tenths.
const SCRUB_BUDGET_TENTHS: u64 = 33;
/// What the boot log says of clearing.
const SCRUBBED: &str = " tables, scrubbed ";

/// Instructions of one boot.
#[derive(Debug, Serialize)]
pub struct Boot {
    /// Machine, CPU and RAM.
    pub machine: String,
    /// Entry code, at physical addresses.
    pub entry: u64,
    /// The image, scrubbing apart.
    pub text: u64,
    /// Clearing guest memory, cache maintenance included.
    pub scrub: u64,
    /// KiB that were cleared.
    pub scrubbed_kib: u64,
    /// Everything else before the payload's first instruction: the emulator's boot stub.
    pub other: u64,
    /// Image instructions from the payload's first instruction to power-off.
    pub text_after: u64,
    /// All instructions before the payload's first, by the generic timer that the payload read there.
    pub timed: u64,
}

impl Boot {
    /// From entry to the payload's first instruction, scrubbing apart.
    pub const fn total(&self) -> u64 {
        self.entry + self.text
    }

    /// All instructions before the payload's first, by the plugin.
    pub const fn counted(&self) -> u64 {
        self.entry + self.text + self.scrub + self.other
    }

    /// Whether plugin and timer agree.
    pub fn agree(&self) -> Result<(), Failure> {
        let difference = self.timed.abs_diff(self.counted());
        if difference * 100 <= self.total() * DIFFERENCE_MAX_PERCENT {
            return Ok(());
        }
        Err(Failure::Mismatch(format!(
            "plugin and generic timer differ by {difference} instructions, more than {DIFFERENCE_MAX_PERCENT} % of {}",
            self.total()
        )))
    }

    /// Whether boot and scrubbing cost as much as they may.
    pub fn within_budget(&self) -> Result<(), String> {
        let lines = self.scrubbed_kib * 1024 / 64;
        if self.total() > BUDGET {
            return Err(format!("{} instructions, at most {BUDGET}", self.total()));
        }
        match lines > 0 && self.scrub * 10 <= lines * SCRUB_BUDGET_TENTHS {
            true => Ok(()),
            false => Err(format!("scrubbing {lines} lines of 64 bytes takes {} instructions", self.scrub)),
        }
    }

    /// The figures for people.
    pub fn text(&self) -> String {
        let Self { machine, entry, text, scrub, scrubbed_kib, other, text_after, timed } = self;
        format!(
            "{machine}\nentry to the payload's first instruction, scrubbing apart: {total} instructions\n  \
             entry code {entry}, image {text}\n  scrubbing {scrubbed_kib} KiB {scrub}, emulator's boot stub {other}\n  \
             image after that, to power-off: {text_after}\n\
             all before the payload's first instruction: plugin {counted}, generic timer {timed}, \
             difference {difference}\n",
            total = self.total(),
            counted = self.counted(),
            difference = timed.abs_diff(self.counted())
        )
    }
}

/// Counts one boot of a one-CPU variant of the board.
pub fn boot(builder: &Builder<'_>) -> Result<Boot, Failure> {
    let board = one_cpu_board(builder.project, "1cpu", "")?;
    let built = builder.build(&board, Profile::Release)?;
    let plugin = counter::plugin(builder.project)?;
    let out = built.folder.join("instructions.txt");
    if out.exists() {
        std::fs::remove_file(&out).map_err(|error| Failure::file("remove", &out, &error))?;
    }
    let mut extra: Vec<String> = REPEATABLE.map(str::to_owned).to_vec();
    extra.extend(["-plugin".to_owned(), plugin_arguments(&built, &plugin, &out)?]);
    let mut command = emulator::command(builder.host, &built, &extra)?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    outcome.verdict()?;
    let counts = std::fs::read_to_string(&out).map_err(|error| Failure::file("read", &out, &error))?;
    let at = |phase: &str, range: &str| {
        let line = counts.lines().find(|line| line.split(' ').next() == Some(phase));
        count(line.unwrap_or_default(), range).ok_or_else(|| {
            Failure::Run(format!("the counter reported no `{range}` at {phase}: was the payload reached?"))
        })
    };
    Ok(Boot {
        machine: machine(&built),
        entry: at("stop", "entry")?,
        text: at("stop", "text")?,
        scrub: at("stop", "scrub")?,
        scrubbed_kib: outcome.lines.iter().filter_map(|line| scrubbed(line)).sum(),
        other: at("stop", "other")?,
        text_after: at("exit", "text")? - at("stop", "text")?,
        timed: timed(&outcome.lines)?,
    })
}

/// KiB that a line of the boot log says were cleared.
fn scrubbed(line: &str) -> Option<u64> {
    line.split_once(SCRUBBED)?.1.split_once(" KiB")?.0.parse().ok()
}

/// Machine, CPU and RAM of a board with one CPU.
fn machine(built: &Built) -> String {
    built.planned.plan.board.emulator.as_ref().map_or_else(String::new, |emulator| {
        let cpu = emulator.cpu.as_deref().unwrap_or("default CPU");
        format!("{} {cpu}, 1 CPU, {} MiB RAM", emulator.machine, emulator.memory_bytes >> 20)
    })
}

/// The instructions that the timer's ticks stand for, from the payload's line.
fn timed(lines: &[String]) -> Result<u64, Failure> {
    let line = lines.iter().find_map(|line| line.strip_prefix(ENTERED));
    let words = line.and_then(|line| line.strip_suffix(" Hz")?.split_once(" of "));
    let numbers = words.and_then(|(ticks, hz)| Some((ticks.parse::<u64>().ok()?, hz.parse::<u64>().ok()?)));
    match numbers {
        Some((ticks, hz)) if hz > 0 && SECOND_NS.is_multiple_of(hz) => Ok(ticks.saturating_mul(SECOND_NS / hz)),
        _ => Err(Failure::Run(format!("no line `{ENTERED}N of N Hz`, or ticks that are no whole nanoseconds"))),
    }
}

/// The board with the built-in guest alone, its first core only and what else differs, as an out-of-tree file beside the build's output.
fn one_cpu_board(project: &Project, what: &str, differs: &str) -> Result<BoardFile, Failure> {
    let text = guests::replaced(project, BOARD, PAYLOAD)?;
    let folder = project.target().join("bench");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    let name = format!("{BOARD}-{what}");
    let base = folder.join(format!("{BOARD}.toml"));
    let variant = folder.join(format!("{name}.toml"));
    let own = format!(
        "schema = 1\nbase = \"{BOARD}.toml\"\n\n[platform]\nname = \"{name}\"\n\n[[cpu.core]]\nmpidr = 0x0\ntype = \"one\"\n\n{differs}"
    );
    for (path, text) in [(&base, &text), (&variant, &own)] {
        std::fs::write(path, text).map_err(|error| Failure::file("write", path, &error))?;
    }
    let path = variant.strip_prefix(project.root()).map_or(variant.clone(), Path::to_path_buf);
    Ok(BoardFile { name, path, place: Place::Elsewhere })
}

/// First match counts, so the scrub routine comes before the text it lies in.
fn plugin_arguments(built: &Built, plugin: &Path, out: &Path) -> Result<String, Failure> {
    let plan = &built.planned.plan;
    let text = plan.sections.iter().find(|section| section.name == "text");
    let text = text.ok_or_else(|| Failure::Mismatch("the plan has no text".into()))?;
    let elf = built.folder.join(names::ELF);
    let scrub = function(&elf, |name| name == SCRUB_SYMBOL, "to count apart")?;
    let kernel = plan.blobs.first().ok_or_else(|| Failure::Usage("the board has no guest to start".into()))?;
    let (link, load) = (text.link.get(), text.base.get());
    Ok(format!(
        "{},out={},range=scrub:{:x}:{:x},range=text:{link:x}:{:x},range=entry:{load:x}:{:x},stop={:x}:text",
        plugin.display(),
        out.display(),
        scrub.first,
        scrub.first + scrub.bytes,
        link + text.bytes,
        load + paging::PAGE_BYTES,
        kernel.ipa.get()
    ))
}

#[cfg(test)]
mod tests {
    use super::{Boot, scrubbed, timed};

    fn boot(timed: u64) -> Boot {
        Boot {
            machine: String::new(),
            entry: 50,
            text: 950,
            scrub: 20_000,
            scrubbed_kib: 400,
            other: 6,
            text_after: 7,
            timed,
        }
    }

    #[test]
    fn the_timer_may_differ_by_a_small_part_of_the_figure_not_of_the_scrubbing() {
        for (timed, agrees) in [(21_006, true), (21_026, true), (20_986, true), (21_027, false), (20_985, false)] {
            assert_eq!(boot(timed).agree().is_ok(), agrees, "{timed}");
        }
    }

    #[test]
    fn a_boot_or_a_scrub_that_costs_more_is_over_budget() {
        let good = boot(21_006);
        assert_eq!(good.within_budget(), Ok(()));
        assert!(Boot { text: 299_951, ..boot(0) }.within_budget().is_err(), "one instruction more");
        assert!(Boot { scrub: 21_121, ..boot(0) }.within_budget().is_err(), "3.3 and a bit");
        assert!(Boot { scrubbed_kib: 0, ..boot(0) }.within_budget().is_err(), "nothing was cleared");
        assert_eq!(
            scrubbed("tabula: domain payload: 0x0 is 0x0..0x1, 4 of 18 tables, scrubbed 16377 KiB, made in 5 ticks"),
            Some(16_377)
        );
    }

    #[test]
    fn ticks_become_instructions() {
        let line = |text: &str| timed(&["payload: hello from EL1".to_owned(), text.to_owned()]).ok();
        assert_eq!(line("payload: entered at tick 1000 of 62500000 Hz"), Some(16_000));
        assert_eq!(line("payload: entered at tick 1000 of 0 Hz"), None);
        assert_eq!(line("payload: entered at tick 1000 of 62500001 Hz"), None);
        assert_eq!(line("payload: mmu on"), None);
    }
}
