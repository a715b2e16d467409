//! The files that are looked at: what git tracks, and what it would track.
//!
//! Never a build's output.

use std::path::Path;

use crate::failure::Failure;
use crate::process;

/// One file of the project.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path relative to the project, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether `cargo xtask gen` wrote it.
    pub fn is_generated(&self) -> bool {
        self.path.starts_with("generated/")
    }

    /// Whether it holds tests only.
    pub fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| part == "tests" || part == "tests.rs")
    }
}

/// The project's files.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// In git's order.
    pub files: Vec<SourceFile>,
}

impl Tree {
    /// Reads every file that is UTF-8 text.
    pub fn read(project: &Path) -> Result<Self, Failure> {
        let mut command = process::command("git");
        command.arg("-C").arg(project).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
        let output = process::output(&mut command)?;
        if !output.status.success() {
            return Err(Failure::Environment(format!("`git ls-files` failed in {}", project.display())));
        }
        let mut files = Vec::new();
        for path in String::from_utf8_lossy(&output.stdout).lines() {
            let full = project.join(path);
            if let Ok(bytes) = std::fs::read(&full)
                && let Ok(text) = String::from_utf8(bytes)
            {
                files.push(SourceFile { path: path.to_owned(), text });
            }
        }
        Ok(Self { files })
    }

    /// The file at `path`.
    pub fn get(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }
}
