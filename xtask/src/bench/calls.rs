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

/// A call that every column has, and what it may cost under `none` above what it costs under `full`.
const UART: &str = "a read of an emulated UART's register";
const COPY: &str = "a copy of 4096 bytes";
/// Instructions for each page that a call touches.
const PAGE: u64 = 80;
/// Pages that it touches: a copy its structure, the grant, and two.
const BESIDE_FULL: [(&str, u64); 2] = [(COPY, 4), (UART, 1)];

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
    for column @ [policy, retention] in COLUMNS {
        let mut column = Column { policy, retention, calls: run(builder, column, "hypercall", &mut calls.machine)? };
        let others = run(builder, [policy, retention], "pl011", &mut calls.machine)?;
        column.calls.extend(others.into_iter().filter(|(call, _)| call == UART));
        calls.columns.push(column);
    }
    Ok(calls)
}

/// Counts what a guest with this console counts.
fn run(
    builder: &Builder<'_>,
    [policy, retention]: [&str; 2],
    console: &str,
    on: &mut String,
) -> Result<Vec<(String, u64)>, Failure> {
    let text = format!(
        "[directmap]\npolicy = \"{policy}\"\n\n\
         [layout]\nmapcache = {{ slots-per-cpu = 64, retention = \"{retention}\" }}\n\n\
         [[domain]]\nname = \"payload\"\nvcpus = 2\ncommand-line = \"role=calls\"\nconsole = \"{console}\"\n"
    );
    let board = one_cpu_board(builder.project, &format!("calls-{policy}-{retention}-{console}"), &text)?;
    let built = builder.build(&board, Profile::Release)?;
    let mut command = emulator::command(builder.host, &built, &REPEATABLE.map(str::to_owned))?;
    let outcome = emulator::run(&mut command, LIMIT, Show::Quiet)?;
    outcome.verdict()?;
    *on = machine(&built);
    read(&outcome.lines)
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
    /// What calls may cost under `none`, pages retained, above what they cost under `full`.
    pub fn judge(&self) -> Vec<(String, Result<(), String>)> {
        let figure = |policy: &str, retention: &str, call: &str| {
            let column = self.columns.iter().find(|column| (column.policy, column.retention) == (policy, retention))?;
            column.calls.iter().find(|(name, _)| name == call).map(|(_, count)| *count)
        };
        let verdict = |(call, pages): (&str, u64)| {
            let result = match (figure("none", "lazy", call), figure("full", "lazy", call)) {
                (Some(none), Some(full)) if none <= full + pages * PAGE => Ok(()),
                (Some(none), Some(full)) => Err(format!("{none} instructions, and {full} under `full`")),
                (None, _) | (_, None) => Err("it was not counted".into()),
            };
            (format!("{call}: at most {PAGE} instructions a page more than under `full`"), result)
        };
        BESIDE_FULL.map(verdict).to_vec()
    }

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
    use super::{COPY, Calls, Column, UART, read};

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
    fn a_call_may_cost_so_much_a_page_more_than_under_full() {
        let column = |policy, retention, copy, uart| Column {
            policy,
            retention,
            calls: vec![(COPY.to_owned(), copy), (UART.to_owned(), uart)],
        };
        let failed = |copy, uart| {
            let columns = vec![column("full", "lazy", 1000, 400), column("none", "lazy", copy, uart)];
            let calls = Calls { machine: String::new(), columns };
            calls.judge().iter().filter(|(_, result)| result.is_err()).count()
        };
        assert_eq!(failed(1320, 480), 0);
        assert_eq!(failed(1321, 480), 1);
        assert_eq!(failed(1320, 481), 1);
        assert_eq!(Calls { machine: String::new(), columns: Vec::new() }.judge().len(), 2, "nothing is no pass");
        assert!(
            Calls { machine: String::new(), columns: Vec::new() }.judge().iter().all(|(_, result)| result.is_err())
        );
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
