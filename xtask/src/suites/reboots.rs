//! Domains that reboot, and domains that crash beside others: no frame is lost, nobody else notices.
//!
//! Counts what the hypervisor says after each end, and compares: a frame that leaks shows in what is free.

use super::variants::Variant;
use super::{Bench, LIMIT, boots};
use crate::cli::Profile;
use crate::emulator::{self, DOMAINS_OFF, Outcome, Show};
use crate::failure::Failure;

/// Reboots that the built-in guest counts to.
const REBOOTS: usize = 20;
/// What is said of the domain's end, before and after the number of frames that are free.
const DESTROYED: &str = "tabula: domain payload: destroyed, 0 frames lost, ";
const FREE: &str = " free";

pub(super) fn run(bench: &mut Bench<'_>) {
    for profile in [Profile::Release, Profile::Debug] {
        let result = reboots(bench, profile);
        bench.job(format!("{REBOOTS} reboots lose no frame: {}", profile.word()), result);
        let result = crash(bench, profile);
        bench.job(format!("a domain crashes, the other goes on: {}", profile.word()), result);
    }
}

/// Two domains with the built-in guest in these roles.
fn board(name: &str, on_reboot: &str, roles: [&str; 2]) -> Variant {
    let [first, second] = roles;
    let text = format!(
        "[[domain]]\nname = \"payload\"\nvcpus = 2\ncommand-line = \"role={first}\"\non-reboot = \"{on_reboot}\"\n\n\
         [[domain]]\nname = \"second\"\nvcpus = 2\nmemory = {{ base = 0x4000_0000, size = \"16 MiB\" }}\n\
         kernel = \"payload\"\nkernel-max = \"64 KiB\"\nconsole = \"hypercall\"\ncommand-line = \"role={second}\"\n"
    );
    Variant::new(name, "two domains", &text)
}

fn boot(bench: &Bench<'_>, variant: &Variant, profile: Profile) -> Result<Outcome, Failure> {
    let board = variant.write(bench.builder.project)?;
    let built = bench.builder.build(&board, profile)?;
    emulator::run(&mut emulator::command(bench.builder.host, &built, &[])?, LIMIT, Show::Quiet)
}

fn reboots(bench: &Bench<'_>, profile: Profile) -> Result<(), Failure> {
    let outcome = boot(bench, &board("reboots", "restart", ["reboot", "count"]), profile)?;
    let judged = outcome.verdict().and_then(|()| all_came_back(&outcome.lines).map_err(Failure::Run));
    judged.map_err(|failure| Failure::Run(format!("{}\n{}", failure.text(), outcome.lines.join("\n"))))
}

/// As many reboots as were counted, and as many frames free after each as after the first.
fn all_came_back(lines: &[String]) -> Result<(), String> {
    let count = |text: &str| lines.iter().filter(|line| *line == text).count();
    let reboots = count("tabula: domain payload: reboots");
    if (reboots, count("tabula: domain payload: powered off")) != (REBOOTS, 1) {
        return Err(format!("{reboots} reboots, expected {REBOOTS} and then an end"));
    }
    let free: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix(DESTROYED)?.strip_suffix(FREE)).collect();
    // Behind the last end the other domain's may have come first, which frees more.
    match free.split_last() {
        Some((_, reboots)) if reboots.len() == REBOOTS && reboots.iter().all(|free| *free == reboots[0]) => Ok(()),
        Some(_) | None => {
            Err(format!("of {REBOOTS} reboots and an end, those that lose no frame leave free: {free:?}"))
        }
    }
}

/// One reads where it has nothing; the other is there long after that one's end.
fn crash(bench: &Bench<'_>, profile: Profile) -> Result<(), Failure> {
    let outcome = boot(bench, &board("crash", "off", ["crash", "outlive"]), profile)?;
    let expected = [
        "tabula: domain payload: read at 0x7000_0000 (",
        "tabula: domain payload: stopped",
        "tabula: domain payload: destroyed, 0 frames lost, ",
        "second: payload: goes on after two seconds",
        "tabula: domain second: powered off",
        "tabula: domain second: destroyed, 0 frames lost, ",
        "tabula: not every domain switched itself off; powering off",
    ];
    let judged = match outcome.status {
        Some(status) if status.success() => boots::in_order(&outcome.lines, &expected.map(str::to_owned)),
        Some(_) | None => Err(Failure::Run("the machine did not switch itself off".into())),
    };
    let both_off = outcome.lines.iter().any(|line| line == DOMAINS_OFF);
    let judged = judged.and(if both_off { Err(Failure::Run("a crash counts as an end".into())) } else { Ok(()) });
    judged.map_err(|failure| Failure::Run(format!("{}\n{}", failure.text(), outcome.lines.join("\n"))))
}

#[cfg(test)]
mod tests {
    use super::{REBOOTS, all_came_back};

    fn good() -> Vec<String> {
        let of_one = |end: &str| {
            [
                format!("tabula: domain payload: {end}"),
                "tabula: domain payload: destroyed, 0 frames lost, 70 free".into(),
            ]
        };
        let ends = (0..REBOOTS).flat_map(|_| of_one("reboots"));
        ends.chain(of_one("powered off")).collect()
    }

    #[test]
    fn a_frame_that_is_lost_is_noticed() {
        assert_eq!(all_came_back(&good()), Ok(()));
        for (old, new) in [("0 frames", "1 frames"), ("70 free", "69 free")] {
            let mut lines = good();
            lines[9] = lines[9].replace(old, new);
            assert!(all_came_back(&lines).is_err(), "{new}");
        }
    }

    #[test]
    fn a_reboot_too_few_is_noticed() {
        assert!(all_came_back(&good()[2..]).is_err());
    }
}
