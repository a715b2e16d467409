//! The entries of one window: the only writer of leaves at run time.
//!
//! Goes from invalid to valid and back, never from valid to valid, so break-before-make holds by construction.

use paging::{Entry, Frame, HostAttributes, Index, Level, Table, VirtAddr};

use crate::arch::this::{self, HostFormat};
use crate::board::types::Window;
use crate::image;

/// The entries of one table that this CPU walks, and what this CPU remembers of them. Two implementors: the machine's
/// ([`InTable`]) and the simulated one's.
pub trait Entries {
    /// Reads an entry.
    fn load(&self, index: Index) -> Entry;

    /// Writes an entry.
    fn store(&self, index: Index, entry: Entry);

    /// Makes entries that became valid visible to this CPU's next walk.
    fn publish(&self);

    /// Forgets the page at `at` on this CPU.
    fn forget(&self, at: VirtAddr);
}

/// Entries of a table that is part of the image, or has a planned alias.
#[derive(Clone, Copy)]
pub struct InTable(&'static Table);

impl Entries for InTable {
    fn load(&self, index: Index) -> Entry {
        self.0.load(index)
    }

    fn store(&self, index: Index, entry: Entry) {
        self.0.store(index, entry);
    }

    fn publish(&self) {
        this::tlb::publish();
    }

    fn forget(&self, at: VirtAddr) {
        this::tlb::flush_page(at);
    }
}

/// A run of entries in one table, and the addresses they translate.
#[derive(Clone, Copy)]
pub struct Leaves<E = InTable> {
    entries: E,
    first: usize,
    slots: usize,
    level: Level,
    base: VirtAddr,
}

impl Leaves {
    /// The leaves of a window whose table is static.
    pub fn of(window: &Window) -> Self {
        Self {
            entries: InTable(image::table(window.table)),
            first: window.first,
            slots: window.slots as usize,
            level: Level::L3,
            base: window.base,
        }
    }

    /// Entries of `table` from the one that translates `base`.
    pub fn within(table: &'static Table, level: Level, base: VirtAddr, slots: usize) -> Self {
        Self::from_entries(InTable(table), level, base, slots)
    }
}

impl<E: Entries> Leaves<E> {
    /// The entries from the one that translates `base`.
    pub(crate) fn from_entries(entries: E, level: Level, base: VirtAddr, slots: usize) -> Self {
        Self { entries, first: base.index(level).get(), slots, level, base }
    }

    /// The entries, all of the table's.
    #[cfg(test)]
    pub(crate) const fn entries(&self) -> &E {
        &self.entries
    }

    /// Number of slots.
    pub const fn slots(&self) -> usize {
        self.slots
    }

    /// Maps `frame` in an empty slot and returns where.
    pub fn set(&self, slot: usize, frame: Frame, attributes: HostAttributes) -> VirtAddr {
        assert!(self.is_empty(slot), "a slot is emptied before it is used again");
        self.entries.store(self.index(slot), HostFormat::leaf(self.level, frame, attributes));
        self.entries.publish();
        self.address(slot)
    }

    /// Empties a slot; this CPU has forgotten it on return.
    pub fn clear(&self, slot: usize) {
        self.entries.store(self.index(slot), Entry::INVALID);
        self.entries.forget(self.address(slot));
    }

    /// Whether nothing is mapped there.
    pub fn is_empty(&self, slot: usize) -> bool {
        self.entries.load(self.index(slot)) == Entry::INVALID
    }

    fn address(&self, slot: usize) -> VirtAddr {
        VirtAddr::new(self.base.get() + slot as u64 * self.level.entry_bytes())
    }

    fn index(&self, slot: usize) -> Index {
        assert!(slot < self.slots, "a slot lies in its window");
        Index::new(self.first + slot)
    }
}
