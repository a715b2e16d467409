//! The board file being written: headers, keys with where they come from, holes.
//!
//! Never decides what is written.

use super::Hole;
use crate::diagnostic::{Radix, human_bytes};
pub(super) use crate::quoted::quoted;

/// A page and what it lacks.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    holes: Vec<Hole>,
}

impl Page {
    /// A line as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A comment, which may come from the tree: one line, whatever it holds.
    pub(super) fn comment(&mut self, text: &str) {
        self.line(&format!("# {}", plain(text)));
    }

    /// A table's header, after an empty line.
    pub(super) fn header(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    /// A key, with where its value comes from.
    pub(super) fn key(&mut self, key: &str, value: &str, from: &str) {
        match from {
            "" => self.line(&format!("{key} = {value}")),
            from => self.line(&format!("{key} = {value}  # {}", plain(from))),
        }
    }

    /// Something that only a person can say.
    pub(super) fn hole(&mut self, key: &'static str, reason: impl Into<String>) {
        let reason = plain(&reason.into());
        self.line(&format!("# TODO({key}): {reason}"));
        self.holes.push(Hole { key, reason });
    }

    /// Text and holes.
    pub(super) fn finish(self) -> (String, Vec<Hole>) {
        (self.text, self.holes)
    }
}

/// One line without control characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An address.
pub(super) fn hex(number: u64) -> String {
    Radix::Hex.show(number.into())
}

/// A length: in units where they are whole and large, otherwise as a number.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => hex(bytes),
        _ if human_bytes(bytes).len() <= "1023 MiB".len() => quoted(&human_bytes(bytes)),
        _ => hex(bytes),
    }
}

/// `{ base, size }`.
pub(super) fn registers(region: super::address::Region) -> String {
    format!("{{ base = {}, size = {} }}", hex(region.base), size(region.bytes))
}

/// A name that board files take, made from one that trees use.
pub(super) fn name(text: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.@,".contains(c);
    let kept: String = text.chars().map(|c| if good(c) { c } else { '-' }).take(48).collect();
    match kept.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        true => kept,
        false => format!("n{kept}"),
    }
}
