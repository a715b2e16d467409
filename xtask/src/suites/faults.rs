//! Faults of the hypervisor itself, provoked one class at a time: each report must name the region and its line.
//!
//! A few instructions are written over a function that every boot reaches; all else is the image that ships. What a
//! report must say is worked out from the plan's addresses and from the board file's own text.

mod aarch64;
mod owner;
pub(super) mod patch;
mod x86_64;

use codegen::model::Arch;
use codegen::plan::{Access, Plan};
use paging::VirtAddr;

use super::variants::Variant;
use super::{Bench, LIMIT, variants};
use crate::boards::BoardFile;
use crate::build::Built;
use crate::cli::Profile;
use crate::emulator::{self, Outcome, Show};
use crate::failure::Failure;

use owner::Owners;
use patch::Place;

/// What every report begins with.
const REPORT: &str = "tabula: fault: ";

/// What is done to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Read,
    Write,
    Fetch,
}

/// Why it must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Unmapped,
    Forbidden,
}

/// Instructions that fail.
#[derive(Debug, Clone)]
struct Code {
    bytes: Vec<u8>,
    /// What the report must give as the program counter.
    counter: Counter,
}

#[derive(Debug, Clone, Copy)]
enum Counter {
    /// Bytes from the first instruction.
    Inside(usize),
    /// Where the instructions went.
    At(VirtAddr),
}

/// A fault, and what its report must say.
struct Fault {
    what: String,
    place: Place,
    code: Code,
    /// As the report may name it; more than one where the state of the machine decides.
    classes: Vec<String>,
    access: Option<(Attempt, VirtAddr)>,
}

/// How one architecture does what is common to both, and says what came of it.
struct Machine {
    counter_name: &'static str,
    touch: fn(Attempt, VirtAddr) -> Code,
    class: fn(Attempt, Reason) -> &'static str,
    /// Fills the stack until it is full; with the bytes that one step takes.
    overflow: fn() -> (Code, u64),
    /// An instruction that does not exist.
    undefined: fn() -> (Code, &'static str),
    /// Classes that only this architecture has; gets the plan and an address in no region.
    own: fn(&Plan, VirtAddr) -> Vec<Fault>,
}

pub(super) fn run(bench: &mut Bench<'_>) {
    for name in ["qemu-arm64", "qemu-x86_64"] {
        let board = variants::with_payload(bench.builder.project, name);
        let built = board.and_then(|board| build(bench, &board));
        match built {
            Ok((mut built, owners)) => provoke_all(bench, &mut built, &owners),
            Err(failure) => bench.job(format!("faults {name}"), Err(failure)),
        }
    }
    let result = inherited(bench);
    bench.job("fault on a board with a base: names the base's line", result);
}

fn build(bench: &Bench<'_>, board: &BoardFile) -> Result<(Built, Owners), Failure> {
    let built = bench.builder.build(board, Profile::Release)?;
    let owners = Owners::new(bench.builder.project, &built.planned.plan)?;
    Ok((built, owners))
}

fn provoke_all(bench: &mut Bench<'_>, built: &mut Built, owners: &Owners) {
    let plan = &built.planned.plan;
    let machine = machine(plan.board.arch);
    let mut faults = general(plan, &machine);
    faults.extend((machine.own)(plan, nowhere()));
    faults.extend(plan.regions.iter().map(|region| in_region(region, &machine)));
    let name = plan.board.name.clone();
    for fault in faults {
        let result = provoke(bench, built, owners, &fault);
        bench.job(format!("fault {name}: {}", fault.what), result);
    }
}

/// What a board does not say itself, its base's line owns.
fn inherited(bench: &Bench<'_>) -> Result<(), Failure> {
    let board = Variant::new("faults-base", "all of it inherited", "").write(bench.builder.project)?;
    let (mut built, owners) = build(bench, &board)?;
    let plan = &built.planned.plan;
    let fault = overflow(plan, &machine(plan.board.arch));
    provoke(bench, &mut built, &owners, &fault)
}

fn machine(arch: Arch) -> Machine {
    match arch {
        Arch::Aarch64 => aarch64::MACHINE,
        Arch::X86_64 => x86_64::MACHINE,
    }
}

/// The page behind page 0: what a null pointer to something large reaches.
fn nowhere() -> VirtAddr {
    VirtAddr::new(0x1008)
}

/// Classes that both architectures have.
fn general(plan: &Plan, machine: &Machine) -> Vec<Fault> {
    let touch = |what: &str, attempt, at, reason| touch(machine, what.to_owned(), attempt, at, reason);
    let section = |name: &str| {
        let section = plan.sections.iter().find(|section| section.name == name);
        section.expect("every plan has text, rodata and data").link
    };
    let undefined = |what: &str, place| {
        let (code, class) = (machine.undefined)();
        Fault { what: what.to_owned(), place, code, classes: vec![class.to_owned()], access: None }
    };
    vec![
        touch("read of no region", Attempt::Read, nowhere(), Reason::Unmapped),
        touch("write to no region", Attempt::Write, nowhere(), Reason::Unmapped),
        touch("fetch from no region", Attempt::Fetch, nowhere(), Reason::Unmapped),
        touch("read of the image's physical address", Attempt::Read, VirtAddr::new(plan.load.get()), Reason::Unmapped),
        touch("write to text", Attempt::Write, section("text"), Reason::Forbidden),
        touch("write to rodata", Attempt::Write, section("rodata"), Reason::Forbidden),
        touch("fetch from rodata", Attempt::Fetch, section("rodata"), Reason::Forbidden),
        touch("fetch from data", Attempt::Fetch, section("data"), Reason::Forbidden),
        overflow(plan, machine),
        undefined("an instruction that does not exist", Place::Boot),
        undefined("the same before the console is open", Place::BeforeConsole),
        undefined("the same on another CPU", Place::Secondary),
    ]
}

/// The stack grows into the guard below it.
fn overflow(plan: &Plan, machine: &Machine) -> Fault {
    let (code, step) = (machine.overflow)();
    let at = VirtAddr::new(plan.private.stack.get() - step);
    let classes = vec![(machine.class)(Attempt::Write, Reason::Unmapped).to_owned()];
    Fault { what: "a full stack".into(), place: Place::Boot, code, classes, access: Some((Attempt::Write, at)) }
}

/// What a region's permissions forbid: at its first byte where something is mapped, else at its last word.
fn in_region(region: &codegen::plan::VirtualRegion, machine: &Machine) -> Fault {
    let (attempt, reason) = match region.access {
        Access::Execute | Access::Read => (Attempt::Write, Reason::Forbidden),
        Access::ReadWrite | Access::Device => (Attempt::Fetch, Reason::Forbidden),
        Access::Guard => (Attempt::Read, Reason::Unmapped),
        Access::Window => (Attempt::Fetch, Reason::Unmapped),
    };
    let at = match reason {
        Reason::Forbidden => region.base,
        Reason::Unmapped => VirtAddr::new(region.base.get() + region.bytes - 8),
    };
    let mut fault = touch(machine, format!("{attempt:?} in `{}`", region.name).to_lowercase(), attempt, at, reason);
    if region.access == Access::Window {
        // Whether a slot is in use is the run's business; nobody may execute from it.
        fault.classes.push((machine.class)(attempt, Reason::Forbidden).to_owned());
    }
    fault
}

fn touch(machine: &Machine, what: String, attempt: Attempt, at: VirtAddr, reason: Reason) -> Fault {
    Fault {
        what,
        place: Place::Boot,
        code: (machine.touch)(attempt, at),
        classes: vec![(machine.class)(attempt, reason).to_owned()],
        access: Some((attempt, at)),
    }
}

/// Boots a copy of the image with the fault in it and compares the report; then takes the owners out of the report and
/// sees it refused.
fn provoke(bench: &Bench<'_>, built: &mut Built, owners: &Owners, fault: &Fault) -> Result<(), Failure> {
    let at = patch::apply(built, fault.place, &fault.code.bytes)?;
    let mut command = emulator::command(bench.builder.host, built, &[])?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    let counter = match fault.code.counter {
        Counter::Inside(offset) => VirtAddr::new(at.get() + offset as u64),
        Counter::At(at) => at,
    };
    let name = machine(built.planned.plan.board.arch).counter_name;
    let reports: Vec<_> = fault.classes.iter().map(|class| report(fault, class, owners, name, counter)).collect();
    judge(&outcome, &reports).map_err(|why| Failure::Run(format!("{why}\n{}", outcome.lines.join("\n"))))?;
    let bare = Outcome { lines: outcome.lines.iter().map(|line| without_owners(line)).collect(), ..outcome };
    match judge(&bare, &reports) {
        Err(_) => Ok(()),
        Ok(()) => Err(Failure::Run("a report without a line number would pass".into())),
    }
}

/// The line that must be printed.
fn report(fault: &Fault, class: &str, owners: &Owners, counter_name: &str, counter: VirtAddr) -> String {
    let mut line = format!("{REPORT}{class}, ");
    if let Some((attempt, at)) = fault.access {
        let word = match attempt {
            Attempt::Read => "read",
            Attempt::Write => "write",
            Attempt::Fetch => "fetch",
        };
        line += &format!("{word} at {at} in {}, ", owners.of(at));
    }
    line + &format!("{counter_name} {counter} in {}", owners.of(counter))
}

/// One report, the right one, and the machine is off behind it.
fn judge(outcome: &Outcome, right: &[String]) -> Result<(), String> {
    let reports: Vec<_> = outcome.lines.iter().filter(|line| line.starts_with(REPORT)).collect();
    match (&reports[..], outcome.status) {
        ([one], Some(status)) if right.contains(one) && status.success() => Ok(()),
        ([one], _) if right.contains(one) => Err("the machine did not switch itself off".to_owned()),
        _ => Err(format!("expected {}", right.join(" or "))),
    }
}

/// A line with nothing behind the names of files and no word of what is in no region.
fn without_owners(line: &str) -> String {
    let mut rest = line;
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once(".toml") {
        out += before;
        rest = after.find(')').map_or("", |end| &after[end..]);
    }
    (out + rest).replace("no region of the plan", "")
}
