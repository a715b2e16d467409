//! Several domains at a time, several vCPUs a domain, more vCPUs than CPUs: all work, none loses a register or a frame.

use super::boots::in_order;
use super::variants::{Variant, cores};
use super::{Bench, LIMIT};
use crate::cli::Profile;
use crate::emulator::{self, DOMAINS_OFF, Show};
use crate::failure::Failure;

/// Ticks that the shortest boot takes many times over.
const BOOT_TICKS: i64 = 1000;

/// A board, and what its domains are called.
struct Case {
    variant: Variant,
    domains: &'static [&'static str],
    vcpus: u32,
    /// What is said besides: where pinned ones ran.
    says: &'static [&'static str],
}

pub(super) fn run(bench: &mut Bench<'_>) {
    for case in cases() {
        for profile in [Profile::Release, Profile::Debug] {
            let result = one(bench, &case, profile);
            bench.job(format!("together: {} {}", case.variant.what, profile.word()), result);
        }
    }
}

fn cases() -> [Case; 4] {
    let first = |vcpus: u32| format!("[[domain]]\nname = \"payload\"\nvcpus = {vcpus}\n\n");
    let second = "[[domain]]\nname = \"second\"\nvcpus = 2\nmemory = { base = 0x4000_0000, size = \"16 MiB\" }\n\
                  kernel = \"payload\"\nkernel-max = \"64 KiB\"\nconsole = \"hypercall\"\n";
    let (both, two_of_each) = (&["payload", "second"], first(2) + second);
    let pinned = format!("{}cpus = [2, 2]\n\n[[domain]]\nname = \"payload\"\nvcpus = 2\ncpus = [3, 2]\n", second);
    [
        Case {
            variant: Variant::new("together-4", "two domains with 2 vCPUs each on 4 CPUs", &two_of_each),
            domains: both,
            vcpus: 2,
            says: &[],
        },
        Case {
            variant: Variant::new("together-2", "4 vCPUs on 2 CPUs", &(cores(2) + &first(4))),
            domains: &both[..1],
            vcpus: 4,
            says: &[],
        },
        Case {
            variant: Variant::new("together-1", "two domains with 2 vCPUs each on 1 CPU", &(cores(1) + &two_of_each)),
            domains: both,
            vcpus: 2,
            says: &[],
        },
        Case {
            variant: Variant::new("together-pinned", "two domains with 2 vCPUs each, pinned to 2 of 4 CPUs", &pinned),
            domains: both,
            vcpus: 2,
            says: &["tabula: domain payload: ran on CPUs 2 3", "tabula: domain second: ran on CPUs 2"],
        },
    ]
}

fn one(bench: &Bench<'_>, case: &Case, profile: Profile) -> Result<(), Failure> {
    let board = case.variant.write(bench.builder.project)?;
    let built = bench.builder.build(&board, profile)?;
    let mut command = emulator::command(bench.builder.host, &built, &[])?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    let judged = outcome.verdict().and_then(|()| judge(case, &outcome.lines));
    judged.map_err(|failure| Failure::Run(format!("{}\n{}", failure.text(), outcome.lines.join("\n"))))
}

fn judge(case: &Case, lines: &[String]) -> Result<(), Failure> {
    let worked = format!("payload: {} processors worked, 0 lost a register, all but one are off", case.vcpus);
    for name in case.domains {
        // A line that names its domain itself is not named again.
        let said = |text: &str| if *name == "payload" { text.to_owned() } else { format!("{name}: {text}") };
        let expected = [
            said("payload: hello from EL1"),
            said("payload: virtual time began at tick "),
            said(&worked),
            format!("tabula: domain {name}: powered off"),
            format!("tabula: domain {name}: destroyed, 0 frames lost, "),
            DOMAINS_OFF.to_owned(),
        ];
        in_order(lines, &expected)?;
    }
    let began = lines.iter().filter_map(|line| line.split_once("payload: virtual time began at tick ")?.1.parse().ok());
    let began: Vec<i64> = began.collect();
    // Each domain's starts with it: the boot before it takes longer than two reads of a counter.
    if !began.iter().all(|tick| *tick > BOOT_TICKS) || began.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Failure::Run(format!("virtual times that began at {began:?}")));
    }
    if let Some(missing) = case.says.iter().find(|line| !lines.iter().any(|said| said == **line)) {
        return Err(Failure::Run(format!("no line `{missing}`")));
    }
    let hellos = lines.iter().take_while(|line| !line.ends_with(": powered off"));
    let hellos = hellos.filter(|line| line.ends_with("payload: hello from EL1")).count();
    match hellos == case.domains.len() {
        true => Ok(()),
        false => Err(Failure::Run(format!("{hellos} domains began before the first one ended"))),
    }
}
