//! Counting what Linux domains cost: unmodified kernels, from the hypervisor's entry to the last domain's end.
//!
//! One CPU; the plugin counts instructions by address, the emulator's log of exceptions says why guests left. The script
//! in the initial RAM disk switches off right behind its marker, so that a domain's end stands for it. Reads no clock.

mod boards;
mod budgets;
mod exits;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use super::counter::{self, REPEATABLE, SCRUB_SYMBOL, count, function};
use super::machine;
use crate::build::{Builder, Built, names};
use crate::cli::Profile;
use crate::emulator::{self, LIMIT, Show};
use crate::failure::Failure;
use crate::guests::{self, Guest};

pub use boards::{CASES, Case};
pub use budgets::Verdict;

/// The function that every domain's end comes through, as its mangled name spells it.
const ENDED: &str = "6domain3run5ended";
/// EL2's vectors; from a lower level with AArch64 come synchronous exceptions, then interrupts. Arm ARM (DDI 0487),
/// "Exception vectors".
const VECTORS: &str = "tabula_vectors";
const SYNCHRONOUS: u64 = 0x400;
const INTERRUPT: u64 = 0x480;

/// Everything.
#[derive(Debug, Serialize)]
pub struct Linux {
    /// Machine, CPU and RAM.
    pub machine: String,
    /// The guests' files.
    pub guests: Vec<String>,
    /// Each board.
    pub runs: Vec<Run>,
}

/// One board's run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Its name.
    pub name: &'static str,
    /// What it has, in a phrase.
    pub what: &'static str,
    /// The hypervisor's instructions before the first guest's first one, clearing memory apart.
    pub entry: u64,
    /// Instructions that cleared memory before that.
    pub scrub: u64,
    /// The hypervisor's instructions from there to the last domain's end, clearing memory apart.
    pub after: u64,
    /// Everybody else's meanwhile: the guests'.
    pub guests: u64,
    /// How often a guest left, by the vectors it arrived at.
    pub exits: u64,
    /// How often and why, by the emulator's log of the whole run.
    pub reasons: BTreeMap<String, u64>,
}

/// Counts every case.
pub fn linux(builder: &Builder<'_>) -> Result<Linux, Failure> {
    let builder = &Builder { guest: Guest::Described, ..*builder };
    let mut linux = Linux { machine: String::new(), guests: Vec::new(), runs: Vec::new() };
    for case in &CASES {
        let (machine, run) = run(builder, case)?;
        linux.machine = machine;
        linux.runs.push(run);
    }
    linux.guests = guests::debian(builder.project, builder.host)?;
    Ok(linux)
}

/// Counts one case; says of which machine.
fn run(builder: &Builder<'_>, case: &Case) -> Result<(String, Run), Failure> {
    let built = builder.build(&case.board(builder.project)?, Profile::Release)?;
    let [out, log] = ["instructions.txt", "exceptions.txt"].map(|name| built.folder.join(name));
    for path in [&out, &log] {
        if path.exists() {
            std::fs::remove_file(path).map_err(|error| Failure::file("remove", path, &error))?;
        }
    }
    let plugin = counter::plugin(builder.project)?;
    let plugin = format!("{},out={}{}", plugin.display(), out.display(), ranges(&built)?);
    let mut extra: Vec<String> = REPEATABLE.map(str::to_owned).to_vec();
    extra.extend(["-plugin".into(), plugin, "-d".into(), "int".into(), "-D".into(), log.display().to_string()]);
    let mut command = emulator::command(builder.host, &built, &extra)?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    outcome.verdict()?;
    let read = |path| std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error));
    let counts = read(&out)?;
    let first = snapshot(&counts, |phase| phase == "stop")?;
    let last = snapshot(&counts, |phase| phase == "lap")?;
    let run = Run {
        name: case.name,
        what: case.what,
        entry: first.entry + first.text,
        scrub: first.scrub,
        after: last.text - first.text,
        guests: last.other - first.other,
        exits: last.exits,
        reasons: exits::by_reason(&read(&log)?),
    };
    Ok((machine(&built), run))
}

/// The plugin's figures at a moment.
struct Snapshot {
    entry: u64,
    text: u64,
    scrub: u64,
    other: u64,
    exits: u64,
}

/// The figures of the last line of a phase.
fn snapshot(counts: &str, wanted: impl Fn(&str) -> bool) -> Result<Snapshot, Failure> {
    let line = counts.lines().rev().find(|line| line.split(' ').next().is_some_and(&wanted)).unwrap_or_default();
    let at = |name: &str| {
        count(line, name).ok_or_else(|| Failure::Run(format!("the counter reported no `{name}`: did a guest run?")))
    };
    Ok(Snapshot {
        entry: at("entry")?,
        text: at("text")?,
        scrub: at("scrub")?,
        other: at("other")?,
        exits: at("synchronous")? + at("interrupt")?,
    })
}

/// First match counts, so the scrub routine comes before the text it lies in.
fn ranges(built: &Built) -> Result<String, Failure> {
    let plan = &built.planned.plan;
    let elf = built.folder.join(names::ELF);
    let text = plan.sections.iter().find(|section| section.name == "text");
    let text = text.ok_or_else(|| Failure::Mismatch("the plan has no text".into()))?;
    let kernel = plan.blobs.first().ok_or_else(|| Failure::Usage("the board has no guest to start".into()))?;
    let scrub = function(&elf, |name| name == SCRUB_SYMBOL, "to count apart")?;
    let ended = function(&elf, |name| name.contains(ENDED), "that domains end through")?;
    let vectors = function(&elf, |name| name == VECTORS, "of its vectors")?;
    let (link, load) = (text.link.get(), text.base.get());
    Ok(format!(
        ",range=scrub:{:x}:{:x},range=text:{link:x}:{:x},range=entry:{load:x}:{:x},call=synchronous:{:x},\
         call=interrupt:{:x},stop={:x}:text,lap={:x}",
        scrub.first,
        scrub.first + scrub.bytes,
        link + text.bytes,
        load + paging::PAGE_BYTES,
        vectors.first + SYNCHRONOUS,
        vectors.first + INTERRUPT,
        kernel.ipa.get(),
        ended.first,
    ))
}

#[cfg(test)]
mod tests {
    use super::snapshot;

    #[test]
    fn the_last_line_of_a_phase_counts() {
        let counts = "stop scrub=1 text=20 entry=3 synchronous=0 interrupt=1 other=6\n\
                      lap scrub=1 text=30 entry=3 synchronous=5 interrupt=2 other=100\n\
                      lap scrub=9 text=40 entry=3 synchronous=6 interrupt=2 other=200\n\
                      exit scrub=99 text=99 entry=99 synchronous=99 interrupt=99 other=999\n";
        let last = snapshot(counts, |phase| phase == "lap").expect("it is there");
        assert_eq!((last.text, last.scrub, last.exits, last.other), (40, 9, 8, 200));
        assert!(snapshot(counts, |phase| phase == "start").is_err());
    }
}
