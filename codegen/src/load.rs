//! From files to a document of the right shape: read, parse, inherit, walk.
//!
//! Never judges what values mean. Reads the board file and the one that it inherits from, nothing else.

mod document;
mod expand;
mod merge;
mod nearest;
mod shape;

use std::io;
use std::path::{Component, Path, PathBuf};

use serde::de::{Deserialize, IntoDeserializer};

use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema;

pub(crate) use document::{Document, Texts};
pub(crate) use nearest::nearest;

/// Reads a file's bytes; tests and fuzzers bring their own.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// A board file in the types of the schema. Parts that could not be read are missing and have been reported.
pub(crate) struct Loaded {
    pub(crate) file: schema::File,
    pub(crate) diagnostics: Diagnostics,
    /// The board file's name without directory and extension.
    pub(crate) stem: String,
    /// Paths of tables and lists of which a part could not be read: nothing follows from what they lack.
    pub(crate) incomplete: Vec<String>,
}

/// Reads a board and what it inherits.
pub(crate) fn load(path: &Path, shown: &str, read: ReadFile<'_>) -> Result<Loaded, Diagnostics> {
    let texts = Texts::default();
    let mut document = Document::read(&texts, path, shown, read)?;
    shape::walk(&mut document);
    let stem = path.file_stem().unwrap_or_default();
    let stem = stem.to_string_lossy().into_owned();
    let Document { table, mut diagnostics, incomplete } = document;
    match schema::File::deserialize(table.into_deserializer()) {
        Ok(file) => Ok(Loaded { file, diagnostics, stem, incomplete }),
        Err(error) => {
            // The walk has seen every value, so this is a shape that it lets through and serde does not.
            let found = Diagnostic::new(&codes::E0105, error.message());
            let span = error.span().map(Into::into);
            diagnostics.push(found.at_some(span, "here"));
            diagnostics.sort();
            Err(diagnostics)
        }
    }
}

/// The merged document as TOML, each value with the place it was written at.
pub(crate) fn expand(path: &Path, shown: &str, read: ReadFile<'_>) -> Result<String, Diagnostics> {
    let texts = Texts::default();
    let mut document = Document::read(&texts, path, shown, read)?;
    let text = expand::text(&document);
    shape::walk(&mut document);
    let (text, _warnings) = document.diagnostics.into_result(Some(text))?;
    Ok(text)
}

/// How messages print a path: as given when relative, otherwise its last folder and name, so that messages and generated
/// files do not depend on where the project lies.
pub fn shown_path(path: &Path) -> String {
    let clean = normalised(path);
    let parts: Vec<String> = clean.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let parts =
        if clean.is_absolute() { &parts[parts.len().saturating_sub(2).max(1).min(parts.len())..] } else { &parts[..] };
    parts.join("/")
}

/// The path without `.` and without `..` where a folder stands before it.
pub(crate) fn normalised(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::shown_path;
    use std::path::Path;

    #[test]
    fn shown_paths_do_not_name_the_machine() {
        let shown = |path| shown_path(Path::new(path));
        assert_eq!(shown("/srv/tabula/platforms/a.toml"), "platforms/a.toml");
        assert_eq!(shown("./platforms/../tests/a.toml"), "tests/a.toml");
        assert_eq!(shown("../a.toml"), "../a.toml");
        assert_eq!(shown("/a.toml"), "a.toml");
    }
}
