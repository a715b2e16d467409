//! From generated files to a linked ELF: the hypervisor for one board, and the guest payload.
//!
//! Plain cargo with the toolchain's compiler; nothing here opens a nightly feature.

use std::path::{Path, PathBuf};
use std::process::Command;

use codegen::model::Arch;
use paging::Ipa;

use crate::cli::Profile;
use crate::failure::Failure;
use crate::planned::Planned;
use crate::process;
use crate::project::Project;
use crate::toolchain::{Target, Toolchain, sysroot};

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`, so that paths may hold spaces.
const FLAG_SEPARATOR: &str = "\x1f";

/// Compiles and links the hypervisor around the files in `generated`.
pub fn hypervisor(
    project: &Project,
    toolchain: &Toolchain,
    planned: &Planned,
    profile: Profile,
    generated: &Path,
) -> Result<PathBuf, Failure> {
    let arch = planned.plan.board.arch;
    let target = Target::of(arch);
    let folder = project.image_target(planned.is_ours().then_some(planned.plan.board.name.as_str()));
    let mut flags = flags(project, toolchain, &generated.join("link.ld"));
    flags.push("-Crelocation-model=static".into());
    if arch == Arch::X86_64 {
        flags.push("-Ccode-model=kernel".into());
    }
    let mut command = cargo(toolchain, &flags, target, &folder);
    command
        .current_dir(project.root())
        .env("TABULA_GENERATED", generated)
        .args(["--package", "hv", "--bin", profile.binary(), "--features", profile.feature()])
        .args(["--profile", profile.cargo_profile()]);
    run(&mut command)?;
    Ok(folder.join(target.triple()).join(profile.cargo_profile()).join(profile.binary()))
}

/// Compiles and links the built-in guest, to be entered at `base`; each base has a folder of its own.
pub fn payload(project: &Project, toolchain: &Toolchain, base: Ipa) -> Result<PathBuf, Failure> {
    let target = Target::Aarch64;
    let source = project.root().join("tests/guests/payload");
    let folder = project.target().join("payload").join(format!("{:x}", base.get()));
    let mut flags = flags(project, toolchain, &source.join("link.ld"));
    flags.push("-Crelocation-model=static".into());
    flags.push(format!("-Clink-arg=--defsym=payload_base={:#x}", base.get()));
    let mut command = cargo(toolchain, &flags, target, &folder);
    command.current_dir(&source).arg("--release");
    run(&mut command)?;
    Ok(folder.join(target.triple()).join("release").join("payload"))
}

fn flags(project: &Project, toolchain: &Toolchain, script: &Path) -> Vec<String> {
    let mut flags = vec![
        format!("-Clinker={}", toolchain.linker.display()),
        "-Clinker-flavor=ld.lld".to_owned(),
        format!("-Clink-arg=-T{}", script.display()),
        format!("--remap-path-prefix={}=.", project.root().display()),
    ];
    flags.extend(sources().iter().map(|folder| format!("--remap-path-prefix={}=crates", folder.display())));
    if let Some(sysroot) = &toolchain.sysroot {
        flags.push(format!("--sysroot={}", sysroot.display()));
    }
    flags
}

/// Where cargo keeps what it fetched: <https://doc.rust-lang.org/cargo/guide/cargo-home.html>.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))
}

/// Folders of crates' sources, one a registry: panics name files there, and an image is the same wherever they are.
fn sources() -> Vec<PathBuf> {
    let registries = cargo_home().and_then(|home| std::fs::read_dir(home.join("registry/src")).ok());
    let mut folders: Vec<PathBuf> = registries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

fn cargo(toolchain: &Toolchain, flags: &[String], target: Target, folder: &Path) -> Command {
    let mut command = process::command(sysroot::cargo());
    command
        .args(["build", "--quiet", "--target", target.triple()])
        .arg("--target-dir")
        .arg(folder)
        .env("RUSTC", &toolchain.rustc)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join(FLAG_SEPARATOR))
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_BOOTSTRAP")
        .env_remove("CARGO_TARGET_DIR");
    command
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let status = process::run(command)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Generate(format!("`{}` ended with {status}", process::shell_line(command))))
}
