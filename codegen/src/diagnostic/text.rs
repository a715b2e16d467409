//! A finding as a person reads it: the layout rustc's users know.
//!
//! Never colours unless asked.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Severity, Sources};

/// Whether text carries terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI sequences.
    Always,
}

/// One finding, ending in a line feed.
pub(crate) fn render(sources: &Sources, diagnostic: &Diagnostic, colour: Colour) -> String {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(one_line(&diagnostic.claim)).id(diagnostic.code.id);
    let mut group = Group::with_title(title);
    for label in &diagnostic.labels {
        let Some(file) = sources.file(label.span) else {
            continue;
        };
        let annotation = AnnotationKind::Primary.span(file.local(label.span)).label(one_line(&label.text));
        group = group.element(Snippet::source(file.text.as_str()).path(file.name.as_str()).annotation(annotation));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(one_line(note)));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(one_line(help)));
    }
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    };
    let mut text = renderer.render(&[group]).to_string();
    text.push('\n');
    text
}

/// Names come from the file and may hold anything; a message stays on its line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
