//! Everything CI runs, as named suites: each yields test results, none may be empty.
//!
//! A suite that could not run has failed; the last line counts what passed and what failed.

mod a64;
mod audits;
mod boards;
mod boots;
mod command_line;
mod corpus;
mod corruption;
mod exchange;
mod faults;
mod figures;
mod guests;
mod host;
mod hostile;
mod imports;
mod linux;
mod moves;
mod pages;
mod policies;
mod reboots;
mod self_tests;
mod tally;
mod together;
mod toolchains;
mod variants;

use std::time::Instant;

use crate::build::Builder;
use crate::emulator::LIMIT;
use crate::failure::Failure;
pub use tally::Tally;

/// How much time suites may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// What CI has.
    Short,
    /// Before an issue is closed.
    Long,
}

/// What a suite works with.
pub struct Bench<'a> {
    /// Builds images, with the built-in guest in the place of each.
    pub builder: Builder<'a>,
    /// How much time there is.
    pub length: Length,
    /// Which part of its work the suite is asked for, where it has parts.
    part: Option<&'a str>,
    results: Vec<(String, Result<(), String>)>,
}

impl Bench<'_> {
    /// Whether the part with this name is asked for.
    fn wants(&self, part: &str) -> bool {
        self.part.is_none_or(|wanted| part.contains(wanted))
    }

    /// Records one test and prints its line.
    fn test(&mut self, name: impl Into<String>, result: Result<(), String>) {
        let name = name.into();
        match &result {
            Ok(()) => println!("test {name} ... ok"),
            Err(why) => println!("test {name} ... FAILED\n    {}", why.trim_end().replace('\n', "\n    ")),
        }
        self.results.push((name, result));
    }

    /// Records a job that ends in a failure of a command.
    fn job(&mut self, name: impl Into<String>, result: Result<(), Failure>) {
        self.test(name, result.map_err(|failure| failure.to_string()));
    }
}

/// One suite.
#[derive(Clone, Copy)]
pub struct Suite {
    /// Its name.
    pub name: &'static str,
    /// What it shows, in a phrase.
    pub shows: &'static str,
    run: fn(&mut Bench<'_>),
}

/// All of them, in the order in which they run: quick and general first.
pub const ALL: &[Suite] = &[
    Suite { name: "tidy", shows: "house rules that a program can check", run: host::tidy },
    Suite { name: "format", shows: "rustfmt has nothing to change", run: host::format },
    Suite { name: "generated", shows: "committed generated files are what the boards give", run: host::generated },
    Suite { name: "host", shows: "unit, property, fixture and mutation tests", run: host::cargo_test },
    Suite { name: "clippy", shows: "no warnings", run: host::clippy },
    Suite { name: "toolchains", shows: "each way to a bare-metal core, forced", run: toolchains::run },
    Suite { name: "command-line", shows: "exit codes and streams", run: command_line::run },
    Suite { name: "guests", shows: "where guests come from, and what is said when they do not", run: guests::run },
    Suite { name: "pages", shows: "each board's page in a browser without a network", run: pages::run },
    Suite { name: "boards", shows: "each board builds and its image verifies, in every flavour", run: boards::run },
    Suite { name: "corruption", shows: "verify refuses damaged images", run: corruption::run },
    Suite { name: "boots", shows: "each board boots to ordered lines on all its CPUs", run: boots::run },
    Suite { name: "corpus", shows: "every device tree of Debian's arm64 kernel imports", run: corpus::run },
    Suite { name: "imports", shows: "device trees become boards that boot", run: imports::run },
    Suite { name: "together", shows: "domains and vCPUs run at the same time, or in turns", run: together::run },
    Suite { name: "policies", shows: "directmap policies, chosen in the file and at boot", run: policies::run },
    Suite { name: "figures", shows: "instructions and operations stay within their budgets", run: figures::run },
    Suite { name: "faults", shows: "a fault of its own is reported with the board file's line", run: faults::run },
    Suite { name: "hostile", shows: "what a guest sends ends in an error to it or its own stop", run: hostile::run },
    Suite { name: "exchange", shows: "pages and events go where they were granted", run: exchange::run },
    Suite { name: "reboots", shows: "domains end and begin again, and lose no frame", run: reboots::run },
    Suite { name: "linux", shows: "Debian kernels as domains, to their markers", run: linux::run },
    Suite { name: "audits", shows: "what each CPU of the running machine can reach", run: audits::run },
    Suite { name: "moves", shows: "an image loaded elsewhere moves or says why not", run: moves::run },
    Suite { name: "self-tests", shows: "the hypervisor's tests of itself, in its emulator", run: self_tests::run },
];

/// Runs the suites whose name holds `filter`; behind a slash in it, the part of a suite that has parts.
pub fn run(builder: Builder<'_>, length: Length, filter: Option<&str>) -> Tally {
    let mut tally = Tally::default();
    let (filter, part) = match filter.and_then(|filter| filter.split_once('/')) {
        Some((suite, part)) => (Some(suite), Some(part)),
        None => (filter, None),
    };
    for suite in ALL.iter().filter(|suite| filter.is_none_or(|filter| suite.name.contains(filter))) {
        println!("\nsuite {}: {}", suite.name, suite.shows);
        let began = Instant::now();
        let mut bench = Bench { builder, length, part, results: Vec::new() };
        (suite.run)(&mut bench);
        if bench.results.is_empty() {
            bench.test(suite.name, Err("the suite ran no test".into()));
        }
        tally.add(suite.name, bench.results, began.elapsed());
    }
    tally
}
