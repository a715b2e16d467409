//! The linker: rustup's bundled `rust-lld`, else the distribution's `ld.lld`.
//!
//! Both are LLVM's lld; the image links the same with either.

use std::path::PathBuf;

use super::sources;
use super::version::Version;
use crate::failure::Failure;
use crate::host::Host;
use crate::packages;

/// Where a linker is, installing the distribution's if there is none.
pub fn find(host: &Host) -> Result<PathBuf, Failure> {
    match bundled(host) {
        Some(linker) => Ok(linker),
        None => packages::ensure(host, packages::LLD),
    }
}

/// The one that comes with the active toolchain.
pub fn bundled(host: &Host) -> Option<PathBuf> {
    let rustc = sources::active_rustc(host).ok()?;
    let folder = Version::of(&rustc).ok()?.host;
    let sysroot = sources::compiler_sysroot(&rustc).ok()?;
    let linker = sysroot.join("lib/rustlib").join(folder).join("bin/rust-lld");
    linker.is_file().then_some(linker)
}
