//! No window: a pool gets a 2 MiB slot of the heap's area when its first page is allocated, and keeps it until its last
//! page is free.
//!
//! The slot is cached in the block's record and the block in the slot's word, so both directions are one look-up. An
//! address says nothing about the frame's number.

use paging::{Frame, PAGE_BYTES, VirtAddr};

use super::leaves::PoolLeaves;
use super::slots::Slots;
use super::{Backing, Chunk, Ground, HeapError, Leaves, Policy};
use crate::machine::Machine;
use crate::mm::buddy::DomainHeap;
use crate::mm::frames::{Block, Order, Slot};
use crate::mm::here::{Here, Reach, bytes};
use crate::mm::space::{BootTables, SizeChanges, Space, SpaceError};

/// The heap's area: `slots` slots of 2 MiB from `base` on. The first one holds the area's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// First byte, at the start of a 2 MiB block.
    pub base: VirtAddr,
    /// Slots; 262,144 at most.
    pub slots: u64,
}

/// Policy `none`.
#[derive(Debug)]
pub struct NoWindow {
    slots: Slots,
    leaves: PoolLeaves,
}

impl NoWindow {
    /// A heap in `area`, whose root entries are there.
    ///
    /// # Errors
    /// When the boot allocator has no frame for the area's words, or for tables.
    pub fn new(
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        space: Space,
        area: Area,
        leaves: Leaves,
    ) -> Result<Self, SpaceError> {
        Ok(Self { slots: Slots::new(here, boot, space, area)?, leaves: PoolLeaves::new(space, leaves) })
    }

    /// Slots that a chunk needs of its own.
    fn slots_of(order: Order) -> u64 {
        if order.is_blocks() { order.blocks() } else { 1 }
    }

    fn release(
        &mut self,
        here: &Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        block: Block,
        slot: Slot,
        order: Order,
    ) {
        domain.set_slot(here, block, None);
        self.slots.give(here, slot, Self::slots_of(order));
    }
}

impl Backing for NoWindow {
    fn begin(
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        ground: &Ground<'_>,
        _: Policy,
    ) -> Result<Self, SpaceError> {
        Self::new(here, boot, ground.space, ground.area, ground.leaves)
    }

    fn kept_pages(&self) -> u64 {
        self.slots.pages()
    }

    fn map(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        chunk: Chunk,
    ) -> Result<VirtAddr, HeapError> {
        let block = domain.frames().block_at(chunk.first);
        let slot = match domain.frames().block(here, block).slot() {
            Some(slot) => slot,
            None => {
                let slot = self.slots.take(here, domain, block, Self::slots_of(chunk.order))?;
                domain.set_slot(here, block, Some(slot));
                slot
            }
        };
        let block_at = self.slots.address(slot);
        self.leaves.map(here, domain, block_at, chunk).map_err(|error| {
            if domain.is_alone(here, block, chunk.order) {
                self.release(here, domain, block, slot, chunk.order);
            }
            HeapError::Map(error)
        })
    }

    fn unmap(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        chunk: Chunk,
    ) -> Result<(), SpaceError> {
        let block = domain.frames().block_at(chunk.first);
        let slot = domain.frames().block(here, block).slot().expect("a pool keeps its slot while a page is in use");
        let block_at = self.slots.address(slot);
        self.leaves.unmap(here, domain, block_at, chunk)?;
        if domain.is_alone(here, block, chunk.order) {
            self.release(here, domain, block, slot, chunk.order);
        }
        Ok(())
    }

    fn address_of(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        domain: &DomainHeap,
        frame: Frame,
    ) -> Option<VirtAddr> {
        let (head, record) = domain.frames().head_of(here, frame)?;
        let slot = record.slot()?;
        let frames = frame.number() - domain.frames().first_frame(head).number();
        Some(bytes(self.slots.address(slot), frames * PAGE_BYTES))
    }

    fn frame_of(&self, here: &Here<'_, impl Machine, impl Reach>, domain: &DomainHeap, at: VirtAddr) -> Option<Frame> {
        let (block, offset_bytes) = self.slots.block_at(here, at)?;
        Some(domain.frames().first_frame(block).add(offset_bytes / PAGE_BYTES))
    }

    fn size_changes(&self) -> SizeChanges {
        self.leaves.size_changes()
    }
}
