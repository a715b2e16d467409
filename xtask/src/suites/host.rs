//! Suites that run on the host alone.

mod libtest;

use std::process::Command;

use super::{Bench, Length};
use crate::boards;
use crate::cli::Profile;
use crate::failure::Failure;
use crate::planned::Planned;
use crate::toolchain::sysroot;
use crate::{generate, process, tidy as rules};
use libtest::Report;

/// Seconds of the mutation loops.
const MUTATION_SECONDS: [(Length, &str); 2] = [(Length::Short, "60"), (Length::Long, "600")];

/// The README's picture, and its board.
const PICTURE: &str = "docs/memory-map.svg";
const PICTURED: &str = "qemu-arm64";

/// Names of tests that did not report.
const UNHEARD_SHOWN: usize = 16;

pub(super) fn tidy(bench: &mut Bench<'_>) {
    let report = rules::check(bench.builder.project.root());
    let result = report.map_err(|failure| failure.to_string()).and_then(|report| match report.is_good() {
        true => Ok(()),
        false => Err(report.text()),
    });
    bench.test("tidy", result);
}

pub(super) fn format(bench: &mut Bench<'_>) {
    let result = quiet(cargo(bench).args(["fmt", "--all", "--check"]));
    bench.test("format", result);
}

pub(super) fn generated(bench: &mut Bench<'_>) {
    let boards = match boards::all(bench.builder.project) {
        Ok(boards) => boards,
        Err(failure) => return bench.job("generated", Err(failure)),
    };
    for board in boards {
        for profile in Profile::ALL {
            let name = format!("generated {} {}", board.name, profile.word());
            let result = compare(bench, &board, profile);
            bench.job(name, result);
        }
    }
    let result = picture(bench);
    bench.job(format!("generated {PICTURE}"), result);
}

/// The README's picture is the one that `map` draws today.
fn picture(bench: &Bench<'_>) -> Result<(), Failure> {
    let project = bench.builder.project;
    let board = boards::resolve_one(project, project.root(), PICTURED)?;
    let drawn = codegen::map::svg(&Planned::new(&board, Profile::Release)?.plan);
    let drawn = drawn.map_err(|error| Failure::Generate(error.to_string()))?;
    let path = project.root().join(PICTURE);
    let kept = std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    match kept == drawn {
        true => Ok(()),
        false => {
            let remedy = format!("cargo xtask map -p {PICTURED} --format svg > {PICTURE}");
            Err(Failure::Generate(format!("{PICTURE} is out of date: `{remedy}`")))
        }
    }
}

fn compare(bench: &Bench<'_>, board: &boards::BoardFile, profile: Profile) -> Result<(), Failure> {
    let planned = Planned::new(board, profile)?;
    let files = generate::files(&planned)?;
    let folder = generate::folder(bench.builder.project, &planned, profile);
    let stale = generate::differences(&folder, &files);
    match stale.is_empty() {
        true => Ok(()),
        false => Err(Failure::Generate(stale.join("\n"))),
    }
}

pub(super) fn clippy(bench: &mut Bench<'_>) {
    let mut command = cargo(bench);
    let result = quiet(command.args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    bench.test("clippy", result);
}

/// Every test that cargo knows; each of its binaries reports its own counts.
pub(super) fn cargo_test(bench: &mut Bench<'_>) {
    let length = bench.length;
    let seconds = MUTATION_SECONDS.iter().find(|(known, _)| *known == length).map_or("60", |(_, seconds)| seconds);
    let mut command = cargo(bench);
    command.args(["test", "--workspace", "--no-fail-fast"]).env("TABULA_FUZZ_SECONDS", seconds);
    let output = match process::output(&mut command) {
        Ok(output) => output,
        Err(failure) => return bench.job("cargo test", Err(failure)),
    };
    let report = Report::new(&String::from_utf8_lossy(&output.stdout));
    let heard: Vec<String> = report.tests.iter().map(|(name, _)| name.clone()).collect();
    report.tests.into_iter().for_each(|(name, result)| bench.test(name, result));
    if !output.status.success() || report.missing > 0 {
        let errors = String::from_utf8_lossy(&output.stderr);
        let mut why = format!("{}\n{errors}", output.status);
        if report.missing > 0 {
            let names = unheard(bench, &errors, &heard).join(", ");
            why.push_str(&format!("\n{} tests never reported, the first of them: {names}", report.missing));
        }
        bench.test("cargo test", Err(why));
    }
}

/// Tests of failed binaries that did not report: those that ran when a binary died are among the first.
fn unheard(bench: &Bench<'_>, errors: &str, heard: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for arguments in libtest::reruns(errors) {
        let mut command = cargo(bench);
        command.arg("test").args(arguments).args(["--", "--list"]);
        let listing = process::answer(&mut command).unwrap_or_default();
        names.extend(
            libtest::listed(&listing).filter(|name| !heard.iter().any(|known| known == name)).map(str::to_owned),
        );
    }
    names.truncate(UNHEARD_SHOWN);
    names
}

fn cargo(bench: &Bench<'_>) -> Command {
    let mut command = process::command(sysroot::cargo());
    command.current_dir(bench.builder.project.root());
    command
}

/// Runs a command whose output matters only when it fails.
fn quiet(command: &mut Command) -> Result<(), String> {
    let output = process::output(command).map_err(|failure| failure.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("`{}` ended with {}\n{out}{err}", process::shell_line(command), output.status))
}
