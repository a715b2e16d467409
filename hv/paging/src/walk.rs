//! The walker: what the hardware would find for one address.
//!
//! Reads each entry once, from the root down; never writes. Levels strictly descend, so tables that
//! link to themselves end like any other.

use crate::access::TableAccess;
use crate::addr::{InputAddress, PAGE_BYTES, PhysAddr};
use crate::format::{Decoded, Format};
use crate::frame::Frame;
use crate::level::{Index, Level};
use crate::request::Request;
use crate::table::Entry;

/// The table where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Where it is.
    pub frame: Frame,
    /// Where it stands: `L0`, or lower for a guest with fewer address bits.
    pub level: Level,
}

impl Root {
    /// The table at `level` in `frame`.
    pub const fn new(frame: Frame, level: Level) -> Self {
        Self { frame, level }
    }
}

/// A translation as a table holds it: a page or a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf<F: Format> {
    /// First input address.
    pub at: F::Input,
    /// Level of the table that holds it; [`Level::entry_bytes`] is its size.
    pub level: Level,
    /// First frame.
    pub frame: Frame,
    /// What it grants.
    pub attributes: F::Attributes,
}

/// One entry that a walk read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Level of the table.
    pub level: Level,
    /// The table.
    pub table: Frame,
    /// Where in it.
    pub index: Index,
    /// What was there.
    pub entry: Entry,
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translation<F: Format> {
    /// The address is mapped.
    Leaf(Leaf<F>),
    /// The last step's entry is invalid.
    Invalid,
    /// The last step's entry is none the format writes; the hardware may still translate.
    Unknown,
    /// The root does not reach this address, or the address is not canonical: nothing was read.
    OutOfRange,
}

/// What [`walk`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk<F: Format> {
    at: F::Input,
    steps: [Option<Step>; Level::ALL.len()],
    /// How it ended.
    pub result: Translation<F>,
}

impl<F: Format> Walk<F> {
    /// The entries read, from the root down.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        self.steps.iter().flatten().copied()
    }

    /// Where the address leads; `None` unless it is mapped.
    pub fn physical(&self) -> Option<PhysAddr> {
        match self.result {
            Translation::Leaf(leaf) => {
                let offset = self.at.get() % leaf.level.entry_bytes();
                leaf.frame.address().checked_add(offset)
            }
            Translation::Invalid | Translation::Unknown | Translation::OutOfRange => None,
        }
    }
}

/// Translates `at` as the hardware would with these tables, and keeps what it reads.
pub fn walk<F: Format>(access: &mut impl TableAccess, root: Root, at: F::Input) -> Walk<F> {
    let mut steps = [None; Level::ALL.len()];
    let mut places = steps.iter_mut();
    let result = translate(access, root, at, |step| {
        if let Some(place) = places.next() {
            *place = Some(step);
        }
    });
    Walk { at, steps, result }
}

/// Translates `at` as the hardware would with these tables. `seen` is shown each entry when it is read, from the root
/// down.
pub fn translate<F: Format>(
    access: &mut impl TableAccess,
    root: Root,
    at: F::Input,
    mut seen: impl FnMut(Step),
) -> Translation<F> {
    let Some(page) = Request::page_of::<F>(root.level, at) else {
        return Translation::OutOfRange;
    };
    let (mut table, mut level) = (root.frame, root.level);
    loop {
        let index = Index::of(page * PAGE_BYTES, level);
        let entry = access.read(table, index);
        seen(Step { level, table, index, entry });
        match (F::decode(level, entry), level.child()) {
            (Decoded::Table(next), Some(child)) => (table, level) = (next, child),
            (Decoded::Leaf { frame, attributes }, _) => {
                let at = F::input((page - page % level.entry_frames()) * PAGE_BYTES);
                return Translation::Leaf(Leaf { at, level, frame, attributes });
            }
            (Decoded::Invalid, _) => return Translation::Invalid,
            (Decoded::Table(_), None) | (Decoded::Unknown, _) => return Translation::Unknown,
        }
    }
}
