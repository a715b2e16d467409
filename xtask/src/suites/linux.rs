//! Unmodified Debian kernels as domains, to their markers: on each console.
//!
//! Without a network and with nothing kept, every test of it fails: a check that did not run is no check.

use super::{Bench, LIMIT, variants};
use crate::boards::{self, BoardFile};
use crate::build::Builder;
use crate::cli::Profile;
use crate::emulator::{self, DOMAINS_OFF, Show};
use crate::failure::Failure;
use crate::guests::Guest as Packed;

/// A guest as its board file has it.
#[derive(Clone, Copy)]
struct Guest {
    name: &'static str,
    vcpus: u32,
    console: Console,
}

#[derive(Clone, Copy)]
enum Console {
    /// Xen's.
    Hypercall,
    /// Emulated.
    Pl011,
}

/// A board and its guests.
struct Case {
    what: &'static str,
    board: &'static str,
    /// Whose guests they are.
    place: Place,
    guests: &'static [Guest],
}

#[derive(Clone, Copy)]
enum Place {
    /// The board's, as it ships.
    Shipped,
    /// They are put in the place of the board's.
    Variant,
}

const fn guest(name: &'static str, vcpus: u32, console: Console) -> Guest {
    Guest { name, vcpus, console }
}

const TWO_BY_TWO: &[Guest] = &[guest("linux0", 2, Console::Hypercall), guest("linux1", 2, Console::Pl011)];
const TWO: &[Guest] = &[guest("linux0", 1, Console::Hypercall), guest("linux1", 1, Console::Pl011)];

const CASES: [Case; 3] = [
    Case { what: "a vCPU each", board: "qemu-arm64", place: Place::Variant, guests: TWO },
    Case { what: "two vCPUs each, as the board ships", board: "qemu-arm64", place: Place::Shipped, guests: TWO_BY_TWO },
    Case { what: "the same with a GICv2", board: "qemu-arm64-gicv2", place: Place::Shipped, guests: TWO_BY_TWO },
];

pub(super) fn run(bench: &mut Bench<'_>) {
    for case in &CASES {
        let result = boot(bench, case);
        bench.job(format!("two Debian kernels, {}", case.what), result);
    }
    let result = reboots(bench);
    bench.job("a Debian kernel that reboots comes to its marker again", result);
}

/// A kernel that reboots whenever it has come to its marker comes there again.
fn reboots(bench: &Bench<'_>) -> Result<(), Failure> {
    let guest = guest("linux0", 1, Console::Hypercall);
    let text = guest.text().replace("console=hvc0", "console=hvc0 tabula.reboot");
    let text = text.trim_end().to_owned() + "\non-reboot = \"restart\"\n";
    let board = variants::with_guests(bench.builder.project, "qemu-arm64", "linux-reboots", &text)?;
    let builder = Builder { guest: Packed::Described, ..bench.builder };
    let built = builder.build(&board, Profile::Release)?;
    let lives = std::cell::Cell::new(0);
    let again = |line: &str| {
        lives.set(lives.get() + u32::from(line == "linux0: marker"));
        lives.get() == 2
    };
    let outcome = emulator::run_until(&mut emulator::command(bench.builder.host, &built, &[])?, LIMIT, again)?;
    let life = ["-cloud-arm64 on 1 cpus", "linux0: load done, 4 rounds", "linux0: marker"];
    let end = ["tabula: domain linux0: reboots", "tabula: domain linux0: destroyed, 0 frames lost, "];
    let expected: Vec<_> = life.into_iter().chain(end).chain(life).map(str::to_owned).collect();
    in_order(&outcome.lines, &expected)
        .map_err(|failure| Failure::Run(format!("{}\n{}", failure.text(), outcome.lines.join("\n"))))
}

fn boot(bench: &Bench<'_>, case: &Case) -> Result<(), Failure> {
    let project = bench.builder.project;
    let board = match case.place {
        Place::Shipped => boards::resolve_one(project, project.root(), case.board)?,
        Place::Variant => write(bench, case)?,
    };
    let builder = Builder { guest: Packed::Described, ..bench.builder };
    let built = builder.build(&board, Profile::Release)?;
    let mut command = emulator::command(bench.builder.host, &built, &[])?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    let judged = outcome
        .verdict()
        .and_then(|()| case.guests.iter().try_for_each(|guest| in_order(&outcome.lines, &promised(guest))));
    judged.map_err(|failure| Failure::Run(format!("{}\n{}", failure.text(), outcome.lines.join("\n"))))
}

/// What a guest says from its first process to its end, in order; each stands for a line that holds it.
fn promised(guest: &Guest) -> Vec<String> {
    let Guest { name, vcpus, console } = guest;
    let console = console.device();
    vec![
        format!("-cloud-arm64 on {vcpus} cpus"),
        format!("{name}: memory "),
        format!("{name}: cpuinfo processor\t: {}", vcpus - 1),
        format!("{name}: hypervisor xen"),
        format!("{name}: console {console}"),
        format!("{name}: load done, 4 rounds"),
        format!("{name}: marker"),
        format!("tabula: domain {name}: powered off"),
        DOMAINS_OFF.to_owned(),
    ]
}

fn in_order(lines: &[String], parts: &[String]) -> Result<(), Failure> {
    let mut rest = lines.iter();
    for part in parts {
        if !rest.any(|line| line.contains(part.as_str())) {
            return Err(Failure::Run(format!("no line with `{part}` in its place")));
        }
    }
    Ok(())
}

/// The base with these guests in the place of its own.
fn write(bench: &Bench<'_>, case: &Case) -> Result<BoardFile, Failure> {
    let parts: Vec<_> = case.guests.iter().map(|guest| format!("{}{}", guest.vcpus, guest.console.word())).collect();
    let name = format!("linux-{}-{}", case.board, parts.join("-"));
    let guests: String = case.guests.iter().map(Guest::text).collect();
    variants::with_guests(bench.builder.project, case.board, &name, &guests)
}

impl Console {
    const fn word(self) -> &'static str {
        match self {
            Self::Hypercall => "hypercall",
            Self::Pl011 => "pl011",
        }
    }

    /// What Linux calls it.
    const fn device(self) -> &'static str {
        match self {
            Self::Hypercall => "hvc0",
            Self::Pl011 => "ttyAMA0",
        }
    }
}

impl Guest {
    /// Its part of a board file.
    fn text(&self) -> String {
        let Self { name, vcpus, console } = self;
        format!(
            "[[domain]]\nname = \"{name}\"\nvcpus = {vcpus}\n\
             memory = {{ base = 0x4000_0000, size = \"192 MiB\" }}\n\
             kernel = \"debian-cloud\"\nkernel-max = \"64 MiB\"\n\
             initrd = \"busybox\"\ninitrd-max = \"4 MiB\"\n\
             command-line = \"console={}\"\nconsole = \"{}\"\n\n",
            console.device(),
            console.word()
        )
    }
}
