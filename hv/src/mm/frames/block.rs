//! The first word of a block's record.
//!
//! Holds bits; the second word, links of lists, is `buddy/nodes.rs`'s.

use super::{Node, Order, Owner};

/// A field of a word.
#[derive(Clone, Copy)]
pub(super) struct Field {
    shift: u32,
    bits: u32,
}

impl Field {
    /// `bits` bits behind `before`, or at the bottom.
    pub(super) const fn after(before: Option<Self>, bits: u32) -> Self {
        let shift = match before {
            Some(before) => before.shift + before.bits,
            None => 0,
        };
        assert!(shift + bits <= u64::BITS, "the fields fit the word");
        Self { shift, bits }
    }

    pub(super) const fn get(self, word: u64) -> u64 {
        word >> self.shift & self.mask()
    }

    pub(super) const fn put(self, word: u64, value: u64) -> u64 {
        assert!(value <= self.mask(), "the value fits its field");
        word & !(self.mask() << self.shift) | value << self.shift
    }

    const fn mask(self) -> u64 {
        (1 << self.bits) - 1
    }
}

const STATE: Field = Field::after(None, 3);
const ZONE: Field = Field::after(Some(STATE), 1);
const NODE: Field = Field::after(Some(ZONE), 6);
/// Heap blocks: where they are mapped.
const SLOT: Field = Field::after(Some(NODE), 24);
// Of a split block.
const OFFERED: Field = Field::after(Some(SLOT), 9);
const FREE: Field = Field::after(Some(OFFERED), 9);
const HOME: Field = Field::after(Some(FREE), 9);
// Of a chunk of whole blocks.
const ORDER: Field = Field::after(Some(SLOT), 5);
const OWNER: Field = Field::after(Some(ORDER), 16);

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockState {
    /// Reserved or absent, or not the first of its chunk.
    Plain,
    /// First of a free chunk.
    Free,
    /// First of a chunk that somebody owns.
    Owned,
    /// Its frames have records of their own.
    Split,
    /// First of a chunk that is never to be used again.
    Quarantined,
}

/// Whose lists a block belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// Domains' memory, tables, records.
    Domain,
    /// The hypervisor heap's pools.
    Heap,
}

/// Where a heap block is mapped when there is no window: 2 MiB slots of the heap's own area; slot 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// Slots a record can name.
    pub(crate) const LIMIT: u64 = 1 << SLOT.bits;

    pub(crate) const fn new(slot: u64) -> Self {
        assert!(slot < Self::LIMIT, "a record can name the slot");
        Self(slot as u32)
    }

    pub(crate) const fn get(self) -> u64 {
        self.0 as u64
    }

    pub(crate) const fn add(self, slots: u64) -> Self {
        Self::new(self.get() + slots)
    }
}

/// A block's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRecord(u64);

impl BlockRecord {
    /// Says nothing.
    pub(crate) const PLAIN: Self = Self(0);

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    const fn of(state: u64, zone: Zone, node: Node) -> Self {
        let zone = match zone {
            Zone::Domain => 0,
            Zone::Heap => 1,
        };
        Self(NODE.put(ZONE.put(STATE.put(0, state), zone), node.0 as u64))
    }

    pub(crate) const fn free(order: Order, zone: Zone, node: Node) -> Self {
        Self(ORDER.put(Self::of(1, zone, node).0, order.get() as u64))
    }

    pub(crate) const fn owned(order: Order, zone: Zone, node: Node, owner: Owner) -> Self {
        Self(OWNER.put(ORDER.put(Self::of(2, zone, node).0, order.get() as u64), owner.bits()))
    }

    /// Split, nothing free; the records are in frame `home` of the block.
    pub(crate) const fn split(zone: Zone, node: Node, home: u64) -> Self {
        Self(HOME.put(Self::of(3, zone, node).0, home))
    }

    pub(crate) const fn quarantined(self) -> Self {
        Self(STATE.put(self.0, 4))
    }

    /// What the block is.
    pub const fn state(self) -> BlockState {
        match STATE.get(self.0) {
            0 => BlockState::Plain,
            1 => BlockState::Free,
            2 => BlockState::Owned,
            3 => BlockState::Split,
            4 => BlockState::Quarantined,
            _ => panic!("no such state was ever written"),
        }
    }

    /// Whose lists it belongs to.
    pub const fn zone(self) -> Zone {
        if ZONE.get(self.0) == 0 { Zone::Domain } else { Zone::Heap }
    }

    /// Its node.
    pub const fn node(self) -> Node {
        Node(NODE.get(self.0) as u8)
    }

    /// Where it is mapped, if it is a heap block; `None` when nowhere.
    pub const fn slot(self) -> Option<Slot> {
        match SLOT.get(self.0) {
            0 => None,
            slot => Some(Slot::new(slot)),
        }
    }

    pub(crate) const fn with_slot(self, slot: Option<Slot>) -> Self {
        let slot = match slot {
            Some(slot) => slot.get(),
            None => 0,
        };
        Self(SLOT.put(self.0, slot))
    }

    /// Size of the chunk that it begins.
    pub const fn order(self) -> Order {
        Order::new(ORDER.get(self.0) as u8)
    }

    /// Who owns the chunk.
    pub const fn owner(self) -> Owner {
        Owner::from_bits(OWNER.get(self.0))
    }

    /// One bit for each order of which the split block has a free chunk.
    pub const fn offered(self) -> u64 {
        OFFERED.get(self.0)
    }

    /// Free frames of the split block.
    pub const fn free_frames(self) -> u64 {
        FREE.get(self.0)
    }

    pub(crate) const fn with_free(self, offered: u64, free: u64) -> Self {
        Self(FREE.put(OFFERED.put(self.0, offered), free))
    }

    /// Which frame of the split block holds the records.
    pub(crate) const fn home(self) -> u64 {
        HOME.get(self.0)
    }
}
