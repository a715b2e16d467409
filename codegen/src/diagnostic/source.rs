//! The files of one run laid end to end, so that one offset names a file and a place in it.
//!
//! Never reads a file.

use std::sync::Arc;

use crate::model::Origin;

/// A half-open range of bytes over all files of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte behind it.
    pub end: usize,
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// One file as it was read.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// As diagnostics print it.
    pub(crate) name: String,
    /// Its text; bytes that are not UTF-8 are replaced.
    pub(crate) text: String,
    /// Offset of its first byte.
    pub(crate) start: usize,
    /// Where each line begins in `text`.
    lines: Vec<usize>,
}

impl SourceFile {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The part of `span` that lies in this file, as bytes of its text on character boundaries.
    pub(crate) fn local(&self, span: Span) -> std::ops::Range<usize> {
        let clamp = |offset: usize| {
            let mut at = offset.saturating_sub(self.start).min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = clamp(span.start);
        start..clamp(span.end).max(start)
    }

    /// One-based line and column (in characters) of a byte of the text.
    pub(crate) fn line_and_column(&self, at: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|&start| start <= at).max(1);
        let column = self.text[self.lines[line - 1]..at].chars().count() + 1;
        (narrow(line), narrow(column))
    }

    /// Where the content of a one-based line lies, without indentation and line end.
    fn line(&self, number: u32) -> Option<Span> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let start = *self.lines.get(index)?;
        let line = self.text[start..].split('\n').next()?;
        let indent = line.len() - line.trim_start().len();
        let content = line.trim_end().len().max(indent);
        Some(Span { start: self.start + start + indent, end: self.start + start + content })
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The board file and, behind it, the file that it inherits from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Arc<SourceFile>>,
}

impl Sources {
    /// Adds a file behind the others and returns the offset of its first byte.
    pub(crate) fn add(&mut self, name: &str, text: String) -> usize {
        // One byte between files, so that the end of one is not the start of the next.
        let start = self.files.last().map_or(0, |last| last.end() + 1);
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        self.files.push(Arc::new(SourceFile { name: name.to_owned(), text, start, lines }));
        start
    }

    /// The file that a span starts in.
    pub(crate) fn file(&self, span: Span) -> Option<&SourceFile> {
        let behind = self.files.iter().rev();
        behind.map(AsRef::as_ref).find(|file| file.start <= span.start)
    }

    /// The characters of a span.
    pub fn slice(&self, span: Span) -> &str {
        self.file(span).map_or("", |file| &file.text[file.local(span)])
    }

    /// The line that a span starts on.
    pub fn origin(&self, span: Span) -> Origin {
        let Some(file) = self.file(span) else {
            return Origin::Default;
        };
        let (line, _) = file.line_and_column(file.local(span).start);
        if file.start == 0 { Origin::Line(line) } else { Origin::BaseLine(line) }
    }

    /// The content of the line that an origin names; none for a default.
    pub fn place(&self, origin: Origin) -> Option<Span> {
        match origin {
            Origin::Line(line) => self.files.first()?.line(line),
            Origin::BaseLine(line) => self.files.get(1)?.line(line),
            Origin::Default => None,
        }
    }

    /// A span as `file:line:column`.
    pub fn position(&self, span: Span) -> Option<(String, u32, u32)> {
        let file = self.file(span)?;
        let (line, column) = file.line_and_column(file.local(span).start);
        Some((file.name.clone(), line, column))
    }

    /// The name of the file with this index: 0 is the board file, 1 the one it inherits from.
    pub fn name(&self, index: usize) -> Option<&str> {
        self.files.get(index).map(|file| file.name.as_str())
    }
}
