//! `xtask audit` with the built-in guest: boards that keep their secrets, and one that does not.

use super::variants::{self, Variant};
use super::{Bench, Length};
use crate::audit::{self, Report};
use crate::boards::BoardFile;
use crate::cli::Profile;
use crate::failure::Failure;

/// Boards that are looked at, and how often; where time is short, the first.
const BOARDS: [&str; 3] = ["qemu-arm64", "qemu-arm64-gicv2", "zcu102"];
const STOPS: usize = 4;
const STOPS_LONG: usize = 20;
/// Stops of a machine with two guests: one in four is in a copy.
const STOPS_TWO: usize = 20;
/// Its guests.
const TWO: [&str; 2] = ["first", "second"];

pub(super) fn run(bench: &mut Bench<'_>) {
    let (boards, stops) = match bench.length {
        Length::Long => (&BOARDS[..], STOPS_LONG),
        Length::Short => (&BOARDS[..1], STOPS),
    };
    for board in boards {
        let found = variants::with_payload(bench.builder.project, board);
        let result = found.and_then(|board| audit(bench, &board, stops)).and_then(|report| report.verdict());
        bench.job(format!("audit {board}: its secrets are out of reach"), result);
    }
    for policy in ["none", "on-demand"] {
        let result = two(bench, policy).and_then(|report| report.verdict());
        bench.job(format!("audit of two guests under load, {policy}: {STOPS_TWO} stops, some in a copy"), result);
    }
    let result = reachable(bench);
    bench.job("audit of a board that maps all RAM: finds its secrets", result);
}

fn audit(bench: &Bench<'_>, board: &BoardFile, stops: usize) -> Result<Report, Failure> {
    audit::audit(&bench.builder, board, Profile::Release, stops)
}

/// A board with two guests that plant, call and copy.
fn two(bench: &Bench<'_>, policy: &str) -> Result<Report, Failure> {
    let name = format!("audit-two-{policy}");
    let guests: String = TWO.iter().map(|name| guest(name)).collect();
    let shipped = variants::with_guests(bench.builder.project, BOARDS[0], &name, &guests)?;
    let path = bench.builder.project.root().join(&shipped.path);
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let text = text.replace("policy = \"none\"", &format!("policy = \"{policy}\""));
    std::fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
    audit(bench, &shipped, STOPS_TWO)
}

fn guest(name: &str) -> String {
    format!(
        "[[domain]]\nname = \"{name}\"\nvcpus = 1\nmemory = {{ base = 0x4000_0000, size = \"16 MiB\" }}\n\
         kernel = \"payload\"\nkernel-max = \"64 KiB\"\nconsole = \"hypercall\"\n\n"
    )
}

/// The control of the whole audit: what it is looking for is found where it is.
fn reachable(bench: &Bench<'_>) -> Result<(), Failure> {
    let text = "[directmap]\npolicy = \"full\"\n";
    let board = Variant::new("audit-reachable", "all RAM mapped", text).write(bench.builder.project)?;
    match audit(bench, &board, 1)?.verdict() {
        Err(failure) if failure.text().contains(" (directmap)") => Ok(()),
        Err(failure) => Err(failure),
        Ok(()) => Err(Failure::Run("secrets in the directmap window went unnoticed".into())),
    }
}
