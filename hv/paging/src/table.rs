//! One page table, and one entry of it as bits.
//!
//! What the bits mean is the business of a [`Format`](crate::Format).

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::addr::write_grouped;
use crate::level::Index;

/// Entries of a table.
pub const ENTRIES: usize = 512;

/// The bits of one entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry(u64);

impl Entry {
    /// Translates nothing, in every format.
    pub const INVALID: Self = Self(0);

    /// An entry of these bits.
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Entry(")?;
        write_grouped(out, self.0)?;
        out.write_str(")")
    }
}

/// A table as the hardware reads it.
#[repr(C, align(4096))]
pub struct Table([AtomicU64; ENTRIES]);

impl Table {
    /// Translates nothing.
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "the initial value of tables that become statics; each use is a new table"
    )]
    pub const EMPTY: Self = Self([const { AtomicU64::new(0) }; ENTRIES]);

    /// A table of these entries.
    pub const fn from_entries(entries: [Entry; ENTRIES]) -> Self {
        let mut cells = [const { AtomicU64::new(0) }; ENTRIES];
        let mut at = 0;
        while at < ENTRIES {
            cells[at] = AtomicU64::new(entries[at].get());
            at += 1;
        }
        Self(cells)
    }

    /// Reads one entry.
    pub fn load(&self, index: Index) -> Entry {
        Entry(self.0[index.get()].load(Ordering::Acquire))
    }

    /// Writes one entry; every earlier store is seen before it.
    pub fn store(&self, index: Index, entry: Entry) {
        self.0[index.get()].store(entry.get(), Ordering::Release);
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Index::all().map(|index| (index.get(), self.load(index)));
        out.debug_map().entries(set.filter(|(_, entry)| *entry != Entry::INVALID)).finish()
    }
}
