//! The record of one frame of a split block.
//!
//! Holds bits. What a field means depends on the state; the state is all that is always there.

use super::block::Field;
use super::{Order, Owner};

const STATE: Field = Field::after(None, 3);
const ORDER: Field = Field::after(Some(STATE), 4);
// Used.
const OWNER: Field = Field::after(Some(ORDER), 16);
// Table.
const LIVE: Field = Field::after(Some(ORDER), 10);
const GAINED: Field = Field::after(Some(LIVE), 10);
// Free.
const NEXT: Field = Field::after(Some(ORDER), 9);
const PREVIOUS: Field = Field::after(Some(NEXT), 9);

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameState {
    /// Reserved or absent, or not the first of its chunk.
    Plain,
    /// First of a free chunk.
    Free,
    /// First of a chunk that somebody owns.
    Used,
    /// A table.
    Table,
    /// First of a chunk that is never to be used again.
    Quarantined,
}

/// A frame's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRecord(u64);

impl FrameRecord {
    const GAINED_MAX: u64 = paging::ENTRIES as u64;
    /// Says nothing.
    pub(crate) const PLAIN: Self = Self(0);

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    const fn of(state: u64, order: Order) -> Self {
        Self(ORDER.put(STATE.put(0, state), order.get() as u64))
    }

    pub(crate) const fn free(order: Order, next: u64, previous: u64) -> Self {
        Self(PREVIOUS.put(NEXT.put(Self::of(1, order).0, next), previous))
    }

    pub(crate) const fn used(order: Order, owner: Owner) -> Self {
        Self(OWNER.put(Self::of(2, order).0, owner.bits()))
    }

    /// A table with `live` valid entries, none of which counts as gained.
    pub(crate) const fn table(live: u64) -> Self {
        Self(LIVE.put(Self::of(3, Order::FRAME).0, live))
    }

    /// The same table, with `entries` more.
    pub(crate) const fn gaining(self, entries: u64) -> Self {
        let gained = self.gained() + entries;
        let gained = if gained < Self::GAINED_MAX { gained } else { Self::GAINED_MAX };
        Self(GAINED.put(LIVE.put(self.0, self.live() + entries), gained))
    }

    /// The same table, with `entries` fewer.
    ///
    /// # Panics
    /// When it has not as many.
    pub(crate) const fn losing(self, entries: u64) -> Self {
        let live = self.live().checked_sub(entries).expect("every entry was counted when it became valid");
        Self(LIVE.put(self.0, live))
    }

    pub(crate) const fn quarantined(self) -> Self {
        Self(STATE.put(self.0, 4))
    }

    /// What the frame is.
    pub const fn state(self) -> FrameState {
        match STATE.get(self.0) {
            0 => FrameState::Plain,
            1 => FrameState::Free,
            2 => FrameState::Used,
            3 => FrameState::Table,
            4 => FrameState::Quarantined,
            _ => panic!("no such state was ever written"),
        }
    }

    /// Size of the chunk that it begins.
    pub const fn order(self) -> Order {
        Order::new(ORDER.get(self.0) as u8)
    }

    /// Who owns the chunk.
    pub const fn owner(self) -> Owner {
        Owner::from_bits(OWNER.get(self.0))
    }

    /// Valid entries of the table.
    pub const fn live(self) -> u64 {
        LIVE.get(self.0)
    }

    /// Entries that became valid since the table was made; not counted beyond a whole table.
    pub(crate) const fn gained(self) -> u64 {
        GAINED.get(self.0)
    }

    pub(crate) const fn next(self) -> u64 {
        NEXT.get(self.0)
    }

    pub(crate) const fn previous(self) -> u64 {
        PREVIOUS.get(self.0)
    }

    pub(crate) const fn with_next(self, next: u64) -> Self {
        Self(NEXT.put(self.0, next))
    }

    pub(crate) const fn with_previous(self, previous: u64) -> Self {
        Self(PREVIOUS.put(self.0, previous))
    }
}
