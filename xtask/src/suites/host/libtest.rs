//! What cargo's test runs printed, as results: each test's own output, and the binaries that did not come to their end.
//!
//! Reads text alone; runs nothing.

/// The results of a run of `cargo test`.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Every test that reported, and what it printed if it failed.
    pub(super) tests: Vec<(String, Result<(), String>)>,
    /// Tests that were announced and not heard of again: their binary died.
    pub(super) missing: usize,
}

impl Report {
    /// Reads what went to stdout.
    pub(super) fn new(stdout: &str) -> Self {
        let mut report = Self::default();
        let mut due = 0;
        let mut printed_by: Option<usize> = None;
        for line in stdout.lines() {
            if let Some(count) = announced(line) {
                report.missing += due;
                due = count;
            } else if line == "failures:" || line.starts_with("test result: ") {
                printed_by = None;
            } else if let Some(name) = heading(line) {
                printed_by = report.tests.iter().rposition(|(known, result)| known == name && result.is_err());
            } else if let Some((name, verdict)) = verdict(line) {
                due -= due.min(1);
                report.tests.push((name.to_owned(), verdict));
            } else if let Some((_, Err(why))) = printed_by.and_then(|number| report.tests.get_mut(number)) {
                why.push('\n');
                why.push_str(line);
            }
        }
        report.missing += due;
        report
    }
}

/// `running 12 tests`.
fn announced(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("running ")?;
    rest.strip_suffix(" tests").or(rest.strip_suffix(" test"))?.parse().ok()
}

/// `test NAME ... ok`, or another word.
fn verdict(line: &str) -> Option<(&str, Result<(), String>)> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let result = if verdict == "ok" { Ok(()) } else { Err(verdict.to_owned()) };
    Some((name, result))
}

/// `---- NAME stdout ----`, before what a failed test printed.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// What cargo says to pass to run each failed binary once more: `-p hv --lib`.
pub(super) fn reruns(stderr: &str) -> impl Iterator<Item = Vec<&str>> {
    let quoted = |rest: &'_ str| rest.split_once('`').map(|(arguments, _)| arguments.len());
    let arguments =
        move |line| str::split_once(line, "to rerun pass `").and_then(|(_, rest)| Some(&rest[..quoted(rest)?]));
    stderr.lines().filter_map(arguments).map(|arguments| arguments.split(' ').collect())
}

/// The names in a binary's answer to `--list`.
pub(super) fn listed(stdout: &str) -> impl Iterator<Item = &str> {
    stdout.lines().filter_map(|line| line.strip_suffix(": test"))
}

#[cfg(test)]
mod tests {
    use super::{Report, listed, reruns};

    const DIED: &str = "\
running 2 tests
test good ... ok
test bad ... FAILED

failures:

---- bad stdout ----
thread 'bad' panicked at src/lib.rs:1:1:

left: 1

failures:
    bad

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s


running 3 tests
test first ... ok

running 1 test
test last ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn a_failed_test_has_its_own_output() {
        let report = Report::new(DIED);
        let names: Vec<_> = report.tests.iter().map(|(name, result)| (name.as_str(), result.is_ok())).collect();
        assert_eq!(names, [("good", true), ("bad", false), ("first", true), ("last", true)]);
        let why = report.tests[1].1.as_ref().expect_err("it failed");
        assert_eq!(why.trim_end(), "FAILED\nthread 'bad' panicked at src/lib.rs:1:1:\n\nleft: 1");
    }

    #[test]
    fn tests_of_a_binary_that_died_are_missed() {
        assert_eq!(Report::new(DIED).missing, 2);
        assert_eq!(Report::new("running 1 test\ntest a ... ok\n").missing, 0);
        assert_eq!(Report::new("running 7 tests\n").missing, 7);
    }

    #[test]
    fn cargo_says_how_to_run_a_binary_again() {
        let text = "error: test failed, to rerun pass `-p hv --lib`\n\nCaused by:\n  (signal: 6, SIGABRT)\n";
        assert_eq!(reruns(text).collect::<Vec<_>>(), [["-p", "hv", "--lib"]]);
        assert_eq!(listed("a::b: test\n\n1 test, 0 benchmarks\n").collect::<Vec<_>>(), ["a::b"]);
    }
}
