//! Why a board cannot be planned: a code, both facts, and a value that would work.
//!
//! Holds no file text; origins become lines and carets when the refusals become diagnostics.

use std::ops::Range;

use super::interval::{Clash, Owner};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Radix, Sources};
use crate::model::Origin;

/// One reason.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// Entry of the table of codes.
    pub(super) code: &'static Code,
    /// Both facts in one sentence.
    pub(super) message: String,
    /// The keys involved, the one to change first.
    pub(super) places: Vec<Place>,
    /// What to do.
    pub(super) help: String,
}

/// A key that took part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it is written.
    pub(super) from: Origin,
    /// What it contributes.
    pub(super) label: String,
}

impl Refusal {
    /// A refusal at one key; add the others with [`Refusal::and`].
    pub(super) fn new(code: &'static Code, message: String, at: Origin, label: impl Into<String>) -> Refusal {
        Refusal { code, message, places: vec![Place { from: at, label: label.into() }], help: String::new() }
    }

    /// Names a further key.
    pub(super) fn and(mut self, from: Origin, label: impl Into<String>) -> Refusal {
        self.places.push(Place { from, label: label.into() });
        self
    }

    /// Says what to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Refusal {
        self.help = help.into();
        self
    }

    /// Two owners of the same addresses, which `get` turns into numbers.
    pub(super) fn overlap<A: Copy + Ord>(
        code: &'static Code,
        mine: &Owner,
        clash: &Clash<A>,
        get: fn(A) -> u64,
    ) -> Refusal {
        let message = format!(
            "{} {} overlaps {} {}, both claim {}",
            mine.name,
            range(&clash.range, get),
            clash.owner.name,
            range(&clash.other, get),
            range(&clash.overlap(), get),
        );
        Refusal::new(code, message, mine.from, mine.name.clone()).and(clash.owner.from, clash.owner.name.clone())
    }
}

/// Refusals with the lines they are about.
pub(super) fn diagnostics(sources: &Sources, refusals: Vec<Refusal>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new(sources.clone());
    for refusal in refusals {
        let mut diagnostic = Diagnostic::new(refusal.code, refusal.message);
        for place in refusal.places {
            diagnostic = diagnostic.at_some(sources.place(place.from), place.label);
        }
        diagnostics.push(diagnostic.help(refusal.help));
    }
    diagnostics.sort();
    diagnostics
}

/// A half-open range and its size as diagnostics print it.
pub(super) fn range<A: Copy>(range: &Range<A>, get: fn(A) -> u64) -> String {
    let (start, end) = (get(range.start), get(range.end));
    Radix::Hex.range(start, end.saturating_sub(start))
}
