//! Counting instructions of a guest's calls, by policy: what the built-in guest measures by the emulated generic timer.
//!
//! From the guest's instruction before a call to the one behind it, the few of its loop included. Under `-icount shift=0`
//! the timer counts instructions; nothing here passes or fails.

use std::fmt::Write as _;

use serde::Serialize;

use super::counter::REPEATABLE;
use super::{LIMIT, SECOND_NS, machine, one_cpu_board};
use crate::build::Builder;
use crate::cli::Profile;
use crate::emulator::{self, Show};
use crate::failure::Failure;

/// What the built-in guest says its lines with.
const SAID: &str = "payload: calls: ";
/// Columns: a policy, and how long the map cache keeps a page.
const COLUMNS: [[&str; 2]; 5] =
    [["full", "lazy"], ["on-demand", "lazy"], ["on-demand", "strict"], ["none", "lazy"], ["none", "strict"]];

/// Instructions of each call.
#[derive(Debug, Serialize)]
pub struct Calls {
    /// Machine, CPU and RAM.
    pub machine: String,
    /// One for each policy.
    pub columns: Vec<Column>,
}

/// What calls cost under one policy.
#[derive(Debug, Serialize)]
pub struct Column {
    /// `directmap.policy`.
    pub policy: &'static str,
    /// `layout.mapcache.retention`.
    pub retention: &'static str,
    /// Each call and its instructions.
    pub calls: Vec<(String, u64)>,
}

/// Counts calls under each policy.
pub fn calls(builder: &Builder<'_>) -> Result<Calls, Failure> {
    let mut calls = Calls { machine: String::new(), columns: Vec::new() };
    for [policy, retention] in COLUMNS {
        let text = format!(
            "[directmap]\npolicy = \"{policy}\"\n\n[layout]\nmapcache = {{ retention = \"{retention}\" }}\n\n\
             [[domain]]\nname = \"payload\"\ncommand-line = \"role=calls\"\n"
        );
        let board = one_cpu_board(builder.project, &format!("calls-{policy}-{retention}"), &text)?;
        let built = builder.build(&board, Profile::Release)?;
        let mut command = emulator::command(builder.host, &built, &REPEATABLE.map(str::to_owned))?;
        let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
        outcome.verdict()?;
        calls.machine = machine(&built);
        calls.columns.push(Column { policy, retention, calls: read(&outcome.lines)? });
    }
    Ok(calls)
}

/// Each call and its instructions, out of the guest's lines.
fn read(lines: &[String]) -> Result<Vec<(String, u64)>, Failure> {
    let said: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(SAID)).collect();
    let hz = said.iter().find_map(|line| line.strip_suffix(" ticks a second")?.parse::<u64>().ok());
    let hz = hz.filter(|hz| *hz > 0 && SECOND_NS.is_multiple_of(*hz));
    let hz = hz.ok_or_else(|| Failure::Run(format!("no line `{SAID}N ticks a second`, of whole nanoseconds each")))?;
    let measured: Vec<(String, u64)> = said.iter().filter_map(|line| measured(line, SECOND_NS / hz)).collect();
    if measured.is_empty() {
        Err(Failure::Run(format!("no line `{SAID}CALL, N times, N ticks`")))
    } else {
        Ok(measured)
    }
}

/// `CALL, N times, N ticks`: instructions for one.
fn measured(line: &str, tick_ns: u64) -> Option<(String, u64)> {
    let (rest, ticks) = line.strip_suffix(" ticks")?.rsplit_once(", ")?;
    let (what, times) = rest.strip_suffix(" times")?.rsplit_once(", ")?;
    let (times, ticks) = (times.parse::<u64>().ok().filter(|times| *times > 0)?, ticks.parse::<u64>().ok()?);
    Some((what.to_owned(), ticks * tick_ns / times))
}

impl Calls {
    /// The figures for people, as a page.
    pub fn text(&self) -> String {
        let mut text = format!(
            "# Calls\n\nInstructions of a guest's calls, there and back, by directmap policy and by how long the map cache \
             keeps a page.\nMade by `cargo xtask bench calls` on {}.\n\n| call |",
            self.machine
        );
        let heads: String =
            self.columns.iter().map(|column| format!(" {}, {} |", column.policy, column.retention)).collect();
        let rules: String = self.columns.iter().map(|_| " ---: |").collect();
        writeln!(text, "{heads}\n| --- |{rules}").expect("a string takes everything");
        for (number, (call, _)) in self.columns.first().map_or(&[][..], |column| &column.calls).iter().enumerate() {
            let cells: String = self
                .columns
                .iter()
                .map(|column| column.calls.get(number).map_or(String::from(" |"), |(_, count)| format!(" {count} |")))
                .collect();
            writeln!(text, "| {call} |{cells}").expect("a string takes everything");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn instructions_are_ticks_of_one_call() {
        let said = lines(&[
            "payload: calls: 62500000 ticks a second",
            "payload: calls: calls... calls...",
            "payload: calls: a copy, of 4096 bytes, 1000 times, 12500 ticks",
            "payload: calls: nothing, 1000 times, 0 ticks",
        ]);
        assert_eq!(read(&said).ok(), Some(vec![("a copy, of 4096 bytes".into(), 200), ("nothing".into(), 0)]));
    }

    #[test]
    fn lines_that_say_nothing_are_no_figures() {
        assert!(read(&lines(&["payload: calls: 62500000 ticks a second"])).is_err());
        assert!(read(&lines(&["payload: calls: a copy, 1 times, 5 ticks"])).is_err());
        let odd = ["payload: calls: 62500001 ticks a second", "payload: calls: a copy, 1 times, 5 ticks"];
        assert!(read(&lines(&odd)).is_err());
        let none = ["payload: calls: 62500000 ticks a second", "payload: calls: a copy, 0 times, 5 ticks"];
        assert!(read(&lines(&none)).is_err());
    }
}
