//! The slots of the heap's area: one word each, the block that is mapped there.
//!
//! The words lie in slot 0, which is nobody's, and are mapped a page at a time as slots are used.

use paging::{Frame, FrameRange, PAGE_BYTES, VirtAddr};

use super::{Area, HeapError};
use crate::machine::Machine;
use crate::mm::buddy::DomainHeap;
use crate::mm::frames::{Block, Order, READ_WRITE, Slot};
use crate::mm::here::{Here, Reach, bytes, words};
use crate::mm::space::{BootTables, LeafSize, Space, SpaceError, Tables};

/// Bytes of a slot.
const SLOT_BYTES: u64 = Order::BLOCK.frames() * PAGE_BYTES;
/// Slots that a page of words follows.
const SLOTS_PER_PAGE: u64 = PAGE_BYTES / 8;
/// Nothing is mapped there.
const VACANT: u64 = 0;

/// The area.
#[derive(Debug)]
pub(super) struct Slots {
    space: Space,
    area: Area,
    /// Slots whose words are mapped.
    known: u64,
    /// No slot below is vacant.
    lowest: u64,
}

impl Slots {
    pub(super) fn new(
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        space: Space,
        area: Area,
    ) -> Result<Self, SpaceError> {
        const { assert!(SLOT_BYTES / 8 <= Slot::LIMIT, "a record can name every slot whose word fits slot 0") };
        assert!(area.slots <= SLOT_BYTES / 8, "the words of all slots fit slot 0");
        let mut slots = Self { space, area, known: 0, lowest: 1 };
        let frame = boot.data().ok_or(SpaceError::OutOfTables)?;
        slots.add_page(here, boot, frame)?;
        Ok(slots)
    }

    /// Pages of words.
    pub(super) fn pages(&self) -> u64 {
        self.known.div_ceil(SLOTS_PER_PAGE)
    }

    /// First byte of a slot.
    pub(super) fn address(&self, slot: Slot) -> VirtAddr {
        bytes(self.area.base, slot.get() * SLOT_BYTES)
    }

    /// The block behind an address, and how far into it the address lies, bytes.
    pub(super) fn block_at(&self, here: &Here<'_, impl Machine, impl Reach>, at: VirtAddr) -> Option<(Block, u64)> {
        let offset = at.get().checked_sub(self.area.base.get())?;
        let slot = offset / SLOT_BYTES;
        if slot == 0 || slot >= self.known {
            return None;
        }
        let block = here.load(self.word(slot)).checked_sub(1)?;
        Some((Block::from_number(block), offset % SLOT_BYTES))
    }

    /// Takes consecutive vacant slots for consecutive blocks.
    pub(super) fn take(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        block: Block,
        slots: u64,
    ) -> Result<Slot, HeapError> {
        let mut first = self.vacant_from(here, self.lowest);
        self.lowest = first;
        let mut end = first;
        while end < first + slots {
            if end == self.area.slots {
                return Err(HeapError::AreaFull);
            }
            if end == self.known {
                self.grow(here, domain).map_err(HeapError::Map)?;
            }
            if here.load(self.word(end)) == VACANT {
                end += 1;
            } else {
                first = self.vacant_from(here, end);
                end = first;
            }
        }
        for slot in 0..slots {
            here.store(self.word(first + slot), block.number() + slot + 1);
        }
        Ok(Slot::new(first))
    }

    /// Makes slots vacant.
    pub(super) fn give(&mut self, here: &Here<'_, impl Machine, impl Reach>, first: Slot, slots: u64) {
        for slot in 0..slots {
            here.store(self.word(first.get() + slot), VACANT);
        }
        self.lowest = self.lowest.min(first.get());
    }

    fn vacant_from(&self, here: &Here<'_, impl Machine, impl Reach>, from: u64) -> u64 {
        (from..self.known).find(|slot| here.load(self.word(*slot)) == VACANT).unwrap_or(self.known)
    }

    fn word(&self, slot: u64) -> VirtAddr {
        words(self.area.base, slot)
    }

    fn grow(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
    ) -> Result<(), SpaceError> {
        let frame = Tables::allocate(domain, here).ok_or(SpaceError::OutOfTables)?;
        self.add_page(here, domain, frame).inspect_err(|_| Tables::free(domain, here, frame))
    }

    fn add_page(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
        frame: Frame,
    ) -> Result<(), SpaceError> {
        let at = bytes(self.area.base, self.known / SLOTS_PER_PAGE * PAGE_BYTES);
        self.space.map(here, tables, LeafSize::Page, at, FrameRange::new(frame, 1), READ_WRITE)?;
        here.clear_page(at);
        self.known = self.area.slots.min(self.known + SLOTS_PER_PAGE);
        Ok(())
    }
}
