//! Building `core`, `alloc` and `compiler_builtins` once, into a folder of our own.
//!
//! The only place that sets `RUSTC_BOOTSTRAP`. What it leaves is used with plain cargo, so that no nightly
//! feature is open to our crates.

use std::path::{Path, PathBuf};

use super::Target;
use super::version::Version;
use crate::failure::Failure;
use crate::process;
use crate::project::Project;

/// Counts changes of how a sysroot is built. Cargo does not notice that one changed, so another recipe
/// must be another path.
const RECIPE: u32 = 1;

/// The crates whose libraries make up the sysroot.
const CRATES: [&str; 3] = ["core", "alloc", "compiler_builtins"];

/// What a sysroot is built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The compiler.
    pub rustc: PathBuf,
    /// Its version.
    pub version: Version,
    /// The source of its libraries.
    pub library: PathBuf,
    /// What to build for.
    pub target: Target,
}

impl Recipe {
    /// Whether it has been built before.
    pub fn is_built(&self, project: &Project) -> bool {
        self.libraries(project).is_dir()
    }

    /// `<sysroots>/<compiler>-r<recipe>`.
    pub fn folder(&self, project: &Project) -> PathBuf {
        project.sysroots().join(format!("{}-r{RECIPE}", self.version.folder()))
    }

    fn libraries(&self, project: &Project) -> PathBuf {
        self.folder(project).join("lib/rustlib").join(self.target.triple()).join("lib")
    }
}

/// The sysroot of a recipe, built if it is not there yet.
pub fn build(project: &Project, recipe: &Recipe) -> Result<PathBuf, Failure> {
    let folder = recipe.folder(project);
    if recipe.is_built(project) {
        return Ok(folder);
    }
    let Recipe { version, target, .. } = recipe;
    let triple = target.triple();
    eprintln!("xtask: building `core` for {triple} with rustc {} (once, about a minute)", version.release);
    let stub = write_stub(&folder)?;
    let work = folder.join("build");
    compile(recipe, &stub, &work)?;
    collect(&work.join(triple).join("release/deps"), &recipe.libraries(project))?;
    Ok(folder)
}

/// The smallest crate that makes cargo build the libraries.
fn write_stub(folder: &Path) -> Result<PathBuf, Failure> {
    let stub = folder.join("stub");
    let source = stub.join("src");
    std::fs::create_dir_all(&source).map_err(|error| Failure::file("create", &source, &error))?;
    let manifest = "[package]\nname = \"stub\"\nedition = \"2024\"\n\n[workspace]\n";
    for (name, text) in [("Cargo.toml", manifest), ("src/lib.rs", "#![no_std]\n")] {
        let file = stub.join(name);
        std::fs::write(&file, text).map_err(|error| Failure::file("write", &file, &error))?;
    }
    Ok(stub)
}

fn compile(recipe: &Recipe, stub: &Path, work: &Path) -> Result<(), Failure> {
    let mut command = process::command(cargo());
    command
        .current_dir(stub)
        .args(["build", "--release", "--target", recipe.target.triple()])
        .arg("-Zbuild-std=core,alloc,compiler_builtins")
        .arg("-Zbuild-std-features=compiler-builtins-mem")
        .arg("--target-dir")
        .arg(work)
        // Distribution packages keep the source elsewhere than a rustup component does.
        .env("__CARGO_TESTS_ONLY_SRC_ROOT", &recipe.library)
        .env("RUSTC", &recipe.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR");
    let output = process::output(&mut command)?;
    if output.status.success() {
        return Ok(());
    }
    let line = process::shell_line(&command);
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Failure::Environment(format!("`{line}` ended with {}\n{text}", output.status)))
}

/// Copies the libraries, then names the folder: a folder of that name is complete.
fn collect(from: &Path, to: &Path) -> Result<(), Failure> {
    let partial = to.with_file_name(format!("lib.{}", std::process::id()));
    std::fs::create_dir_all(&partial).map_err(|error| Failure::file("create", &partial, &error))?;
    let entries = from.read_dir().map_err(|error| Failure::file("read", from, &error))?;
    let mut found = [0_u32; CRATES.len()];
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(at) = CRATES.iter().position(|name_of| is_library(&name, name_of)) else {
            continue;
        };
        found[at] += 1;
        std::fs::copy(entry.path(), partial.join(&name))
            .map_err(|error| Failure::file("copy", &entry.path(), &error))?;
    }
    if found != [1; CRATES.len()] {
        let folder = from.display();
        return Err(Failure::Environment(format!(
            "{folder} should hold one library of each of {CRATES:?}, and holds {found:?}"
        )));
    }
    // Somebody else may have finished first with the same bytes: theirs will do.
    match std::fs::rename(&partial, to) {
        Err(error) if !to.is_dir() => Err(Failure::file("rename", &partial, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn is_library(file: &str, crate_name: &str) -> bool {
    file.strip_prefix("lib")
        .and_then(|rest| rest.strip_prefix(crate_name))
        .is_some_and(|rest| rest.starts_with('-') && rest.ends_with(".rlib"))
}

/// The cargo that started us, or the first on the path.
pub fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
