//! From a board file to everything the build needs: load, check, plan, render.
//!
//! Same input, same bytes: reads no clock, no environment and no image sizes. The only files it reads are the
//! board file and the one that its `base =` names.

#![forbid(unsafe_code)]

mod check;
pub mod codes;
pub mod diagnostic;
pub mod guest_tree;
mod headroom;
pub mod import;
pub mod keys;
mod load;
pub mod map;
pub mod model;
pub mod plan;
mod quoted;
pub mod render;
pub mod schema;

use std::path::Path;

use diagnostic::Diagnostics;
use model::Board;

pub use codes::explain;
pub use guest_tree::guest_tree;
pub use headroom::headroom;
pub use load::{ReadFile, shown_path};
pub use map::memory_map;
pub use plan::plan;
pub use render::render;

/// Reads and checks a board file; warnings ride along.
///
/// # Errors
/// Everything that is wrong with the file and the one it inherits from, found in one run.
pub fn load(path: &Path) -> Result<(Board, Diagnostics), Diagnostics> {
    load_with(path, &|path| std::fs::read(path))
}

/// The same with another way to read files: tests and fuzzers bring bytes of their own.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, read: ReadFile<'_>) -> Result<(Board, Diagnostics), Diagnostics> {
    let loaded = load::load(path, &shown_path(path), read)?;
    check::check(loaded)
}

/// The board file with its base merged in, each value with the place it was written at.
///
/// # Errors
/// What is wrong with the files' shape; what values mean is not looked at.
pub fn expand(path: &Path) -> Result<String, Diagnostics> {
    load::expand(path, &shown_path(path), &|path| std::fs::read(path))
}
