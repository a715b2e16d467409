//! Slots and sets of them.
//!
//! Knows nothing of entries: only which frame a slot is for, and who asked.

use core::cell::Cell;
use core::panic::Location;

use paging::{Frame, PAGE_BYTES, VirtAddr};

use crate::mm::here::bytes;

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
    /// Where it shows what it maps.
    pub(super) at: VirtAddr,
    /// Which one it is.
    pub(super) number: SlotNumber,
    /// What it maps, live or retained.
    pub(super) frame: Cell<Frame>,
    /// Guards alive.
    pub(super) references: Cell<u32>,
    /// Who mapped it first.
    pub(super) by: Cell<&'static Location<'static>>,
}

impl Slot {
    /// All of them, empty; the first one is at `base`.
    #[track_caller]
    pub(super) fn all<const SLOTS: usize>(base: VirtAddr) -> [Self; SLOTS] {
        core::array::from_fn(|number| Self {
            at: bytes(base, number as u64 * PAGE_BYTES),
            number: SlotNumber(number as u16),
            frame: Cell::new(NOTHING),
            references: Cell::new(0),
            by: Cell::new(Location::caller()),
        })
    }

    /// Mapped, and nobody holds a guard.
    #[inline]
    pub(super) fn is_retained(&self) -> bool {
        self.references.get() == 0 && self.frame.get() != NOTHING
    }
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

    /// The word of a slot. Most boards have one.
    #[inline(always)]
    fn word(&self, number: SlotNumber) -> &Cell<u64> {
        if Self::WORDS == 1 { &self.0[0] } else { &self.0[number.get() / WORD_BITS] }
    }

    #[inline]
    pub(super) fn insert(&self, number: SlotNumber) {
        let word = self.word(number);
        word.set(word.get() | 1 << (number.get() % WORD_BITS));
    }

    #[inline]
    pub(super) fn remove(&self, number: SlotNumber) {
        let word = self.word(number);
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
}
