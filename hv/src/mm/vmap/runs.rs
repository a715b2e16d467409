//! Which pages of a window are in use: one bit each, in the window's own first pages.
//!
//! Never maps: says which page of the bitmap is wanted next.

use paging::{Level, PAGE_BYTES, VirtAddr};

use crate::machine::Machine;
use crate::mm::here::{Here, Reach, bytes, words};

const WORD_BITS: u64 = u64::BITS as u64;
/// Pages of a block.
const BLOCK_PAGES: u64 = Level::L2.entry_frames();
/// Pages that one page of bitmap follows.
const PAGES_PER_PAGE: u64 = PAGE_BYTES * 8;

/// The bitmap.
#[derive(Debug)]
pub(super) struct Runs {
    at: VirtAddr,
    /// Pages of the window.
    pages: u64,
    /// Pages that the bitmap follows so far.
    known: u64,
    /// No page below is free.
    lowest: u64,
}

impl Runs {
    pub(super) const fn new(at: VirtAddr, pages: u64) -> Self {
        Self { at, pages, known: 0, lowest: 0 }
    }

    pub(super) const fn can_grow(&self) -> bool {
        self.known < self.pages
    }

    /// Pages of bitmap that are mapped.
    pub(super) const fn bitmap_pages(&self) -> u64 {
        self.known.div_ceil(PAGES_PER_PAGE)
    }

    /// Where the next page of bitmap is to be mapped.
    pub(super) const fn next_bitmap_page(&self) -> VirtAddr {
        bytes(self.at, self.known / PAGES_PER_PAGE * PAGE_BYTES)
    }

    /// The next page of bitmap is mapped, and zero.
    pub(super) fn grown(&mut self, here: &Here<'_, impl Machine, impl Reach>) {
        if self.known == 0 {
            // The bitmap itself, all of it, and a guard.
            let own = self.pages.div_ceil(PAGES_PER_PAGE) + 1;
            self.known = self.pages.min(PAGES_PER_PAGE);
            self.mark(here, 0, own, Bits::Set);
            self.lowest = own;
        } else {
            self.known = self.pages.min(self.known + PAGES_PER_PAGE);
        }
    }

    /// Takes the lowest run of `pages` free pages that begins where it is to begin.
    pub(super) fn take(&mut self, here: &Here<'_, impl Machine, impl Reach>, pages: u64, start: Start) -> Option<u64> {
        self.lowest = self.next(here, self.lowest, Bits::Clear);
        let mut first = start.from(self.lowest);
        while first + pages <= self.known {
            let end = self.next_until(here, first, Bits::Set, first + pages);
            if end >= first + pages {
                self.mark(here, first, pages, Bits::Set);
                return Some(first);
            }
            first = start.from(self.next(here, end, Bits::Clear));
        }
        None
    }

    /// Gives a run back.
    pub(super) fn give(&mut self, here: &Here<'_, impl Machine, impl Reach>, first: u64, pages: u64) {
        self.mark(here, first, pages, Bits::Clear);
        self.lowest = self.lowest.min(first);
    }

    fn word(&self, here: &Here<'_, impl Machine, impl Reach>, page: u64) -> u64 {
        here.load(words(self.at, page / WORD_BITS))
    }

    /// The first page from `from` on whose bit is as wanted; the end of what is known when there is none.
    fn next(&self, here: &Here<'_, impl Machine, impl Reach>, from: u64, wanted: Bits) -> u64 {
        self.next_until(here, from, wanted, self.known)
    }

    fn next_until(&self, here: &Here<'_, impl Machine, impl Reach>, from: u64, wanted: Bits, end: u64) -> u64 {
        let mut page = from;
        while page < end {
            let word = match wanted {
                Bits::Set => self.word(here, page),
                Bits::Clear => !self.word(here, page),
            } >> (page % WORD_BITS);
            if word != 0 {
                return end.min(page + u64::from(word.trailing_zeros()));
            }
            page += WORD_BITS - page % WORD_BITS;
        }
        end
    }

    fn mark(&self, here: &Here<'_, impl Machine, impl Reach>, first: u64, pages: u64, bits: Bits) {
        let mut page = first;
        while page < first + pages {
            let offset = page % WORD_BITS;
            let count = (WORD_BITS - offset).min(first + pages - page);
            let mask = u64::MAX >> (WORD_BITS - count) << offset;
            let at = words(self.at, page / WORD_BITS);
            let before = here.load(at);
            match bits {
                Bits::Set => {
                    assert!(before & mask == 0, "a run is taken once");
                    here.store(at, before | mask);
                }
                Bits::Clear => {
                    assert!(before & mask == mask, "only a taken run is given back");
                    here.store(at, before & !mask);
                }
            }
            page += count;
        }
    }
}

/// Where a run may begin.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// At any page.
    Anywhere,
    /// At this page of a block, so that blocks of frames lie where blocks of pages do.
    InBlock(u64),
}

impl Start {
    /// The first such page from `page` on.
    fn from(self, page: u64) -> u64 {
        match self {
            Self::Anywhere => page,
            Self::InBlock(place) => page + (place + BLOCK_PAGES - page % BLOCK_PAGES) % BLOCK_PAGES,
        }
    }
}

/// In use, or not.
#[derive(Clone, Copy)]
enum Bits {
    Set,
    Clear,
}
