//! A range to be mapped or unmapped, cut into what single entries span.
//!
//! Works in page numbers of the 2^48 bytes that four levels translate; never sees entries.

use crate::addr::{InputAddress, PAGE_BYTES};
use crate::format::Format;
use crate::level::{Index, Level};
use crate::map::MapError;

/// Pages that four levels translate.
const PAGES: u64 = Level::L0.table_frames();

/// `frames` pages from number `page`, behind which lie the frames from number `first`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) page: u64,
    pub(crate) first: u64,
    pub(crate) frames: u64,
}

impl Request {
    /// The page number of `at` if a root at `level` translates it.
    pub(crate) fn page_of<F: Format>(level: Level, at: F::Input) -> Option<u64> {
        let page = at.get() / PAGE_BYTES % PAGES;
        let canonical = F::input(page * PAGE_BYTES).get() == at.get() - at.get() % PAGE_BYTES;
        (canonical && page < level.table_frames()).then_some(page)
    }

    /// A request for `frames` pages from `at`; checks that a root at `level` translates them all.
    pub(crate) fn new<F: Format>(level: Level, at: F::Input, first: u64, frames: u64) -> Result<Self, MapError<F>> {
        if at.get() % PAGE_BYTES != 0 {
            return Err(MapError::Misaligned { at });
        }
        let out_of_range = MapError::OutOfRange { at };
        let page = Self::page_of::<F>(level, at).ok_or(out_of_range)?;
        if frames > level.table_frames() - page {
            return Err(out_of_range);
        }
        // The range must not run into the hole between two halves of an address space.
        let last = page + frames.saturating_sub(1);
        if F::input(last * PAGE_BYTES).get() - at.get() != (last - page) * PAGE_BYTES {
            return Err(out_of_range);
        }
        Ok(Self { page, first, frames })
    }

    /// Its first input address.
    pub(crate) fn at<F: Format>(self) -> F::Input {
        F::input(self.page * PAGE_BYTES)
    }

    /// It begins where the entry at `level` begins that translates its first page.
    pub(crate) const fn entry_start(self, level: Level) -> Self {
        let before = self.page % level.entry_frames();
        Self { page: self.page - before, ..self }
    }

    /// Whether it is all that one entry at `level` spans.
    pub(crate) const fn fills_entry(self, level: Level) -> bool {
        self.frames == level.entry_frames()
    }

    /// Whether one leaf at `level` can be all of it.
    pub(crate) const fn fits_leaf(self, level: Level) -> bool {
        self.fills_entry(level) && self.first.is_multiple_of(level.entry_frames())
    }

    /// Cuts it where entries at `level` begin. It lies within one table of that level.
    pub(crate) fn pieces(self, level: Level) -> impl Iterator<Item = (Index, Self)> {
        let span = level.entry_frames();
        let end = self.page + self.frames;
        let mut page = self.page;
        core::iter::from_fn(move || {
            if page >= end {
                return None;
            }
            let frames = (span - page % span).min(end - page);
            let piece = Self { page, first: self.first + (page - self.page), frames };
            page += frames;
            Some((Index::of(piece.page * PAGE_BYTES, level), piece))
        })
    }
}
