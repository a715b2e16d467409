//! How all suites went: what passed, what failed and why, how long each took.
//!
//! Its text is made for logs of which only the end is kept: never longer than [`LINES`], whatever failed.

use std::time::Duration;

/// Lines that CI's view of a log keeps, less the shell's own around ours.
const LINES: usize = 140;
/// Lines of a failed test's end, where there is room: as a rule the last ones tell.
const MOST: usize = 40;
/// Lines of each, where many failed.
const FEWEST: usize = 3;

/// A test that failed.
#[derive(Debug)]
pub struct Failed {
    suite: &'static str,
    name: String,
    why: String,
}

/// How all suites went.
#[derive(Debug, Default)]
pub struct Tally {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that did not.
    pub failures: Vec<Failed>,
    times: Vec<(&'static str, Duration)>,
}

impl Tally {
    pub(super) fn add(&mut self, suite: &'static str, results: Vec<(String, Result<(), String>)>, time: Duration) {
        for (name, result) in results {
            match result {
                Ok(()) => self.passed += 1,
                Err(why) => self.failures.push(Failed { suite, name, why }),
            }
        }
        self.times.push((suite, time));
    }

    /// What failed, with the end of what it said; minutes per suite; a last line that counts.
    pub fn text(&self) -> String {
        let mut lines = self.failed(LINES.saturating_sub(self.times.len() + 1));
        let minutes = |time: &Duration| time.as_secs_f64() / 60.0;
        lines.extend(self.times.iter().map(|(name, time)| format!("{name:<14} {:>5.1} minutes", minutes(time))));
        lines.push(format!("{} passed, {} failed", self.passed, self.failures.len()));
        lines.push(String::new());
        lines.join("\n")
    }

    fn failed(&self, room: usize) -> Vec<String> {
        let each = (room / self.failures.len().max(1)).saturating_sub(2).min(MOST);
        let shown = match each {
            0..FEWEST => room / (FEWEST + 2),
            _ => self.failures.len(),
        };
        let each = each.max(FEWEST);
        let mut lines = Vec::new();
        for failed in &self.failures[..shown.min(self.failures.len())] {
            lines.push(format!("failed in suite {}: {}", failed.suite, failed.name));
            let said: Vec<&str> = failed.why.trim_end().lines().collect();
            lines.extend(said[said.len().saturating_sub(each)..].iter().map(|line| format!("    {line}")));
            lines.push(String::new());
        }
        if shown < self.failures.len() {
            lines.push(format!("and {} more that failed", self.failures.len() - shown));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES, Tally};
    use std::time::Duration;

    fn tally(failed: usize) -> Tally {
        let mut tally = Tally::default();
        let why = || (0..100).map(|line| format!("line {line}\n")).collect::<String>();
        let mut results = vec![("good".into(), Ok(()))];
        results.extend((0..failed).map(|number| (format!("bad {number}"), Err(why()))));
        tally.add("demo", results, Duration::from_secs(90));
        tally
    }

    #[test]
    fn a_good_run_is_minutes_and_a_count() {
        assert_eq!(tally(0).text(), "demo             1.5 minutes\n1 passed, 0 failed\n");
    }

    #[test]
    fn a_failure_is_shown_with_its_last_lines_before_the_minutes() {
        let text = tally(1).text();
        assert!(text.starts_with("failed in suite demo: bad 0\n    line 60\n"), "{text}");
        assert!(text.contains("    line 99\n\ndemo "), "{text}");
    }

    #[test]
    fn however_many_failed_the_end_of_a_log_has_room() {
        for failed in [2, 3, 10, 27, 28, 1000] {
            let text = tally(failed).text();
            assert!(text.lines().count() <= LINES, "{failed} failed: {} lines", text.lines().count());
            assert!(text.contains("bad 1\n") && text.contains("    line 99\n"), "{text}");
            assert_eq!(text.contains("more that failed"), failed > 27, "{failed}");
        }
    }
}
