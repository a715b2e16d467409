//! The emulator's plugin that counts: built, and asked by address.
//!
//! Knows nothing of what the figures mean.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::process;
use crate::project::Project;
use crate::symbols::{self, Function};
use crate::toolchain::sysroot;

/// Repeatable to the digit: one instruction a nanosecond, no host clock, no random seeds.
pub(super) const REPEATABLE: [&str; 6] =
    ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2025-01-01,clock=vm"];
/// The function that clears guest memory; counted apart.
pub(super) const SCRUB_SYMBOL: &str = "tabula_scrub";

/// The plugin as a shared library.
pub(super) fn plugin(project: &Project) -> Result<PathBuf, Failure> {
    let folder = project.target().join("plugin");
    let mut command = process::command(sysroot::cargo());
    command
        .current_dir(project.root())
        .args(["build", "--quiet", "--release", "--package", "instruction-count", "--target-dir"])
        .arg(&folder)
        .env_remove("CARGO_TARGET_DIR");
    let status = process::run(&mut command)?;
    if !status.success() {
        return Err(Failure::Generate(format!("`{}` ended with {status}", process::shell_line(&command))));
    }
    Ok(folder.join("release/libinstruction_count.so"))
}

/// A function of a linked image, and what it is for.
pub(super) fn function(elf: &Path, wanted: impl Fn(&str) -> bool, what: &str) -> Result<Function, Failure> {
    let bytes = std::fs::read(elf).map_err(|error| Failure::file("read", elf, &error))?;
    let found = symbols::find(&bytes, wanted)?;
    found.ok_or_else(|| Failure::Mismatch(format!("the image has no function {what}")))
}

/// The count under a name in a line of the plugin's file.
pub(super) fn count(line: &str, name: &str) -> Option<u64> {
    line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// The plugin is no test binary of its own: the emulator provides half of it.
#[cfg(test)]
#[expect(dead_code, reason = "tests ask for kinds only")]
#[path = "../../plugin/src/kinds.rs"]
mod kinds;
