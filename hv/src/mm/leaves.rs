//! The entries of one window: the only writer of leaves at run time.
//!
//! Goes from invalid to valid and back, never from valid to valid, so break-before-make holds by construction.

use paging::{Entry, Frame, HostAttributes, Index, Level, Table, VirtAddr};

use crate::arch::this::{self, HostFormat};
use crate::board::types::Window;
use crate::image;

/// A run of entries in one table, and the addresses they translate.
#[derive(Clone, Copy)]
pub struct Leaves {
    table: &'static Table,
    first: usize,
    slots: usize,
    level: Level,
    base: VirtAddr,
}

impl Leaves {
    /// The leaves of a window whose table is static.
    pub fn of(window: &Window) -> Self {
        Self {
            table: image::table(window.table),
            first: window.first,
            slots: window.slots as usize,
            level: Level::L3,
            base: window.base,
        }
    }

    /// Entries of `table` from the one that translates `base`.
    pub fn within(table: &'static Table, level: Level, base: VirtAddr, slots: usize) -> Self {
        Self { table, first: base.index(level).get(), slots, level, base }
    }

    /// Number of slots.
    pub const fn slots(&self) -> usize {
        self.slots
    }

    /// Maps `frame` in an empty slot and returns where.
    pub fn set(&self, slot: usize, frame: Frame, attributes: HostAttributes) -> VirtAddr {
        assert!(self.is_empty(slot), "a slot is emptied before it is used again");
        self.table.store(self.index(slot), HostFormat::leaf(self.level, frame, attributes));
        this::tlb::publish();
        self.address(slot)
    }

    /// Empties a slot; this CPU has forgotten it on return.
    pub fn clear(&self, slot: usize) {
        self.table.store(self.index(slot), Entry::INVALID);
        this::tlb::flush_page(self.address(slot));
    }

    /// Whether nothing is mapped there.
    pub fn is_empty(&self, slot: usize) -> bool {
        self.table.load(self.index(slot)) == Entry::INVALID
    }

    fn address(&self, slot: usize) -> VirtAddr {
        VirtAddr::new(self.base.get() + slot as u64 * self.level.entry_bytes())
    }

    fn index(&self, slot: usize) -> Index {
        assert!(slot < self.slots, "a slot lies in its window");
        Index::new(self.first + slot)
    }
}
