//! What is wrong with a board file: code, claim, both places, notes, help.
//!
//! Every stage pushes into one [`Diagnostics`], so that a run reports everything it found. Never decides an exit code
//! and never prints: callers choose between [`Diagnostics::text`] and [`Diagnostics::json`].

mod json;
mod number;
mod source;
mod text;

pub use number::{Radix, aligned_up, human_bytes};
pub use source::{Sources, Span};
pub use text::Colour;

use crate::codes::{self, Code};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is generated.
    Error,
    /// Generated all the same.
    Warning,
}

/// One place in a file and what is to be seen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The characters that the carets underline.
    pub span: Span,
    /// Text after the carets.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Entry of the table of codes.
    pub code: &'static Code,
    /// One sentence: both names and both facts.
    pub claim: String,
    /// Places, the one to change first.
    pub labels: Vec<Label>,
    /// Further facts, for example the overlap.
    pub notes: Vec<String>,
    /// What to do, with a value that would work.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A finding with the code's own severity and no place yet.
    pub fn new(code: &'static Code, claim: impl Into<String>) -> Self {
        Self { code, claim: claim.into(), labels: Vec::new(), notes: Vec::new(), help: Vec::new() }
    }

    /// Adds a place; the first one added is the one that sorts the finding.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a place when there is one: a documented default has none.
    #[must_use]
    pub fn at_some(self, span: Option<Span>, text: impl Into<String>) -> Self {
        match span {
            Some(span) => self.at(span, text),
            None => self,
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds a remedy.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Whether it stops the run.
    pub fn severity(&self) -> Severity {
        self.code.severity
    }
}

/// Everything one run found, with the files it was found in.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    sources: Sources,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty list over these files.
    pub fn new(sources: Sources) -> Self {
        Self { sources, list: Vec::new() }
    }

    /// Adds one finding, unless the same was already made at the same place.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        debug_assert!(codes::find(diagnostic.code.id).is_some());
        let known = self.list.iter().any(|old| {
            old.code.id == diagnostic.code.id && old.claim == diagnostic.claim && old.labels == diagnostic.labels
        });
        if !known {
            self.list.push(diagnostic);
        }
    }

    /// Adds all of another stage's findings over the same files.
    pub fn append(&mut self, other: Diagnostics) {
        for diagnostic in other.list {
            self.push(diagnostic);
        }
    }

    /// Whether anything stops the run.
    pub fn has_errors(&self) -> bool {
        self.iter().any(|d| d.severity() == Severity::Error)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many findings.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The files that spans point into.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Findings in the order of [`Diagnostics::sort`] if that was called, else of discovery.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Errors first, then by place, then by code: the order in which they are shown.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|d| {
            let place = d.labels.first().map_or(0, |label| label.span.start);
            (d.severity() == Severity::Warning, place, d.code.id)
        });
    }

    /// `Ok(value)` when nothing stops the run; the findings otherwise.
    pub fn into_result<T>(mut self, value: Option<T>) -> Result<(T, Diagnostics), Diagnostics> {
        self.sort();
        match value {
            Some(value) if !self.has_errors() => Ok((value, self)),
            _ => Err(self),
        }
    }

    /// As a person reads them, one block a finding.
    pub fn text(&self, colour: Colour) -> String {
        let blocks: Vec<String> = self.list.iter().map(|d| text::render(&self.sources, d, colour)).collect();
        blocks.join("\n")
    }

    /// As a program reads them: one JSON array of objects.
    pub fn json(&self) -> String {
        json::render(&self.sources, &self.list)
    }
}
