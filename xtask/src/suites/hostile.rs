//! Guests that mean harm: each gets an error code, or ends; the hypervisor goes on and switches the machine off.
//!
//! A program of a few instructions takes the payload's place, with its own length and sum in the manifest; the
//! rest is as it ships. Both flavours run: the debug one notices what wraps.

mod beside;
mod interrupts;
mod program;
mod random;

use codegen::plan::{BlobKind, Plan};

use super::{Bench, LIMIT, Length, a64, variants};
use crate::build::Built;
use crate::cli::Profile;
use crate::emulator::{self, DOMAINS_OFF, Outcome, Show};
use crate::failure::Failure;
use crate::manifest;

/// The last line where a domain did not switch itself off.
const NOT_ALL_OFF: &str = "tabula: not every domain switched itself off; powering off";
/// What lines of a hypervisor begin with that did not get past a guest.
const DEFEATED: [&str; 3] = ["tabula: panic: ", "tabula: fault: ", "tabula: mismatch: "];

/// A guest, and what must come of it.
struct Attack {
    what: String,
    words: Vec<u32>,
    end: End,
}

/// What must come of a guest.
enum End {
    /// It switches itself off: everything was answered as it should be.
    Off,
    /// The same, and this line was printed for it.
    OffAfter(String),
    /// It is stopped, with a line that begins like this behind the domain's name.
    Stopped(String),
    /// It asked for what no board provides.
    Reset,
    /// It switches itself off, or is stopped with a reason.
    Any,
}

pub(super) fn run(bench: &mut Bench<'_>) {
    for profile in [Profile::Release, Profile::Debug] {
        let board = variants::with_payload(bench.builder.project, "qemu-arm64");
        match board.and_then(|board| bench.builder.build(&board, profile)) {
            Ok(mut built) => {
                let plan = &built.planned.plan;
                let attacks = program::all(plan).into_iter().chain(random::all(plan, seeds(bench.length)));
                for attack in attacks.collect::<Vec<_>>() {
                    let result = attack_with(bench, &mut built, &attack);
                    bench.job(format!("hostile guest, {}: {}", profile.word(), attack.what), result);
                }
            }
            Err(failure) => bench.job(format!("hostile {}", profile.word()), Err(failure)),
        }
        beside::run(bench, profile);
    }
}

/// Programs of each random kind.
fn seeds(length: Length) -> u64 {
    match length {
        Length::Short => 2,
        Length::Long => 40,
    }
}

fn attack_with(bench: &Bench<'_>, built: &mut Built, attack: &Attack) -> Result<(), Failure> {
    attack_beside(bench, built, attack, |_| Ok(()))
}

/// The same, and what others say is judged too.
fn attack_beside(
    bench: &Bench<'_>,
    built: &mut Built,
    attack: &Attack,
    others: impl FnOnce(&[String]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    replace_kernel(built, &a64::bytes(&attack.words))?;
    let mut command = emulator::command(bench.builder.host, built, &[])?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    judge(&built.planned.plan, &outcome, &attack.end)
        .and_then(|()| others(&outcome.lines).map_err(|failure| failure.to_string()))
        .map_err(|why| Failure::Run(format!("{why}\n{}", outcome.lines.join("\n"))))
}

/// Puts another kernel into the first domain, and its measures into the manifest.
fn replace_kernel(built: &mut Built, kernel: &[u8]) -> Result<(), Failure> {
    let index = built.planned.plan.blobs.iter().position(|blob| blob.kind == BlobKind::Kernel);
    let index = index.ok_or_else(|| Failure::Usage("the board has no guest".into()))?;
    let blob = &mut built.manifest.blobs[index];
    *blob = manifest::entry(&blob.name, "hostile-kernel.bin", blob.load, kernel);
    let page = manifest::page(&built.manifest.blobs)?;
    let load = built.manifest.page.load;
    built.manifest.page = manifest::entry("manifest", "hostile-manifest.bin", load, &page);
    for (name, data) in [("hostile-kernel.bin", kernel), ("hostile-manifest.bin", &page)] {
        let path = built.folder.join(name);
        std::fs::write(&path, data).map_err(|error| Failure::file("write", &path, &error))?;
    }
    Ok(())
}

fn judge(plan: &Plan, outcome: &Outcome, end: &End) -> Result<(), String> {
    let begins = |text: &str| outcome.lines.iter().any(|line| line.starts_with(text));
    if let Some(text) = DEFEATED.iter().find(|text| begins(text)) {
        return Err(format!("a line begins with `{text}`"));
    }
    if !outcome.status.is_some_and(|status| status.success()) {
        return Err("the machine did not switch itself off".to_owned());
    }
    let name = plan.domains.first().map_or("", |domain| &domain.name);
    let of_domain = |text: &str| format!("tabula: domain {name}: {text}");
    let expected = match end {
        End::Off => vec![of_domain("powered off"), DOMAINS_OFF.to_owned()],
        End::OffAfter(line) => vec![line.clone(), of_domain("powered off"), DOMAINS_OFF.to_owned()],
        End::Stopped(why) => vec![of_domain(why), of_domain("stopped"), NOT_ALL_OFF.to_owned()],
        End::Any if begins(&of_domain("powered off")) => vec![of_domain("powered off"), DOMAINS_OFF.to_owned()],
        End::Any => vec![of_domain(""), of_domain("stopped"), NOT_ALL_OFF.to_owned()],
        End::Reset => vec![of_domain("asked for a reset; it stays off"), NOT_ALL_OFF.to_owned()],
    };
    super::boots::in_order(&outcome.lines, &expected).map_err(|failure| failure.to_string())?;
    let ends = outcome.lines.iter().filter(|line| *line == DOMAINS_OFF || *line == NOT_ALL_OFF).count();
    if ends == 1 { Ok(()) } else { Err(format!("{ends} lines that only the hypervisor's end has")) }
}
