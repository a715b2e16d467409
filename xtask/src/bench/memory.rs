//! Counting operations of the memory system one by one: what the figures are and how they are made.
//!
//! An image that is compiled as the release image runs each operation between two marks, and the plugin takes its figures
//! there; what the marks cost is measured first and taken off. The same image with checks tells the entry writes and
//! invalidations that its checker has seen; both must agree on how many invalidations and maps there were. Reads no clock.

mod boards;
mod budgets;
mod parse;
mod report;
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::counter::{self, REPEATABLE, SCRUB_SYMBOL, function};
use crate::boards::BoardFile;
use crate::build::{Builder, Built, names};
use crate::cli::Profile;
use crate::emulator::{self, LIMIT, Outcome, Show};
use crate::failure::Failure;
use crate::packages::{self, QEMU_ARM};
use crate::process;
use crate::toolchain::{self, Target};

pub use boards::{BASES, POLICIES};
pub use budgets::{Verdict, judge};
pub use report::{REPORT, agrees};

/// The last line of a run that measured everything.
const END: &str = "tabula: measured";
/// The function that x86-64 sends every interrupt to another CPU with, as its mangled name spells it.
const IPI: &str = "6x86_644apic4send";
/// The function at a mark.
const MARK: &str = "7measure3lap4mark";

/// Everything.
#[derive(Debug, Serialize)]
pub struct Memory {
    /// The compiler.
    pub compiler: String,
    /// The emulator.
    pub emulator: String,
    /// Each board, policy by policy.
    pub runs: Vec<Run>,
}

/// One board with one policy.
#[derive(Debug, Serialize)]
pub struct Run {
    /// The shipped board that it is made of.
    pub board: &'static str,
    /// `directmap.policy`.
    pub policy: &'static str,
    /// Machine, CPU and RAM.
    pub machine: String,
    /// KiB of RAM that a release image with two CPUs maps on each after boot, by class.
    pub mapped_kib: BTreeMap<String, u64>,
    /// Table pages.
    pub tables: Vec<Tables>,
    /// The operations, in the order in which they ran.
    pub operations: Vec<Operation>,
}

/// Table pages that heap pages need.
#[derive(Debug, Clone, Serialize)]
pub struct Tables {
    /// How the pages lie.
    pub how: String,
    /// Table pages.
    pub tables: u64,
    /// Pages.
    pub pages: u64,
    /// Table pages that are left once the pages are gone.
    pub left: u64,
}

/// What one operation cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// Instructions of the CPU that did it, clearing memory apart.
    pub instructions: u64,
    /// Instructions that cleared memory and cleaned it.
    pub scrub: u64,
    /// Instructions that wait for memory or invalidations, or forget what was fetched.
    pub barriers: u64,
    /// Interrupts sent to other CPUs.
    pub ipis: u64,
    /// Instructions that invalidate.
    pub invalidating: u64,
    /// Pages that the map cache was asked for and mapped, or had mapped.
    pub maps: u64,
    /// What the checker has seen.
    pub seen: Seen,
}

/// What the checker has seen of an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Entries written.
    pub writes: u64,
    /// Invalidations of one page on this CPU.
    pub local_pages: u64,
    /// Invalidations of everything on this CPU.
    pub local: u64,
    /// Invalidations of one page on every CPU.
    pub pages: u64,
    /// Invalidations of everything on every CPU.
    pub everywhere: u64,
}

impl Seen {
    const fn invalidations(self) -> u64 {
        self.local_pages + self.local + self.pages + self.everywhere
    }
}

/// Measures one board or all, with one policy or each.
pub fn memory(builder: &Builder<'_>, board: Option<&str>, policy: Option<&str>) -> Result<Memory, Failure> {
    let boards = chosen(&BASES, board)?;
    let policies = chosen(&POLICIES, policy)?;
    let mut runs = Vec::new();
    for board in boards {
        for policy in &policies {
            runs.push(run(builder, board, policy)?);
        }
    }
    let compiler = toolchain::obtain(builder.project, builder.host, builder.toolchain, Target::Aarch64)?.version;
    let emulator = packages::ensure(builder.host, QEMU_ARM)?;
    let emulator = process::answer(process::command(emulator).arg(QEMU_ARM.version)).unwrap_or_default();
    let emulator = emulator.lines().next().unwrap_or_default().to_owned();
    Ok(Memory { compiler, emulator, runs })
}

/// The one that was asked for, or all.
fn chosen(all: &[&'static str], only: Option<&str>) -> Result<Vec<&'static str>, Failure> {
    let chosen: Vec<_> = all.iter().copied().filter(|word| only.is_none_or(|only| only == *word)).collect();
    match chosen.is_empty() {
        true => Err(Failure::Usage(format!("`bench memory` measures {}", all.join(", ")))),
        false => Ok(chosen),
    }
}

/// Measures one board with one policy.
pub fn run(builder: &Builder<'_>, board: &'static str, policy: &'static str) -> Result<Run, Failure> {
    let file = boards::measured(builder.project, board, policy)?;
    let (built, outcome, laps) = counted(builder, &file)?;
    let checked = builder.build(&file, Profile::MeasureChecked)?;
    let checked = start(builder, &checked, &[])?;
    let operations = parse::operations(&outcome.lines, &laps, &checked.lines)?;
    let shipped = builder.build(&boards::shipped(builder.project, board, policy)?, Profile::Release)?;
    let mut command = emulator::command(builder.host, &shipped, &[])?;
    let shipped = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    shipped.verdict()?;
    Ok(Run {
        board,
        policy,
        machine: machine(&built),
        mapped_kib: parse::mapped(&shipped.lines)?,
        tables: parse::tables(&outcome.lines)?,
        operations,
    })
}

fn machine(built: &Built) -> String {
    built.planned.plan.board.emulator.as_ref().map_or_else(String::new, |emulator| {
        let cpu = emulator.cpu.as_deref().unwrap_or("default CPU");
        let cpus = built.planned.plan.board.cpus.cores.len();
        format!("{} {cpu}, {cpus} CPUs, {} MiB RAM", emulator.machine, emulator.memory_bytes >> 20)
    })
}

/// Runs the image as it ships under the plugin; what it said, and the plugin's file.
fn counted(builder: &Builder<'_>, file: &BoardFile) -> Result<(Built, Outcome, String), Failure> {
    let built = builder.build(file, Profile::Measure)?;
    let plugin = counter::plugin(builder.project)?;
    let out = built.folder.join("laps.txt");
    if out.exists() {
        std::fs::remove_file(&out).map_err(|error| Failure::file("remove", &out, &error))?;
    }
    let outcome = start(builder, &built, &["-plugin".to_owned(), plugin_arguments(&built, &plugin, &out)?])?;
    let laps = std::fs::read_to_string(&out).map_err(|error| Failure::file("read", &out, &error))?;
    Ok((built, outcome, laps))
}

/// Runs an image that measures, to its end.
fn start(builder: &Builder<'_>, built: &Built, extra: &[String]) -> Result<Outcome, Failure> {
    let extra: Vec<String> = REPEATABLE.map(str::to_owned).into_iter().chain(extra.iter().cloned()).collect();
    let mut command = emulator::command(builder.host, built, &extra)?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    match outcome.lines.iter().any(|line| line == END) {
        true => Ok(outcome),
        false => Err(Failure::Run(format!("the image did not measure everything\n{}", outcome.lines.join("\n")))),
    }
}

fn plugin_arguments(built: &Built, plugin: &Path, out: &Path) -> Result<String, Failure> {
    use codegen::model::Arch;
    let text = built.planned.plan.sections.iter().find(|section| section.name == "text");
    let text = text.ok_or_else(|| Failure::Mismatch("the plan has no text".into()))?;
    let elf = built.folder.join(names::ELF);
    let scrub = function(&elf, |name| name == SCRUB_SYMBOL, "that clears memory")?;
    let mark = function(&elf, |name| name.contains(MARK), "at the marks")?;
    let (kinds, ipi) = match built.planned.plan.board.arch {
        Arch::Aarch64 => ("aarch64", String::new()),
        Arch::X86_64 => {
            let send = function(&elf, |name| name.contains(IPI), "that sends interrupts")?;
            ("x86_64", format!(",call=ipis:{:x}", send.first))
        }
    };
    Ok(format!(
        "{},out={},cpu=0,kinds={kinds},lap={:x},range=scrub:{:x}:{:x},range=text:{:x}:{:x}{ipi}",
        plugin.display(),
        out.display(),
        mark.first,
        scrub.first,
        scrub.first + scrub.bytes,
        text.link.get(),
        text.link.get() + text.bytes
    ))
}
