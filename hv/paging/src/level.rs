//! Levels of a page table and positions in one.
//!
//! Arm's numbering for both architectures: `L0` is the x86 PML4, `L3` its page table.

use crate::addr::PAGE_BYTES;
use crate::table::ENTRIES;

/// Bits of an input address that one level resolves.
const INDEX_BITS: u32 = 9;

/// Where a table stands in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// PML4: an entry spans 512 GiB.
    L0,
    /// Page directory pointer table: an entry spans 1 GiB.
    L1,
    /// Page directory: an entry spans 2 MiB.
    L2,
    /// Page table: an entry is a page.
    L3,
}

impl Level {
    /// Every level, from the root down.
    pub const ALL: [Self; 4] = [Self::L0, Self::L1, Self::L2, Self::L3];

    /// The level that an entry of this one may point to.
    pub const fn child(self) -> Option<Self> {
        match self {
            Self::L0 => Some(Self::L1),
            Self::L1 => Some(Self::L2),
            Self::L2 => Some(Self::L3),
            Self::L3 => None,
        }
    }

    /// Levels below this one.
    const fn below(self) -> u32 {
        match self {
            Self::L0 => 3,
            Self::L1 => 2,
            Self::L2 => 1,
            Self::L3 => 0,
        }
    }

    /// Frames that one entry spans.
    pub const fn entry_frames(self) -> u64 {
        1 << (INDEX_BITS * self.below())
    }

    /// Bytes that one entry spans.
    pub const fn entry_bytes(self) -> u64 {
        self.entry_frames() * PAGE_BYTES
    }

    /// Frames that one whole table spans.
    pub const fn table_frames(self) -> u64 {
        self.entry_frames() * ENTRIES as u64
    }

    /// Bits of input address that a table tree with its root here translates.
    pub const fn input_bits(self) -> u32 {
        self.table_frames().ilog2() + PAGE_BYTES.ilog2()
    }
}

/// Position of an entry in its table: 0 to 511.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(u16);

impl Index {
    /// Entry number `index`.
    ///
    /// # Panics
    /// When a table has no such entry.
    pub const fn new(index: usize) -> Self {
        assert!(index < ENTRIES, "a table has 512 entries");
        Self(index as u16)
    }

    /// The entry of a table at `level` that translates input address `address`.
    pub(crate) const fn of(address: u64, level: Level) -> Self {
        Self((address / level.entry_bytes() % ENTRIES as u64) as u16)
    }

    /// Its number.
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..ENTRIES).map(Self::new)
    }
}
