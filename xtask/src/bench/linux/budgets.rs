//! What a Linux domain may cost.
//!
//! Instructions, never time: the same on every machine with the same guests.

use super::{Linux, Run};

/// A sentence about a figure, and whether it holds.
pub type Verdict = (String, Result<(), String>);

/// The hypervisor's instructions after a guest's entry, clearing memory apart.
const AFTER: [(&str, u64); 3] = [("partition", 300_000), ("xen", 1_000_000), ("two", 4_000_000)];
/// The same for each exit, where nearly all are accesses to an emulated PL011.
const EMULATED: &str = "pl011";
const EXIT: u64 = 600;
/// From entry to entry, clearing memory apart, with images in their places.
const ENTRY: u64 = 500_000;
/// What may be more than under `full`, in hundredths.
const FULL: &str = "xen-full";
const BESIDE_FULL: [(&str, u64); 2] = [("xen-lazy", 110), ("xen", 125)];

impl Linux {
    /// Every budget.
    pub fn judge(&self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for (name, budget) in AFTER {
            verdicts.push(self.at_most(name, "instructions after entry", budget, |run| run.after));
        }
        verdicts.push(self.at_most(EMULATED, "instructions an exit", EXIT, |run| run.after / run.exits.max(1)));
        verdicts.push(self.at_most("partition", "instructions from entry to entry", ENTRY, |run| run.entry));
        for (name, hundredths) in BESIDE_FULL {
            let budget = self.run(FULL).map_or(0, |full| full.after * hundredths / 100);
            verdicts
                .push(self.at_most(name, &format!("instructions, {hundredths} % of `full`"), budget, |run| run.after));
        }
        for run in &self.runs {
            // The plugin stops counting at the last end, the log goes on to the emulator's.
            let logged: u64 = run.reasons.values().sum();
            let agree = run.exits > 0 && run.exits <= logged && logged - run.exits <= 1;
            let why = format!("{} by the vectors, {logged} by the log", run.exits);
            verdicts.push((format!("{}: exits counted in two ways agree", run.name), agree.then_some(()).ok_or(why)));
        }
        verdicts
    }

    fn run(&self, name: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.name == name)
    }

    fn at_most(&self, name: &str, what: &str, budget: u64, figure: impl Fn(&Run) -> u64) -> Verdict {
        let Some(figure) = self.run(name).map(figure) else {
            return (format!("{name}: {what}"), Err("it was not counted".into()));
        };
        let within = if figure <= budget { Ok(()) } else { Err(format!("{figure}, at most {budget}")) };
        (format!("{name}: {figure} {what}"), within)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Linux, Run};
    use crate::bench::linux::CASES;

    /// Runs that cost as much as they may.
    fn linux() -> Linux {
        let after = |name| match name {
            "partition" | "checked" => 300_000,
            "xen" => 1_000_000,
            "xen-lazy" => 880_000,
            "xen-full" => 800_000,
            "two" => 4_000_000,
            _ => 600_999,
        };
        let run = |name| Run {
            name,
            what: "",
            entry: 500_000,
            scrub: 1,
            after: after(name),
            guests: 1,
            exits: 1001,
            reasons: [("interrupts".to_owned(), 1002)].into(),
        };
        Linux { machine: String::new(), guests: Vec::new(), runs: CASES.iter().map(|case| run(case.name)).collect() }
    }

    fn failed(linux: &Linux) -> usize {
        linux.judge().iter().filter(|(_, result)| result.is_err()).count()
    }

    #[test]
    fn one_instruction_more_is_too_many() {
        assert_eq!(failed(&linux()), 0);
        for name in ["partition", "xen", "xen-lazy", "two"] {
            let mut more = linux();
            more.runs.iter_mut().filter(|run| run.name == name).for_each(|run| run.after += 1);
            assert!(failed(&more) > 0, "{name}");
        }
        let mut more = linux();
        more.runs[0].entry += 1;
        assert_eq!(failed(&more), 1, "entry");
    }

    #[test]
    fn a_run_that_is_missing_or_counts_differently_fails() {
        let mut less = linux();
        less.runs.retain(|run| run.name != "two");
        assert_eq!(failed(&less), 1);
        let mut other = linux();
        other.runs[3].exits = 1000;
        assert_eq!(failed(&other), 1);
    }
}
