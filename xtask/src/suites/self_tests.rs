//! The self-test image on both architectures: every row that is expected is reported, once, and good.
//!
//! The list of rows is kept here and not in the image: a row that is gone from the image is missed.

mod rows;

use std::time::Duration;

use super::Bench;
use crate::boards::{self, BoardFile};
use crate::build::names;
use crate::cli::Profile;
use crate::emulator::{self, Outcome, Show};
use crate::failure::Failure;

use rows::ROWS;

/// A board of each architecture, with several CPUs.
const BOARDS: [&str; 2] = ["qemu-arm64", "qemu-x86_64"];

/// Longest run; a good one takes a few seconds.
const LIMIT: Duration = Duration::from_secs(180);

/// One test: its name and how it went.
type Verdict = (String, Result<(), String>);

pub(super) fn run(bench: &mut Bench<'_>) {
    for name in BOARDS {
        let project = bench.builder.project;
        let board = match boards::resolve_one(project, project.root(), name) {
            Ok(board) => board,
            Err(failure) => return bench.job(name, Err(failure)),
        };
        for profile in [Profile::Release, Profile::Debug] {
            let result = holds_no_row(bench, &board, profile);
            bench.job(format!("{name}: the {} image holds no test", profile.word()), result);
        }
        let outcome = match boot(bench, &board) {
            Ok(outcome) => outcome,
            Err(failure) => {
                bench.job(format!("boot {name} self-test"), Err(failure));
                continue;
            }
        };
        let verdicts = judge(&outcome.lines);
        let all_good = verdicts.iter().all(|(_, result)| result.is_ok());
        for (row, result) in verdicts {
            bench.test(format!("{name}: {row}"), result);
        }
        let end = outcome.verdict().map_err(|failure| match all_good {
            true => failure.to_string(),
            false => format!("{failure}\n{}", outcome.lines.join("\n")),
        });
        bench.test(format!("{name}: {} rows, then it powers off", ROWS.len()), end);
    }
}

fn boot(bench: &Bench<'_>, board: &BoardFile) -> Result<Outcome, Failure> {
    let built = bench.builder.build(board, Profile::SelfTest)?;
    let mut command = emulator::command(bench.builder.host, &built, &["-accel", "tcg"].map(str::to_owned))?;
    emulator::run(&mut command, LIMIT, Show::Quiet)
}

/// What the console says of each expected row, and whether it says anything of others.
fn judge(lines: &[String]) -> Vec<Verdict> {
    let reported: Vec<(&str, &str)> = lines.iter().filter_map(|line| report(line)).collect();
    let mut verdicts: Vec<Verdict> = ROWS.iter().map(|row| (row.to_string(), judge_row(row, &reported))).collect();
    for (row, _) in reported.iter().filter(|(row, _)| !ROWS.contains(row)) {
        verdicts.push((row.to_string(), Err("reported, and not in the list of expected rows".into())));
    }
    let counts = lines.iter().any(|line| *line == format!("tabula: {} passed, 0 failed", ROWS.len()));
    if !counts && verdicts.iter().all(|(_, result)| result.is_ok()) {
        verdicts.push(("counts".into(), Err(format!("the image does not count {} rows itself", ROWS.len()))));
    }
    verdicts
}

/// A row's name and how it went, where a line reports one.
fn report(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("tabula: test ")?.rsplit_once(" ... ")
}

fn judge_row(row: &str, reported: &[(&str, &str)]) -> Result<(), String> {
    let results: Vec<&str> = reported.iter().filter(|(name, _)| *name == row).map(|(_, result)| *result).collect();
    match results[..] {
        ["ok"] => Ok(()),
        [] => Err("missing: the image does not report it".into()),
        [result] => Err(result.to_owned()),
        [_, _, ..] => Err(format!("reported {} times", results.len())),
    }
}

/// An image that is not of the flavour holds no row's name; the one that is holds all of them, or nothing was shown.
fn holds_no_row(bench: &Bench<'_>, board: &BoardFile, profile: Profile) -> Result<(), Failure> {
    let held = |profile| {
        let file = bench.builder.build(board, profile)?.folder.join(names::ELF);
        let elf = std::fs::read(&file).map_err(|error| Failure::file("read", &file, &error))?;
        let holds = |row: &str| elf.windows(row.len()).any(|bytes| bytes == row.as_bytes());
        Ok(ROWS.into_iter().filter(|row| holds(row)).collect::<Vec<_>>())
    };
    let (none, all) = (held(profile)?, held(Profile::SelfTest)?);
    match (&none[..], all.len() == ROWS.len()) {
        ([], true) => Ok(()),
        ([], false) => Err(Failure::Run(format!("the self-test image holds {} of {} names", all.len(), ROWS.len()))),
        ([row, ..], _) => Err(Failure::Run(format!("it holds `{row}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{ROWS, judge};

    fn good() -> Vec<String> {
        let mut lines: Vec<String> = ROWS.iter().map(|row| format!("tabula: test {row} ... ok")).collect();
        lines.push(format!("tabula: {} passed, 0 failed", ROWS.len()));
        lines
    }

    /// The one row that has not passed, and why.
    fn only_failure(lines: &[String]) -> (String, String) {
        let mut failed: Vec<_> =
            judge(lines).into_iter().filter_map(|(row, result)| Some((row, result.err()?))).collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        failed.remove(0)
    }

    #[test]
    fn every_row_once_and_ok_is_good() {
        let verdicts = judge(&good());
        assert_eq!(verdicts.len(), ROWS.len());
        assert!(verdicts.iter().all(|(_, result)| result.is_ok()));
    }

    #[test]
    fn a_missing_row_is_a_failure() {
        let mut lines = good();
        lines.remove(1);
        let (row, why) = only_failure(&lines);
        assert_eq!(row, ROWS[1]);
        assert!(why.starts_with("missing"), "{why}");
    }

    #[test]
    fn a_failed_row_tells_its_reason() {
        let mut lines = good();
        lines[0] = format!("tabula: test {} ... FAILED: cpu 1 sees it", ROWS[0]);
        assert_eq!(only_failure(&lines), (ROWS[0].to_owned(), "FAILED: cpu 1 sees it".to_owned()));
    }

    #[test]
    fn a_row_that_nobody_expects_or_that_comes_twice_is_a_failure() {
        let mut lines = good();
        lines.push("tabula: test of something new ... ok".into());
        assert_eq!(only_failure(&lines).0, "of something new");
        let mut lines = good();
        lines.push(lines[2].clone());
        assert_eq!(only_failure(&lines), (ROWS[2].to_owned(), "reported 2 times".to_owned()));
    }

    #[test]
    fn the_image_counts_too() {
        let mut lines = good();
        lines.pop();
        assert_eq!(only_failure(&lines).0, "counts");
    }
}
