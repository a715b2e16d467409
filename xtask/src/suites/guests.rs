//! Where guests come from, as the command line says it: offline, with the built-in guest, with files that will not do.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::variants::Variant;
use super::{Bench, command_line};
use crate::failure::Failure;
use crate::process;

/// A board that names Debian's kernel for each of its domains, and its first domain.
const BOARD: &str = "qemu-arm64";
const DOMAIN: &str = "linux0";
/// A domain as it has them, where the built-in guest was.
const LINUX: &str = "[[domain]]\nname = \"payload\"\nmemory = { base = 0x4000_0000, size = \"128 MiB\" }\n\
                     kernel = \"debian-cloud\"\nkernel-max = \"64 MiB\"\ninitrd = \"busybox\"\ninitrd-max = \"4 MiB\"\n";
/// Programs that fetch guests.
const PROGRAMS: [&str; 3] = ["apt-get", "apt-cache", "dpkg-deb"];

pub(super) fn run(bench: &mut Bench<'_>) {
    let result = offline(bench);
    bench.job("offline with nothing kept: exit 3, the last line says what did not run", result);
    let result = payload(bench, BOARD, &format!("{DOMAIN}: payload: memory at 0x40000000, 192 MiB"));
    bench.job("offline with --guest payload: the built-in guest runs in each domain, exit 0", result);
    let elsewhere = LINUX.replace("0x4000_0000", "0x8000_0000");
    let result = Variant::new("linux-payload", "Linux", &elsewhere)
        .write(bench.builder.project)
        .and_then(|board| payload(bench, &board.path.display().to_string(), "payload: memory at 0x80000000, 128 MiB"));
    bench.job("the built-in guest runs where the kernel's memory is, exit 0", result);
    let files: [(&str, &[u8], &str); 4] = [
        ("a kernel that is not there", b"", "cannot read "),
        ("a kernel that is compressed", b"\x1f\x8b\x08", "the file is compressed"),
        ("a kernel that is too large", &[1; 5000], "write kernel-max = \"1 MiB\""),
        ("a kernel that is empty", b"", "the file is empty"),
    ];
    for (number, (what, bytes, phrase)) in files.into_iter().enumerate() {
        let bytes = (number > 0).then_some(bytes);
        let result = file(bench, number, bytes, phrase);
        bench.job(format!("{what}: exit 1, its line is named"), result);
    }
}

/// A machine whose programs reach no network, and a build folder in which nothing is kept.
fn offline(bench: &Bench<'_>) -> Result<(), Failure> {
    let empty = bench.builder.project.target().join("offline");
    if empty.exists() {
        std::fs::remove_dir_all(&empty).map_err(|error| Failure::file("empty", &empty, &error))?;
    }
    let mut command = this_program(bench, &["run", "-p", BOARD])?;
    let Output { status, stderr, .. } = process::output(command.env("CARGO_TARGET_DIR", &empty))?;
    let text = String::from_utf8_lossy(&stderr).into_owned();
    let last = text.trim_end().lines().last().unwrap_or_default();
    let named = last.contains(&format!("domain {DOMAIN} of {BOARD} did not run")) && last.contains("--guest payload");
    expect(status.code() == Some(3) && named, "exit 3 and a last line that names the domain", &text)
}

/// A board with the built-in guest says this of its memory.
fn payload(bench: &Bench<'_>, board: &str, memory: &str) -> Result<(), Failure> {
    let arguments = ["run", "--guest", "payload", "-p", board];
    let Output { status, stdout, stderr } = process::output(&mut this_program(bench, &arguments)?)?;
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let ran = text.contains(memory) && text.contains("payload: mmu on");
    expect(status.success() && ran, "exit 0 and the payload's lines", &text)
}

/// A board beside whose file lies a kernel of these bytes, or none.
fn file(bench: &Bench<'_>, number: usize, bytes: Option<&[u8]>, phrase: &str) -> Result<(), Failure> {
    let name = format!("kernel-file-{number}");
    let text = format!("[[domain]]\nname = \"payload\"\nkernel = \"{name}.bin\"\nkernel-max = 4096\n");
    let board = Variant::new(&name, "a kernel of its own", &text).write(bench.builder.project)?;
    let kernel = bench.builder.project.root().join(&board.path).with_extension("bin");
    match bytes {
        Some(bytes) => std::fs::write(&kernel, bytes).map_err(|error| Failure::file("write", &kernel, &error))?,
        None if kernel.exists() => {
            std::fs::remove_file(&kernel).map_err(|error| Failure::file("remove", &kernel, &error))?;
        }
        None => {}
    }
    let path = board.path.display().to_string();
    let Output { status, stderr, .. } = command_line::output(bench, &["build", "-p", &path]).map_err(Failure::Run)?;
    let text = String::from_utf8_lossy(&stderr).into_owned();
    let line = format!("--> {path}:");
    let said = text.contains(phrase) && text.contains(&line) && text.contains("payload.kernel");
    expect(status.code() == Some(1) && said, &format!("exit 1, `{phrase}` and `{line}`"), &text)
}

fn expect(held: bool, what: &str, text: &str) -> Result<(), Failure> {
    if held { Ok(()) } else { Err(Failure::Run(format!("expected {what}\n{text}"))) }
}

/// This very program, with programs first on its path that fail as they do without a network.
fn this_program(bench: &Bench<'_>, arguments: &[&str]) -> Result<Command, Failure> {
    let folder = no_network(bench.builder.project.target())?;
    let mut path = bench.builder.host.path.clone();
    path.insert(0, folder);
    let path = std::env::join_paths(path).map_err(|error| Failure::Environment(error.to_string()))?;
    let mut command = command_line::this_program(bench).map_err(Failure::Run)?;
    command.args(arguments).env("PATH", path);
    Ok(command)
}

fn no_network(target: &Path) -> Result<PathBuf, Failure> {
    let folder = target.join("no-network");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    for program in PROGRAMS {
        let path = folder.join(program);
        let failing = "#!/bin/sh\necho 'no network' >&2\nexit 100\n";
        std::fs::write(&path, failing).map_err(|error| Failure::file("write", &path, &error))?;
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, executable).map_err(|error| Failure::file("change", &path, &error))?;
    }
    Ok(folder)
}
