//! RAM that a CPU's root maps for good, by class.
//!
//! Counted from the plan and from the books, without a walk; what a walk of the live tables finds is the self-tests' and
//! `cargo xtask bench memory`'s business.

use core::fmt;

use paging::PAGE_BYTES;

use super::System;
use crate::board::{self, PRIVATE, SECTIONS};
use crate::say;

/// Pages of RAM that one CPU's root maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Sections of the image, tables apart.
    pub image: u64,
    /// The image's tables: roots and leaves of fixmap and PMAP among them.
    pub tables: u64,
    /// The private area: stack, aliases of its tables, scratch pages.
    pub private: u64,
    /// The fixmap's RAM: the manifest.
    pub fixmap: u64,
    /// Records of blocks and frames, lists of free chunks.
    pub records: u64,
    /// Global maps and heap pages in use, with the books of their addresses.
    pub heap: u64,
}

impl Mapped {
    /// All of it.
    pub const fn pages(&self) -> u64 {
        self.image + self.tables + self.private + self.fixmap + self.records + self.heap
    }
}

impl System {
    /// What is mapped now. Under the policy `full` all RAM is, too.
    pub fn mapped(&self) -> Mapped {
        let pages = |bytes: u64| bytes / PAGE_BYTES;
        let all: u64 = SECTIONS.iter().map(|section| section.bytes).sum();
        let tables = board::tables::TABLES as u64;
        let aliases = 3;
        let kept = self.domain.kept();
        Mapped {
            image: pages(all) - tables - self.slack,
            tables,
            private: pages(PRIVATE.stack_bytes + PRIVATE.scratch_bytes) + aliases,
            fixmap: 1,
            records: kept.block_records + kept.frame_records + kept.lists,
            heap: self.vmap.kept_pages() + self.vmap.live_pages() + self.heap.kept_pages() + self.heap.live_pages(),
        }
    }

    /// Says what is mapped.
    pub fn say_mapped(&self) {
        say!("mapped on each CPU: {}", self.mapped());
    }
}

impl fmt::Display for Mapped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |pages: u64| (pages * PAGE_BYTES) >> 10;
        let Self { image, tables, private, fixmap, records, heap } = *self;
        write!(
            out,
            "{} KiB: image {}, tables {}, private area {}, fixmap {}, records {}, vmap and heap {}",
            kib(self.pages()),
            kib(image),
            kib(tables),
            kib(private),
            kib(fixmap),
            kib(records),
            kib(heap)
        )
    }
}
