//! Slots and sets of them.
//!
//! Knows nothing of entries: only which frame a slot is for, and who asked.

use core::cell::Cell;
use core::panic::Location;

use paging::Frame;

/// What an empty slot holds: a frame that no format has a place for.
pub(super) const NOTHING: Frame = Frame::new((1 << 52) - 1);

/// Slots that one table has leaves for.
const SLOTS_MAX: usize = paging::ENTRIES;
const WORD_BITS: usize = u64::BITS as usize;

/// Which slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotNumber(u16);

impl SlotNumber {
    /// There is always one.
    pub(super) const FIRST: Self = Self(0);

    #[inline(always)]
    pub(super) fn get(self) -> usize {
        usize::from(self.0)
    }

    pub(super) fn all<const SLOTS: usize>() -> impl Iterator<Item = Self> {
        (0..SLOTS as u16).map(Self)
    }
}

/// What is known of a slot.
#[derive(Debug)]
pub(super) struct Slot {
    /// What it maps, live or retained.
    pub(super) frame: Cell<Frame>,
    /// Guards alive.
    pub(super) references: Cell<u32>,
    /// Who mapped it first.
    pub(super) by: Cell<&'static Location<'static>>,
}

impl Slot {
    #[expect(clippy::declare_interior_mutable_const, reason = "the initial value of an array; each use is a new slot")]
    pub(super) const EMPTY: Self =
        Self { frame: Cell::new(NOTHING), references: Cell::new(0), by: Cell::new(Location::caller()) };
}

/// Some of `SLOTS` slots.
#[derive(Debug)]
pub(super) struct SlotSet<const SLOTS: usize>([Cell<u64>; SLOTS_MAX.div_ceil(WORD_BITS)]);

impl<const SLOTS: usize> SlotSet<SLOTS> {
    const WORDS: usize = SLOTS.div_ceil(WORD_BITS);

    pub(super) fn none() -> Self {
        Self([const { Cell::new(0) }; SLOTS_MAX.div_ceil(WORD_BITS)])
    }

    pub(super) fn all() -> Self {
        let set = Self::none();
        SlotNumber::all::<SLOTS>().for_each(|number| set.insert(number));
        set
    }

    #[inline]
    pub(super) fn insert(&self, number: SlotNumber) {
        let word = &self.0[number.get() / WORD_BITS];
        word.set(word.get() | 1 << (number.get() % WORD_BITS));
    }

    #[inline]
    pub(super) fn remove(&self, number: SlotNumber) {
        let word = &self.0[number.get() / WORD_BITS];
        word.set(word.get() & !(1 << (number.get() % WORD_BITS)));
    }

    #[inline]
    pub(super) fn first(&self) -> Option<SlotNumber> {
        let word = self.0[..Self::WORDS].iter().position(|word| word.get() != 0)?;
        let bit = self.0[word].get().trailing_zeros() as usize;
        Some(SlotNumber((word * WORD_BITS + bit) as u16))
    }

    /// Moves all of them to `other`.
    pub(super) fn move_to(&self, other: &Self) {
        for (from, to) in self.0.iter().zip(&other.0) {
            to.set(to.get() | from.take());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SlotNumber> {
        SlotNumber::all::<SLOTS>()
            .filter(|number| self.0[number.get() / WORD_BITS].get() & 1 << (number.get() % WORD_BITS) != 0)
    }
}
