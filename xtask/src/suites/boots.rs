//! Each board boots in its emulator to ordered lines, on all its CPUs; so does a board nobody has seen.

mod early;

use codegen::plan::PlannedDomain;

use super::variants::Variant;
use super::{Bench, LIMIT, Length, command_line, variants};
use crate::boards::{self, BoardFile};
use crate::build::Built;
use crate::cli::Profile;
use crate::emulator::{self, DOMAINS_OFF, NO_DOMAINS, Outcome, Show};
use crate::failure::Failure;

/// What the boot log's line of a device that no isolation holds begins with.
const HOLE: &str = "tabula: hole: ";

pub(super) fn run(bench: &mut Bench<'_>) {
    let boards = match boards::all(bench.builder.project) {
        Ok(boards) => boards,
        Err(failure) => return bench.job("boots", Err(failure)),
    };
    for board in boards.iter().filter(|board| bench.wants(&board.name)).collect::<Vec<_>>() {
        let logs = [Profile::Release, Profile::Debug].map(|profile| {
            let (lines, result) = match boot(bench, board, profile, &[]) {
                Ok(outcome) => (outcome.lines, Ok(())),
                Err(failure) => (Vec::new(), Err(failure)),
            };
            bench.job(format!("boot {} {}", board.name, profile.word()), result);
            lines
        });
        bench.test(format!("{}: checks cost PMAP no map", board.name), early::same_maps(&logs[0], &logs[1]));
    }
    if !bench.wants("others") {
        return;
    }
    for variant in variants::unseen(bench.length == Length::Long) {
        let result = variant.write(bench.builder.project).and_then(|board| boot(bench, &board, Profile::Release, &[]));
        bench.job(format!("boot unseen board: {}", variant.what), result.map(drop));
    }
    for (variant, machine) in variants::ram_of_firmware() {
        let result = variant
            .write(bench.builder.project)
            .and_then(|board| boot(bench, &board, Profile::Release, &machine.map(str::to_owned)));
        bench.job(format!("boot with RAM of firmware: {}", variant.what), result.map(drop));
    }
    for mismatch in variants::mismatches() {
        let result = refused(bench, &mismatch);
        bench.job(format!("mismatch: {}", mismatch.variant.what), result);
    }
    let result = holes(bench);
    bench.job("trusted devices: named by build and boot log", result);
    let result = el1(bench);
    bench.job("entered at EL1: says so on the console", result);
    let result = super::variants::grub(bench.builder).and_then(|outcome| {
        outcome.verdict()?;
        in_order(&outcome.lines, &["tabula: cpu 0 up".into(), "tabula: cpu 3 up".into(), NO_DOMAINS.into()])
    });
    bench.job("boot qemu-x86_64 from a GRUB disc by multiboot2", result);
}

/// A device that is trusted with all memory is named by the boot log and by what `build` prints, with its owner and
/// line; a board without one has no such line.
fn holes(bench: &Bench<'_>) -> Result<(), Failure> {
    let [one, other] =
        ["device nic can reach all memory, owner payload", "device disk can reach all memory, owner none"];
    let text = "[[device]]\nname = \"nic\"\ndma = \"trusted\"\n\n[[device]]\nname = \"disk\"\ndma = \"trusted\"\n\n\
                [[device]]\nname = \"gpio\"\ndma = \"none\"\n\n\
                [[domain]]\nname = \"payload\"\ndevices = [\"nic\", \"gpio\"]\n";
    let board = Variant::new("trusted-dma", "trusted devices", text).write(bench.builder.project)?;
    let source = std::fs::read_to_string(bench.builder.project.root().join(&board.path))
        .map_err(|error| Failure::file("read", &board.path, &error))?;
    let lines = source.lines().enumerate().filter(|(_, line)| line.contains("trusted\""));
    let lines: Vec<_> = lines.map(|(number, _)| format!("({}:{})", board.path.display(), number + 1)).collect();
    let expected = [format!("{HOLE}{one} {}", lines[0]), format!("{HOLE}{other} {}", lines[1])];
    let outcome = boot(bench, &board, Profile::Release, &[])?;
    let said: Vec<_> = outcome.lines.iter().filter(|line| line.starts_with(HOLE)).collect();
    let path = board.path.display().to_string();
    let printed = command_line::output(bench, &["build", "-p", &path]).map_err(Failure::Run)?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    let missing = expected.iter().find(|line| !printed.contains(line.trim_start_matches("tabula: ")));
    match (said == expected.iter().collect::<Vec<_>>(), missing) {
        (true, None) => Ok(()),
        (false, _) => Err(Failure::Run(format!("expected {expected:#?}, the boot log has {said:#?}"))),
        (true, Some(line)) => Err(Failure::Run(format!("`build` does not print {line}\n{printed}"))),
    }
}

/// Builds, boots and compares with the lines that the plan promises.
pub(super) fn boot(
    bench: &Bench<'_>,
    board: &BoardFile,
    profile: Profile,
    extra: &[String],
) -> Result<Outcome, Failure> {
    let built = bench.builder.build(board, profile)?;
    let mut command = emulator::command(bench.builder.host, &built, extra)?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    let judged = outcome.verdict().and_then(|()| in_order(&outcome.lines, &promised(&built)));
    let domains = built.planned.plan.domains.iter();
    let judged = judged.and_then(|()| domains.map(of_domain).try_for_each(|lines| in_order(&outcome.lines, &lines)));
    let judged = judged.and_then(|()| as_many_holes(&outcome.lines, &built));
    judged.map_err(|failure| Failure::Run(format!("{}\n{}", failure.text(), outcome.lines.join("\n"))))?;
    Ok(outcome)
}

/// No hole is reported that the plan does not have.
fn as_many_holes(lines: &[String], built: &Built) -> Result<(), Failure> {
    let (said, planned) = (lines.iter().filter(|line| line.starts_with(HOLE)).count(), built.planned.plan.holes.len());
    match said == planned {
        true => Ok(()),
        false => Err(Failure::Run(format!("{said} lines `{HOLE}…`, the plan has {planned}"))),
    }
}

/// The lines of a good boot, in order; each stands for the line that begins with it.
fn promised(built: &Built) -> Vec<String> {
    let plan = &built.planned.plan;
    let mut lines = vec![format!("tabula: Tabula {}", env!("CARGO_PKG_VERSION"))];
    lines.extend(plan.holes.iter().map(|hole| format!("{HOLE}device {} can reach all memory, owner ", hole.device)));
    lines.push("tabula: directmap: ".to_owned());
    lines.push("tabula: pmap retired".to_owned());
    lines.extend((0..plan.board.cpus.cores.len()).map(|cpu| format!("tabula: cpu {cpu} up, root ")));
    lines.push(if plan.domains.is_empty() { NO_DOMAINS } else { DOMAINS_OFF }.to_owned());
    lines
}

/// The lines of one domain with the built-in guest; those of several come in between each other.
fn of_domain(domain: &PlannedDomain) -> Vec<String> {
    let name = &domain.name;
    // A line that names its domain itself is not named again.
    let said =
        |text: &str| if name == "payload" { format!("payload: {text}") } else { format!("{name}: payload: {text}") };
    vec![
        said("hello from EL1"),
        said("device tree at "),
        said("mmu on"),
        format!("tabula: domain {name}: powered off"),
        format!("tabula: domain {name}: destroyed, 0 frames lost, "),
        DOMAINS_OFF.to_owned(),
    ]
}

/// Whether lines with these beginnings come in this order.
pub(super) fn in_order(lines: &[String], beginnings: &[String]) -> Result<(), Failure> {
    let mut rest = lines.iter();
    for beginning in beginnings {
        if !rest.any(|line| line.starts_with(beginning.as_str())) {
            return Err(Failure::Run(format!("no line `{beginning}…` in its place")));
        }
    }
    Ok(())
}

/// A machine that is not the one in the board file is refused, naming the key.
fn refused(bench: &Bench<'_>, mismatch: &variants::Mismatch) -> Result<(), Failure> {
    let board = mismatch.variant.write(bench.builder.project)?;
    let built = bench.builder.build(&board, Profile::Release)?;
    let mut command = emulator::command(bench.builder.host, &built, &mismatch.arguments)?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    let named = outcome.lines.iter().any(|line| line.starts_with("tabula: mismatch: ") && line.contains(mismatch.key));
    match named && outcome.verdict().is_err() {
        true => Ok(()),
        false => Err(Failure::Run(format!("no mismatch line names {}\n{}", mismatch.key, outcome.lines.join("\n")))),
    }
}

fn el1(bench: &Bench<'_>) -> Result<(), Failure> {
    let board = variants::with_payload(bench.builder.project, "qemu-arm64")?;
    let built = bench.builder.build(&board, Profile::Release)?;
    let machine = ["-M", "virtualization=off"].map(str::to_owned);
    let mut command = emulator::command(bench.builder.host, &built, &machine)?;
    let says = |line: &str| line.starts_with("tabula: ") && line.contains("EL1") && line.contains("boot.entry-el");
    let outcome = emulator::run_until(&mut command, LIMIT, says)?;
    match outcome.lines.iter().any(|line| says(line)) {
        true => Ok(()),
        false => Err(Failure::Run(format!("no line names EL1 and boot.entry-el\n{}", outcome.lines.join("\n")))),
    }
}
