//! Does the linked image hold what the plan says, and nothing else?
//!
//! Reads the finished ELF only: sections against their extents, the static tables by walking their bytes, the
//! header that loaders look for. Never asks how the image was made, and never mends anything.

mod elf;
mod header;
mod sections;
mod tables;

use std::fmt::Write;

use codegen::plan::Plan;
use serde::Serialize;

pub use elf::LinkedImage;
pub use sections::SectionUse;

/// What was looked at, and what was wrong.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How full each extent is.
    pub sections: Vec<SectionUse>,
    /// Linked sections compared with the plan.
    pub sections_checked: usize,
    /// Translations found by walking the static tables.
    pub pages_checked: usize,
    /// Static tables reached from a root.
    pub tables_reached: usize,
    /// Header fields compared.
    pub header_fields: usize,
    /// Everything that is not as planned, a sentence each. Empty means the image is good.
    pub findings: Vec<String>,
}

impl Report {
    /// Whether everything was looked at and nothing was wrong.
    pub fn is_good(&self) -> bool {
        let inspected = [self.sections_checked, self.pages_checked, self.tables_reached, self.header_fields];
        self.findings.is_empty() && inspected.iter().all(|count| *count > 0)
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for part in &self.sections {
            let SectionUse { name, extent_bytes, used_bytes, slack_bytes } = part;
            let share = used_bytes * 100 / (*extent_bytes).max(1);
            let _ = writeln!(
                out,
                "{name:<8} {used_bytes:>8} of {extent_bytes:>8} bytes used, {slack_bytes:>8} slack ({share} %)"
            );
        }
        let extent: u64 = self.sections.iter().map(|part| part.extent_bytes).sum();
        let _ = writeln!(out, "total    {extent} bytes of extents ({} KiB)", extent / 1024);
        let Self { sections_checked, pages_checked, tables_reached, header_fields, .. } = self;
        let _ = writeln!(
            out,
            "checked: {sections_checked} sections, {pages_checked} mapped pages, {tables_reached} tables, {header_fields} header fields"
        );
        for finding in &self.findings {
            let _ = writeln!(out, "mismatch: {finding}");
        }
        out
    }

    fn find(&mut self, finding: impl Into<String>) {
        self.findings.push(finding.into());
    }
}

/// Compares the linked ELF file in `bytes` with `plan`.
pub fn image(plan: &Plan, bytes: &[u8]) -> Report {
    let mut report = Report::default();
    match LinkedImage::parse(bytes) {
        Ok(image) => {
            sections::check(plan, &image, &mut report);
            tables::check(plan, &image, &mut report);
            header::check(plan, &image, &mut report);
        }
        Err(error) => report.find(format!("not a linked image: {error}")),
    }
    report
}
