//! Each way to a bare-metal `core`, forced; the ones that need the network by stand-ins.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::Bench;
use crate::failure::Failure;
use crate::host::Host;
use crate::toolchain::{self, Source, Target};

pub(super) fn run(bench: &mut Bench<'_>) {
    let works = toolchain::obtain(bench.builder.project, bench.builder.host, Some(Source::Distro), Target::Aarch64);
    bench.job("--toolchain distro builds a core", works.map(drop));
    let cases = [
        ("a rustup that fails", "echo no network >&2; exit 1", "exit status: 1"),
        ("a rustup that hangs is stopped", "sleep 60", "was stopped after 2 s"),
        ("a rustup that claims success and brings nothing", "exit 0", "rustup"),
    ];
    for (name, script, phrase) in cases {
        let result = stand_in(bench, script).and_then(|host| {
            match toolchain::obtain(bench.builder.project, &host, Some(Source::Rustup), Target::Aarch64) {
                Ok(_) => Err(Failure::Run("it was accepted".into())),
                Err(failure) if failure.code() == 3 && failure.text().contains(phrase) => Ok(()),
                Err(failure) => Err(Failure::Run(format!("expected exit 3 and `{phrase}`: {failure}"))),
            }
        });
        bench.job(name, result);
    }
    let result = stand_in(bench, "touch \"$(dirname \"$0\")/libs/libcore-0.rlib\"").and_then(|host| {
        let found = toolchain::obtain(bench.builder.project, &host, Some(Source::Rustup), Target::Aarch64)?;
        let then = toolchain::obtain(bench.builder.project, &host, Some(Source::Installed), Target::Aarch64)?;
        match (found.source, then.source) {
            (Source::Rustup, Source::Installed) => Ok(()),
            (first, second) => Err(Failure::Run(format!("found by {first}, then by {second}"))),
        }
    });
    bench.job("a rustup that brings a core: found, and installed from then on", result);
    for source in [Source::Installed, Source::RustSrc] {
        let result = match toolchain::obtain(bench.builder.project, bench.builder.host, Some(source), Target::X86_64) {
            Ok(found) if found.source == source => Ok(()),
            Ok(found) => Err(Failure::Run(format!("{source} was asked for, {} was tried", found.source))),
            Err(failure) if failure.code() == 3 && failure.text().contains(source.word()) => Ok(()),
            Err(failure) => Err(failure),
        };
        bench.job(format!("--toolchain {source} works or says why not, and tries nothing else"), result);
    }
}

/// The machine with a `rustup` of ours first on its path, and a `rustc` that looks for libraries in an empty folder.
fn stand_in(bench: &Bench<'_>, script: &str) -> Result<Host, Failure> {
    let folder = bench.builder.project.target().join("stand-in");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    let program = folder.join("rustup");
    write_program(&program, script).map_err(|error| Failure::file("write", &program, &error))?;
    let libraries = folder.join("libs");
    if libraries.exists() {
        std::fs::remove_dir_all(&libraries).map_err(|error| Failure::file("empty", &libraries, &error))?;
    }
    std::fs::create_dir_all(&libraries).map_err(|error| Failure::file("create", &libraries, &error))?;
    let real = bench.builder.host.find("rustc").unwrap_or_default();
    let answer = format!(
        "case \"$*\" in *target-libdir*) echo '{}' ;; *) exec '{}' \"$@\" ;; esac",
        libraries.display(),
        real.display()
    );
    let rustc = folder.join("rustc");
    write_program(&rustc, &answer).map_err(|error| Failure::file("write", &rustc, &error))?;
    let mut host = bench.builder.host.clone();
    host.path.insert(0, folder);
    host.rustup_wait = Duration::from_secs(2);
    Ok(host)
}

fn write_program(path: &Path, script: &str) -> std::io::Result<()> {
    std::fs::write(path, format!("#!/bin/sh\n{script}\n"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}
