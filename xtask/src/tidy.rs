//! The house rules that a program can check, by their numbers in CONTRIBUTING.md.
//!
//! Reads the tree and says what breaks a rule; changes nothing. What was not read was not checked, so the report
//! counts files, and an empty tree is a finding.

mod roots;
mod rust;
mod series;
mod text;
mod tree;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;

use crate::failure::Failure;

pub use tree::{SourceFile, Tree};

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule, for example `R1`.
    pub rule: &'static str,
    /// The file, relative to the project.
    pub file: String,
    /// One-based line; 0 for the file as a whole.
    pub line: usize,
    /// What breaks it and what to do.
    pub text: String,
}

/// Everything that was looked at.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Rust files read.
    pub rust_files: usize,
    /// Other text files read.
    pub other_files: usize,
    /// What breaks a rule.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether files were read and no rule is broken.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty() && self.rust_files > 0 && self.other_files > 0
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for Finding { rule, file, line, text } in &self.findings {
            out += &format!("{file}:{line}: {rule}: {text}\n");
        }
        out += &format!(
            "tidy: {} Rust files and {} others read, {} findings\n",
            self.rust_files,
            self.other_files,
            self.findings.len()
        );
        out
    }
}

/// Checks every file that git tracks or would track below `project`.
pub fn check(project: &Path) -> Result<Report, Failure> {
    let tree = Tree::read(project)?;
    Ok(check_tree(&tree))
}

/// Checks a tree that has been read.
pub fn check_tree(tree: &Tree) -> Report {
    let mut report = Report::default();
    for file in &tree.files {
        text::check(file, &mut report.findings);
        if file.is_rust() {
            report.rust_files += 1;
            roots::check(file, &mut report.findings);
            if !file.is_generated() {
                rust::check(file, tree, &mut report.findings);
            }
        } else {
            report.other_files += 1;
        }
    }
    rust::check_unsafe_list(tree, &mut report.findings);
    series::check(tree, &mut report.findings);
    report.findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    report
}
