//! What the suites share: where fixtures lie, what a board file gives, and how expected text is compared or rewritten.
//!
//! Never looks inside a crate: suites use public items only.

pub mod large;
pub mod random;

use std::path::{Path, PathBuf};

use codegen::diagnostic::Colour;
use codegen::plan::Flavour;

/// Files of a folder beside this crate, by name.
pub fn fixtures(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = Path::new(folder).read_dir().expect("suites run in their own folder");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

/// What `check` says about a board file: warnings and `ok`, or its findings.
pub fn verdict(path: &Path) -> Result<String, String> {
    let (board, mut warnings) = codegen::load(path).map_err(|found| found.text(Colour::Never))?;
    for flavour in Flavour::ALL {
        let plan = codegen::plan(&board, flavour).map_err(|found| found.text(Colour::Never))?;
        if flavour == Flavour::Release {
            warnings.append(codegen::headroom(&plan));
        }
    }
    Ok(warnings.text(Colour::Never))
}

/// Compares text with a file, or rewrites the file when `UPDATE_EXPECT` is set.
pub fn expect(file: &Path, text: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        return std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()));
    }
    let old = std::fs::read_to_string(file).unwrap_or_default();
    if old == text {
        return Ok(());
    }
    Err(format!("{} differs\n--- expected\n{old}\n--- found\n{text}", file.display()))
}
