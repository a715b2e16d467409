//! The four ways to a bare-metal `core`, each tried alone.
//!
//! None of them tries another one; the order is [`order`]'s business, the choice the caller's.

use std::path::{Path, PathBuf};

use super::sysroot::{self, Recipe};
use super::version::Version;
use super::{Core, Source, Target};
use crate::failure::Failure;
use crate::host::Host;
use crate::packages;
use crate::process::{self, Ended};
use crate::project::Project;

/// Debian's compiler.
pub const DISTRIBUTION_RUSTC: &str = "rustc-web";

/// Debian's source of that compiler's libraries.
pub const DISTRIBUTION_SOURCE: &str = "rust-web-src";

/// The order in which the sources are tried. One that has already been built here goes straight after
/// the installed target: asking rustup again at every build would cost its whole wait off line.
pub fn order(project: &Project, host: &Host, target: Target) -> Vec<Source> {
    let mut order = Source::ORDER.to_vec();
    let built = |source: &Source| {
        match source {
            Source::RustSrc => rust_src_recipe(host, target),
            Source::Distro => distribution_recipe(host, target),
            Source::Installed | Source::Rustup => return false,
        }
        .is_ok_and(|recipe| recipe.is_built(project))
    };
    if let Some(at) = order.iter().position(built) {
        let source = order.remove(at);
        order.insert(1, source);
    }
    order
}

/// Tries one way.
pub fn try_one(project: &Project, host: &Host, source: Source, target: Target) -> Result<Core, Failure> {
    match source {
        Source::Installed => installed(host, target),
        Source::Rustup => rustup(host, target),
        Source::RustSrc => built(project, source, &rust_src_recipe(host, target)?),
        Source::Distro => {
            install_distribution(host)?;
            built(project, source, &distribution_recipe(host, target)?)
        }
    }
}

/// The active compiler: the first `rustc` on the path.
pub fn active_rustc(host: &Host) -> Result<PathBuf, Failure> {
    host.find("rustc").ok_or_else(|| Failure::Environment("there is no `rustc` on PATH".into()))
}

/// The folder a compiler keeps its libraries for the host in.
pub fn compiler_sysroot(rustc: &Path) -> Result<PathBuf, Failure> {
    process::answer(process::command(rustc).args(["--print", "sysroot"]))
        .map(PathBuf::from)
        .ok_or_else(|| Failure::Environment(format!("`{} --print sysroot` does not answer", rustc.display())))
}

/// What a source has to offer right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Nothing is left to do.
    Ready(String),
    /// It takes a step, which the first build takes.
    Possible(String),
    /// It cannot work as things are.
    Missing(String),
}

/// Looks at a source without changing anything.
pub fn offer(project: &Project, host: &Host, source: Source, target: Target) -> Offer {
    let by_recipe = |recipe: Result<Recipe, Failure>| match recipe {
        Ok(recipe) if recipe.is_built(project) => Offer::Ready(format!("built with rustc {}", recipe.version.release)),
        Ok(recipe) => Offer::Possible(format!("rustc {} builds it", recipe.version.release)),
        Err(why) => Offer::Missing(why.text().to_owned()),
    };
    match source {
        Source::Installed => match installed(host, target) {
            Ok(core) => Offer::Ready(format!("comes with rustc {}", core.version)),
            Err(why) => Offer::Missing(why.text().to_owned()),
        },
        Source::Rustup => match host.find("rustup") {
            Some(rustup) => Offer::Possible(format!("{} downloads it", rustup.display())),
            None => Offer::Missing("there is no `rustup` on PATH".into()),
        },
        Source::RustSrc => by_recipe(rust_src_recipe(host, target)),
        Source::Distro => match by_recipe(distribution_recipe(host, target)) {
            Offer::Missing(why) => {
                let both = [DISTRIBUTION_RUSTC, DISTRIBUTION_SOURCE];
                let command = packages::install_command(host, &both);
                Offer::Missing(format!("{why}\n  = help: run `{command}`"))
            }
            offer @ (Offer::Ready(_) | Offer::Possible(_)) => offer,
        },
    }
}

fn installed(host: &Host, target: Target) -> Result<Core, Failure> {
    let rustc = active_rustc(host)?;
    let version = Version::of(&rustc)?;
    let triple = target.triple();
    let print = ["--print", "target-libdir", "--target", triple];
    let folder = process::answer(process::command(&rustc).args(print)).map(PathBuf::from);
    if folder.is_some_and(|folder| holds_core(&folder)) {
        return Ok(Core { source: Source::Installed, rustc, version: version.release, sysroot: None });
    }
    let file = rustc.display();
    Err(Failure::Environment(format!("{file} {} has no {triple} installed", version.release)))
}

fn rustup(host: &Host, target: Target) -> Result<Core, Failure> {
    let rustup = host.find("rustup").ok_or_else(|| Failure::Environment("there is no `rustup` on PATH".into()))?;
    let triple = target.triple();
    let seconds = host.rustup_wait.as_secs();
    eprintln!("xtask: rustup target add {triple}: `core` for bare metal (at most {seconds} s)");
    let mut command = process::command(&rustup);
    command.args(["target", "add", triple]);
    if let Ok(path) = std::env::join_paths(&host.path) {
        command.env("PATH", path);
    }
    match process::run_bounded(&mut command, host.rustup_wait)? {
        Ended::Exited(status) if status.success() => {}
        Ended::Exited(status) => {
            let line = process::shell_line(&command);
            return Err(Failure::Environment(format!("`{line}` ended with {status}")));
        }
        Ended::TimedOut => {
            let line = process::shell_line(&command);
            return Err(Failure::Environment(format!("`{line}` was stopped after {seconds} s")));
        }
    }
    installed(host, target).map(|core| Core { source: Source::Rustup, ..core })
}

fn rust_src_recipe(host: &Host, target: Target) -> Result<Recipe, Failure> {
    let rustc = active_rustc(host)?;
    let version = Version::of(&rustc)?;
    let library = compiler_sysroot(&rustc)?.join("lib/rustlib/src/rust/library");
    if !library.join("core/Cargo.toml").is_file() {
        return Err(Failure::Environment(format!(
            "{} does not exist\n  = help: run `rustup component add rust-src`",
            library.display()
        )));
    }
    Ok(Recipe { rustc, version, library, target })
}

/// The recipe for the distribution's compiler; fails where its packages are not installed.
fn distribution_recipe(host: &Host, target: Target) -> Result<Recipe, Failure> {
    let rustc = host.distribution_rustc.clone();
    let version = Version::of(&rustc)?;
    let source = format!("rustc-{}", version.release);
    let library = host.distribution_source.join(source).join("library");
    if !library.join("core/Cargo.toml").is_file() {
        return Err(Failure::Environment(format!("{} does not exist", library.display())));
    }
    Ok(Recipe { rustc, version, library, target })
}

fn install_distribution(host: &Host) -> Result<(), Failure> {
    if distribution_recipe(host, Target::Aarch64).is_ok() {
        return Ok(());
    }
    let both = [DISTRIBUTION_RUSTC, DISTRIBUTION_SOURCE];
    packages::install(host, &both, "a compiler with the source of `core`, built here for bare metal")
}

fn built(project: &Project, source: Source, recipe: &Recipe) -> Result<Core, Failure> {
    let sysroot = sysroot::build(project, recipe)?;
    Ok(Core { source, rustc: recipe.rustc.clone(), version: recipe.version.release.clone(), sysroot: Some(sysroot) })
}

fn holds_core(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}
