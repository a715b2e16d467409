//! Finding or obtaining a compiler that can build for bare metal.
//!
//! Four sources, tried in a fixed order, or exactly one when `--toolchain` names it. Never opens nightly
//! features to our crates: `RUSTC_BOOTSTRAP` is set only while [`sysroot`] builds `core` itself.

pub mod linker;
pub mod sources;
pub mod sysroot;
pub mod version;

use std::fmt;
use std::path::PathBuf;

use codegen::model::Arch;

use crate::failure::Failure;
use crate::host::Host;
use crate::project::Project;

/// Where the bare-metal `core` comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Source {
    /// The target is already installed for the active toolchain.
    Installed,
    /// `rustup target add`.
    Rustup,
    /// The `rust-src` component of the active toolchain, built here.
    RustSrc,
    /// Debian's rustc-web and rust-web-src, built here.
    Distro,
}

impl Source {
    /// The order in which they are tried.
    pub const ORDER: [Self; 4] = [Self::Installed, Self::Rustup, Self::RustSrc, Self::Distro];

    /// The word on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Rustup => "rustup",
            Self::RustSrc => "rust-src",
            Self::Distro => "distro",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A bare-metal target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// AArch64 without floating point registers.
    Aarch64,
    /// x86-64 without an operating system.
    X86_64,
}

impl Target {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Aarch64, Self::X86_64];

    /// rustc's name for it.
    pub const fn triple(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64-unknown-none-softfloat",
            Self::X86_64 => "x86_64-unknown-none",
        }
    }

    /// The target of a board.
    pub const fn of(arch: Arch) -> Self {
        match arch {
            Arch::Aarch64 => Self::Aarch64,
            Arch::X86_64 => Self::X86_64,
        }
    }
}

/// A compiler with a `core` for one target, and a linker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Where `core` came from.
    pub source: Source,
    /// The compiler.
    pub rustc: PathBuf,
    /// Its version, for reports.
    pub version: String,
    /// A sysroot of ours, when the compiler's own has no `core` for the target.
    pub sysroot: Option<PathBuf>,
    /// The linker.
    pub linker: PathBuf,
}

/// Finds a toolchain for `target`: the one that `wish` names, or the first that works.
pub fn obtain(project: &Project, host: &Host, wish: Option<Source>, target: Target) -> Result<Toolchain, Failure> {
    let core = match wish {
        Some(source) => forced(project, host, source, target)?,
        None => first_that_works(project, host, target)?,
    };
    let linker = linker::find(host)?;
    let Core { source, rustc, version, sysroot } = core;
    Ok(Toolchain { source, rustc, version, sysroot, linker })
}

/// A compiler and where its `core` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Core {
    /// Where it came from.
    pub source: Source,
    /// The compiler.
    pub rustc: PathBuf,
    /// The compiler's version.
    pub version: String,
    /// A sysroot of ours; `None` for the compiler's own.
    pub sysroot: Option<PathBuf>,
}

fn forced(project: &Project, host: &Host, wish: Source, target: Target) -> Result<Core, Failure> {
    sources::try_one(project, host, wish, target)
        .map_err(|why| Failure::Environment(format!("--toolchain {wish} does not work here\n{}", indented(&why))))
}

fn first_that_works(project: &Project, host: &Host, target: Target) -> Result<Core, Failure> {
    let mut refusals = String::new();
    for source in sources::order(project, host, target) {
        match sources::try_one(project, host, source, target) {
            Ok(core) => return Ok(core),
            Err(why) => refusals.push_str(&format!("  {source}:\n{}\n", indented(&why))),
        }
    }
    let triple = target.triple();
    Err(Failure::Environment(format!(
        "no `core` for {triple}; each way was tried\n{refusals}  = help: run `rustup target add {triple}`"
    )))
}

fn indented(failure: &Failure) -> String {
    let lines: Vec<String> = failure.text().lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}
