//! The command line as scripts see it: exit codes, and what goes to which stream.

use std::process::{Command, Output};

use super::Bench;
use crate::process;

/// Arguments, the exit code they must end in, and a phrase that stderr (or stdout, when the code is 0) must hold.
const CASES: [(&[&str], i32, &str); 9] = [
    (&["list"], 0, "qemu-arm64"),
    (&["explain", "E0203"], 0, "Instead of:"),
    (&["explain", "E9999"], 2, "there is no code E9999"),
    (&["check", "-p", "qemu-arm46"], 2, "did you mean `qemu-arm64`?"),
    (&["check", "-p", "tests/reject/no-such.toml"], 1, "there is no such file"),
    (&["check", "-p", "all"], 0, "ok"),
    (&["expand", "-p", "qemu-arm64-gicv2"], 0, "gic-v2"),
    (&["map", "-p", "qemu-arm64", "--format", "json"], 0, "{"),
    (&["run", "-p", "qemu-arm64", "--print-command"], 0, "qemu-system-aarch64"),
];

pub(super) fn run(bench: &mut Bench<'_>) {
    for (arguments, code, phrase) in CASES {
        let result = case(bench, arguments, code, phrase);
        bench.test(format!("xtask {}", arguments.join(" ")), result);
    }
}

fn case(bench: &Bench<'_>, arguments: &[&str], code: i32, phrase: &str) -> Result<(), String> {
    let Output { status, stdout, stderr } = output(bench, arguments)?;
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let said = if code == 0 { &out } else { &err };
    match status.code() == Some(code) && said.contains(phrase) {
        true => Ok(()),
        false => Err(format!("expected exit {code} and `{phrase}`, got {status}\nstdout: {out}\nstderr: {err}")),
    }
}

/// Runs this very program again.
pub(super) fn output(bench: &Bench<'_>, arguments: &[&str]) -> Result<Output, String> {
    process::output(this_program(bench)?.args(arguments)).map_err(|failure| failure.to_string())
}

/// This very program, with the toolchain that it was told to take.
pub(super) fn this_program(bench: &Bench<'_>) -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program cannot find itself: {error}"))?;
    // Another suite may have built it anew: the system then marks the name of the one that runs.
    let program = program.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
    let mut command: Command = process::command(program);
    command.current_dir(bench.builder.project.root());
    if let Some(source) = bench.builder.toolchain {
        command.args(["--toolchain", source.word()]);
    }
    Ok(command)
}
