//! The self-test image on both architectures, under every policy: every row that is expected is reported, once, and good.
//!
//! The list of rows is kept here and not in the image: a row that is gone from the image is missed.

mod boards;
mod random;
mod refusals;
mod rows;

use super::{Bench, LIMIT, Length, variants};
use crate::boards::BoardFile;
use crate::build::{Built, names};
use crate::cli::Profile;
use crate::emulator::{self, Outcome, Show};
use crate::failure::Failure;

use boards::{BOARDS, Board};
use rows::ROWS;

/// A shipped board of each architecture, with several CPUs.
const BASES: [&str; 2] = ["qemu-arm64", "qemu-x86_64"];

/// One test: its name and how it went.
type Verdict = (String, Result<(), String>);

pub(super) fn run(bench: &mut Bench<'_>) {
    for base in BASES {
        let due = |board: &&Board| board.length == Length::Short || bench.length == Length::Long;
        let wanted = |board: &&Board| due(board) && bench.wants(&board.part(base));
        for board in BOARDS.iter().filter(wanted).collect::<Vec<_>>() {
            let name = format!("{base}, {}", board.what);
            match board_file(bench, base, board) {
                Ok(file) => run_on(bench, &name, (base, board), &file),
                Err(failure) => bench.job(name, Err(failure)),
            }
        }
        if !bench.wants(&format!("{base}-images")) {
            continue;
        }
        let plain = variants::with_payload(bench.builder.project, base);
        for profile in [Profile::Release, Profile::Debug] {
            let held = plain.as_ref().map_err(|failure| Failure::Run(failure.to_string()));
            let result = held.and_then(|file| holds_no_row(bench, base, file, profile));
            bench.job(format!("{base}: the {} image holds no test", profile.word()), result);
        }
    }
}

fn board_file(bench: &Bench<'_>, base: &'static str, board: &Board) -> Result<BoardFile, Failure> {
    let project = bench.builder.project;
    match board.variant(base) {
        Some(variant) => variant.write(project),
        None => variants::with_payload(project, base),
    }
}

/// Builds and boots one board and judges its rows.
fn run_on(bench: &mut Bench<'_>, name: &str, (base, board): (&str, &Board), file: &BoardFile) {
    let booted = bench.builder.build(file, Profile::SelfTest).and_then(|built| Ok((boot(bench, &built)?, built)));
    let (outcome, mut built) = match booted {
        Ok(booted) => booted,
        Err(failure) => return bench.job(format!("boot self-test on {name}"), Err(failure)),
    };
    let due: Vec<&str> = ROWS.iter().filter(|row| board.is_due(base, row)).map(|(row, _)| *row).collect();
    let verdicts = judge(&due, &outcome.lines);
    let all_good = verdicts.iter().all(|(_, result)| result.is_ok());
    for (row, result) in verdicts {
        bench.test(format!("{name}: {row}"), result);
    }
    let end = outcome.verdict().map_err(|failure| match all_good {
        true => failure.to_string(),
        false => format!("{failure}\n{}", outcome.lines.join("\n")),
    });
    bench.test(format!("{name}: {} rows, then it powers off", due.len()), end);
    if bench.length == Length::Long {
        refusals::run(bench, name, &mut built, &outcome.lines);
        if random::BOARDS.contains(&board.part(base).as_str()) {
            random::run(bench, name, &mut built);
        }
    }
}

fn boot(bench: &Bench<'_>, built: &Built) -> Result<Outcome, Failure> {
    let mut command = emulator::command(bench.builder.host, built, &[])?;
    emulator::run(&mut command, LIMIT, Show::Quiet)
}

/// What the console says of each expected row, and whether it says anything of others.
fn judge(due: &[&str], lines: &[String]) -> Vec<Verdict> {
    let reported: Vec<(&str, &str)> = lines.iter().filter_map(|line| report(line)).collect();
    let mut verdicts: Vec<Verdict> = due.iter().map(|row| (row.to_string(), judge_row(row, &reported))).collect();
    for (row, _) in reported.iter().filter(|(row, _)| !due.contains(row)) {
        verdicts.push((row.to_string(), Err("reported, and not in the list of expected rows".into())));
    }
    let counts = lines.iter().any(|line| *line == format!("tabula: {} passed, 0 failed", due.len()));
    if !counts && verdicts.iter().all(|(_, result)| result.is_ok()) {
        verdicts.push(("counts".into(), Err(format!("the image does not count {} rows itself", due.len()))));
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
fn holds_no_row(bench: &Bench<'_>, base: &str, board: &BoardFile, profile: Profile) -> Result<(), Failure> {
    let held = |profile| {
        let file = bench.builder.build(board, profile)?.folder.join(names::ELF);
        let elf = std::fs::read(&file).map_err(|error| Failure::file("read", &file, &error))?;
        let holds = |row: &str| elf.windows(row.len()).any(|bytes| bytes == row.as_bytes());
        Ok(ROWS.iter().map(|(row, _)| *row).filter(|row| holds(row)).collect::<Vec<_>>())
    };
    let (none, all) = (held(profile)?, held(Profile::SelfTest)?);
    let due = ROWS.iter().filter(|row| BOARDS[0].is_due(base, row)).count();
    match (&none[..], all.len() >= due) {
        ([], true) => Ok(()),
        ([], false) => Err(Failure::Run(format!("the self-test image holds {} of {due} names", all.len()))),
        ([row, ..], _) => Err(Failure::Run(format!("it holds `{row}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;

    /// What is expected in these tests.
    const DUE: [&str; 4] = ["p1: one", "p2: two", "p3: three", "p4: four"];

    fn good() -> Vec<String> {
        let mut lines: Vec<String> = DUE.iter().map(|row| format!("tabula: test {row} ... ok")).collect();
        lines.push(format!("tabula: {} passed, 0 failed", DUE.len()));
        lines
    }

    /// The one row that has not passed, and why.
    fn only_failure(lines: &[String]) -> (String, String) {
        let mut failed: Vec<_> =
            judge(&DUE, lines).into_iter().filter_map(|(row, result)| Some((row, result.err()?))).collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        failed.remove(0)
    }

    #[test]
    fn every_row_once_and_ok_is_good() {
        let verdicts = judge(&DUE, &good());
        assert_eq!(verdicts.len(), DUE.len());
        assert!(verdicts.iter().all(|(_, result)| result.is_ok()));
    }

    #[test]
    fn a_missing_row_is_a_failure() {
        let mut lines = good();
        lines.remove(1);
        let (row, why) = only_failure(&lines);
        assert_eq!(row, DUE[1]);
        assert!(why.starts_with("missing"), "{why}");
    }

    #[test]
    fn a_failed_row_tells_its_reason() {
        let mut lines = good();
        lines[0] = format!("tabula: test {} ... FAILED: cpu 1 sees it", DUE[0]);
        assert_eq!(only_failure(&lines), (DUE[0].to_owned(), "FAILED: cpu 1 sees it".to_owned()));
    }

    #[test]
    fn a_row_that_nobody_expects_or_that_comes_twice_is_a_failure() {
        let mut lines = good();
        lines.push("tabula: test of something new ... ok".into());
        assert_eq!(only_failure(&lines).0, "of something new");
        let mut lines = good();
        lines.push(lines[2].clone());
        assert_eq!(only_failure(&lines), (DUE[2].to_owned(), "reported 2 times".to_owned()));
    }

    #[test]
    fn the_image_counts_too() {
        let mut lines = good();
        lines.pop();
        assert_eq!(only_failure(&lines).0, "counts");
    }
}
