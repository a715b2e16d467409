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
        ("a rustup that fails", "echo no network >&2; exit 1", "no network"),
        ("a rustup that hangs is stopped", "sleep 60", "did not"),
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

/// The machine with a `rustup` of ours first on its path.
fn stand_in(bench: &Bench<'_>, script: &str) -> Result<Host, Failure> {
    let folder = bench.builder.project.target().join("stand-in");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    let program = folder.join("rustup");
    write_program(&program, script).map_err(|error| Failure::file("write", &program, &error))?;
    let mut host = bench.builder.host.clone();
    host.path.insert(0, folder);
    host.rustup_wait = Duration::from_secs(2);
    Ok(host)
}

fn write_program(path: &Path, script: &str) -> std::io::Result<()> {
    std::fs::write(path, format!("#!/bin/sh\n{script}\n"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}
