//! The command line as scripts see it: exit codes, and what goes to which stream.

use std::process::{Command, Output};

use super::Bench;
use crate::process;

/// Arguments, the exit code they must end in, and a phrase that stderr (or stdout, when the code is 0) must hold.
const CASES: [(&[&str], i32, &str); 23] = [
    (&["list"], 0, "qemu-arm64"),
    (&["explain", "E0203"], 0, "Instead of:"),
    (&["explain", "E9999"], 2, "there is no code E9999"),
    (&["check", "-p", "qemu-arm46"], 2, "did you mean `qemu-arm64`?"),
    (&["check", "-p", "tests/reject/no-such.toml"], 1, "there is no such file"),
    (&["check", "-p", "all"], 0, "ok"),
    (&["expand", "-p", "qemu-arm64-gicv2"], 0, "gic-v2"),
    (&["map", "-p", "qemu-arm64", "--format", "json"], 0, "{"),
    (&["run", "-p", "qemu-arm64", "--guest", "payload", "--print-command"], 0, "qemu-system-aarch64"),
    (&["explain", "0x4020_0000", "-p", "qemu-arm64"], 0, "physical: text"),
    (&["explain", "0x4020_0000"], 2, "add --platform"),
    (&["map", "-p", "qemu-arm64", "--format", "svg"], 0, "<svg"),
    (&["map", "-p", "qemu-arm64", "--format", "html"], 0, "<!doctype html>"),
    (&["map", "-p", "qemu-arm64", "--format", "md"], 0, "# Memory map of qemu-arm64"),
    (&["diff", "qemu-arm64", "qemu-arm64"], 0, "0 differ"),
    (&["diff", "qemu-arm64", "qemu-arm64-gicv2", "--format", "md"], 0, "| space | range | change |"),
    (&["matrix", "--format", "github"], 0, "{\"include\":["),
    (&["matrix", "--format", "gitlab"], 0, "zcu102:"),
    (&["schema"], 0, "x-unit"),
    (&["new", "zcu102"], 2, "is there already"),
    (&["import", "Cargo.toml"], 1, "not a device tree"),
    (&["import", "--qemu", "virt,virtualization=on", "--name", "virt"], 0, "kind = \"pl011\""),
    (&["import", "--qemu", "sbsa-ref", "--name", "sbsa"], 1, "TODO(irq)"),
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
