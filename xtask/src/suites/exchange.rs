//! The built-in guest exchanges pages and events with itself, as two domains would.
//!
//! Waits for no store: what both sides know is in the payload.

use super::variants::Variant;
use super::{Bench, LIMIT, boots};
use crate::cli::Profile;
use crate::emulator::{self, Show};
use crate::failure::Failure;

/// What it says, in order.
const ALONE: [&str; 7] = [
    "payload: offers a page on port 2",
    "payload: copied 512 of 512 words",
    "payload: mapped, and the same",
    "payload: grant copy to a page that is to be read answered -8",
    "payload: an event came, with 512 of 512 words",
    "payload: grants in use: [0, 0]",
    "tabula: domain payload: powered off",
];

pub(super) fn run(bench: &mut Bench<'_>) {
    for policy in ["none", "on-demand", "full"] {
        for profile in [Profile::Release, Profile::Debug] {
            let result = exchange(bench, policy, profile);
            bench.job(format!("a page there and back, an event: {policy}, {}", profile.word()), result);
        }
    }
}

fn exchange(bench: &Bench<'_>, policy: &'static str, profile: Profile) -> Result<(), Failure> {
    let text = format!(
        "[directmap]\npolicy = \"{policy}\"\n\n[[domain]]\nname = \"payload\"\ncommand-line = \"role=alone\"\n"
    );
    let board = Variant::new(&format!("exchange-{policy}"), policy, &text).write(bench.builder.project)?;
    let built = bench.builder.build(&board, profile)?;
    let mut command = emulator::command(bench.builder.host, &built, &[])?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    let judged = outcome.verdict().and_then(|()| boots::in_order(&outcome.lines, &ALONE.map(str::to_owned)));
    judged.map_err(|failure| Failure::Run(format!("{}\n{}", failure.text(), outcome.lines.join("\n"))))
}
