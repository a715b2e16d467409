//! What a running hypervisor can reach: the machine is stopped, each CPU's live tables are walked over its RAM.
//!
//! Guests plant secrets that are fresh at each run; an audit in which they are not found is void, and so is one whose
//! control, the same board with all RAM mapped, does not reach them. What could not be sampled is a failure, never a gap.

mod dump;
mod gdb;
mod machine;
mod qmp;
mod report;
mod sample;
mod secret;
mod verdict;

#[cfg(test)]
mod tests;

use std::time::Duration;

use codegen::model::{Arch, DirectmapPolicy, Kernel};

use crate::boards::{self, BoardFile};
use crate::build::{Builder, Built, names};
use crate::cli::Profile;
use crate::failure::Failure;
use crate::guests::Guest;
use crate::planned::Planned;
use crate::symbols;

use machine::{Machine, Place};
pub use report::Report;
pub use sample::{Context, Cpu, Stop};

/// What the guests' command lines end in: the built-in guest and the initial RAM disk plant secrets when they read it.
const WORD: &str = "tabula.audit";
/// Longest wait until every guest has planted its secrets.
const PLANTING: Duration = Duration::from_secs(60);
/// The gaps between stops, one after the other: no divisor of any period in a guest.
const GAPS_MS: [u64; 7] = [61, 137, 229, 83, 173, 307, 41];

/// A machine that was looked at.
#[derive(Debug)]
pub struct Run {
    /// The board and its plan.
    pub planned: Planned,
    /// What the guests said they planted.
    pub planted: Vec<secret::Planted>,
    /// What each stop showed.
    pub stops: Vec<Stop>,
    /// How many of them were to be placed in a copy.
    pub copies: usize,
}

/// The function that copies from one frame to another, as its mangled name spells it.
const COPY: [&str; 2] = ["this_cpu..ThisCpu", "Machine$GT$4copy17h"];
/// One stop in so many is placed in a copy, where guests copy.
const COPY_EVERY: usize = 4;

/// Audits a board: `stops` looks at it as it is, and a few at its control.
pub fn audit(builder: &Builder<'_>, board: &BoardFile, profile: Profile, stops: usize) -> Result<Report, Failure> {
    let planned = Planned::new(board, profile)?;
    if planned.plan.board.arch != Arch::Aarch64 {
        let text = format!("{} is not audited: registers are read on AArch64 only", planned.plan.board.name);
        return Err(Failure::Usage(text));
    }
    if planned.plan.domains.is_empty() {
        return Err(Failure::Usage(format!("{} has no domain that could plant a secret", planned.plan.board.name)));
    }
    let control = control(board, profile)?;
    let subject = look(builder, with_word(planned), profile, stops)?;
    let control = look(builder, with_word(control), profile, GAPS_MS.len().min(stops))?;
    Ok(Report::new(subject, control))
}

/// The same board with all RAM in the window.
fn control(board: &BoardFile, profile: Profile) -> Result<Planned, Failure> {
    let (mut loaded, _) = codegen::load(&board.path).map_err(|found| crate::planned::findings(&found))?;
    loaded.directmap.value = DirectmapPolicy::Full;
    loaded.name.push_str("-full");
    let plan = codegen::plan(&loaded, profile.flavour()).map_err(|found| crate::planned::findings(&found))?;
    let file = BoardFile { name: loaded.name.clone(), path: board.path.clone(), place: boards::Place::Elsewhere };
    Ok(Planned { file, plan })
}

/// The plan with the word on each guest's command line, which no generated file holds.
fn with_word(mut planned: Planned) -> Planned {
    for domain in &mut planned.plan.board.domains {
        domain.command_line = format!("{} {WORD}", domain.command_line).trim_start().to_owned();
    }
    planned
}

fn look(builder: &Builder<'_>, planned: Planned, profile: Profile, stops: usize) -> Result<Run, Failure> {
    let name = planned.plan.board.name.clone();
    // The built-in guest copies all the time.
    let domains = &planned.plan.board.domains;
    let copies = builder.guest == Guest::Payload || domains.iter().all(|domain| domain.kernel.value == Kernel::Payload);
    let built = builder.build_planned(planned, profile)?;
    let copy = copies.then(|| copy_address(&built)).transpose()?;
    let mut machine = Machine::start(builder, &built)?;
    let planted = machine.planted(built.planned.plan.domains.len(), PLANTING)?;
    let mut list = Vec::with_capacity(stops);
    for number in 0..stops {
        std::thread::sleep(Duration::from_millis(GAPS_MS[number % GAPS_MS.len()]));
        let place = match copy {
            Some(address) if number % COPY_EVERY == COPY_EVERY - 1 => Place::At(address),
            Some(_) | None => Place::Anywhere,
        };
        let stop = machine.stop(&built, &planted, place)?;
        eprintln!("xtask: {name}: stop {} of {stops}: {}", number + 1, stop.line());
        list.push(stop);
    }
    let copies = copy.map_or(0, |_| stops / COPY_EVERY);
    Ok(Run { planned: built.planned, planted, stops: list, copies })
}

/// Where the hypervisor begins to copy from one frame to another.
fn copy_address(built: &Built) -> Result<u64, Failure> {
    let elf = built.folder.join(names::ELF);
    let bytes = std::fs::read(&elf).map_err(|error| Failure::file("read", &elf, &error))?;
    let found = symbols::find(&bytes, |name| COPY.iter().all(|part| name.contains(part)))?;
    found
        .map(|function| function.first)
        .ok_or_else(|| Failure::Mismatch("the image has no function that copies".into()))
}
