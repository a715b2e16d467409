//! Splitting blocks and making them whole again: the pools of both zones grow and shrink here.
//!
//! A page of records is mapped before a block is split, and forgotten by every CPU before its frame is free again.

use paging::{Frame, FrameRange};

use super::nodes::Of;
use super::{DomainHeap, Nesting};
use crate::machine::Machine;
use crate::mm::frames::{Block, BlockRecord, BlockState, Node, Order, Owner, READ_WRITE, Slot, Zone};
use crate::mm::here::{Here, Reach};
use crate::mm::space::{LeafSize, SpaceError};

/// Frames of a split block besides the one that holds the records.
const USABLE: u64 = Order::BLOCK.frames() - 1;

/// Where the hypervisor heap's blocks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pools {
    /// From the domain zone, as needed, and back.
    Elastic,
    /// From a part of RAM that was set aside at boot.
    Fixed,
}

impl Pools {
    /// The zone whose lists give and take the blocks of `zone`.
    pub(super) const fn backing(self, zone: Zone) -> Zone {
        match (self, zone) {
            (Self::Elastic, _) => Zone::Domain,
            (Self::Fixed, zone) => zone,
        }
    }
}

impl DomainHeap {
    /// A split block of `zone` with a free chunk of `order`. Takes the fullest kind.
    pub(super) fn find_split(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        zone: Zone,
        order: Order,
        of: Of,
    ) -> Option<Block> {
        self.nodes_of(of).find_map(|lists| {
            let found = lists.smallest(here, zone, order, Order::BLOCK.down())?;
            Some(lists.first(here, zone, found))
        })
    }

    /// A whole block out of the lists.
    pub(super) fn take_block_to_split(
        &mut self,
        here: &Here<'_, impl Machine, impl Reach>,
        zone: Zone,
        of: Of,
    ) -> Option<Block> {
        self.take_chunk(here, zone, Order::BLOCK, of, Owner::HYPERVISOR)
    }

    /// Splits a block that is in no list. Its first frame holds the records.
    ///
    /// # Errors
    /// The block is back in the lists.
    pub(super) fn split(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        block: Block,
        zone: Zone,
    ) -> Result<(), SpaceError> {
        let node = self.frames.block(here, block).node();
        if let Err(error) = self.map_records(here, block, zone, node, 0) {
            self.give_chunk(here, block, Order::BLOCK, self.pools.backing(zone), node);
            return Err(error);
        }
        self.counts.free -= Order::BLOCK.frames();
        for order in 0..Order::BLOCK.get() {
            let order = Order::new(order);
            self.give_to(here, block, self.frames.first_frame(block).add(order.frames()), order);
        }
        Ok(())
    }

    /// Maps records for a block, nothing in it free, and puts it into its zone.
    pub(super) fn map_records(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        block: Block,
        zone: Zone,
        node: Node,
        home: u64,
    ) -> Result<(), SpaceError> {
        let at = self.frames.records_at(block);
        let frame = self.frames.first_frame(block).add(home);
        let (outer, mut records) = (self.nesting, self.records);
        self.nesting = Nesting::Splitting;
        let mapped = records.map(here, self, LeafSize::Page, at, FrameRange::new(frame, 1), READ_WRITE);
        self.records = records;
        self.nesting = outer;
        mapped?;
        here.clear_page(at);
        let record = BlockRecord::split(zone, node, home);
        self.frames.set_block(here, block, record);
        self.frames.split(here, block, record).init();
        self.counts.split += 1;
        Ok(())
    }

    /// Sets a block aside if all its frames are free, and, in the domain zone, enough are left in others.
    pub(super) fn note_if_whole(&mut self, here: &Here<'_, impl Machine, impl Reach>, block: Block) {
        let mut block = block;
        let mut record = self.frames.block(here, block);
        if record.zone() == Zone::Domain {
            let enough = self.singles >= USABLE + self.held();
            if record.free_frames() == USABLE && !enough {
                self.spare = Some(block);
                return;
            }
            if record.free_frames() < USABLE && enough {
                let Some(spare) = self.spare.take() else { return };
                (block, record) = (spare, self.frames.block(here, spare));
            }
        }
        if record.state() != BlockState::Split || record.free_frames() < USABLE {
            return;
        }
        if record.zone() == Zone::Domain {
            self.singles -= USABLE;
        }
        self.unlist(here, block, record);
        self.frames.set_block(here, block, record.with_free(0, 0));
        self.chain(here, block, self.whole);
        self.whole = Some(block);
    }

    /// Makes whole what was set aside. That frees tables, which may make further blocks whole.
    pub(super) fn settle(&mut self, here: &mut Here<'_, impl Machine, impl Reach>) {
        if self.nesting != Nesting::Outermost {
            return;
        }
        self.nesting = Nesting::Settling;
        while let Some(block) = self.whole {
            self.whole = self.chained(here, block);
            self.make_whole(here, block);
        }
        self.nesting = Nesting::Outermost;
    }

    fn make_whole(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, block: Block) {
        let record = self.frames.block(here, block);
        let at = self.frames.records_at(block);
        let frame = self.frames.first_frame(block).add(record.home());
        let mut records = self.records;
        let unmapped = records.unmap(here, self, LeafSize::Page, at, FrameRange::new(frame, 1));
        self.records = records;
        unmapped.expect("map_records has mapped exactly this page, and only this function unmaps it");
        here.released(FrameRange::new(self.frames.first_frame(block), Order::BLOCK.frames()));
        self.counts.split -= 1;
        // The other frames were counted when they were given back.
        self.counts.free += 1;
        self.give_chunk(here, block, Order::BLOCK, self.pools.backing(record.zone()), record.node());
    }

    /// Sets `blocks` blocks aside for the hypervisor's heap, for good.
    ///
    /// # Errors
    /// How many are missing.
    pub fn fix_pools(&mut self, here: &Here<'_, impl Machine, impl Reach>, blocks: u64, near: Node) -> Result<(), u64> {
        let mut left = blocks;
        while left > 0 {
            let mut order = Order::fitting(0, left * Order::BLOCK.frames());
            let chunk = loop {
                match self.take_chunk(here, Zone::Domain, order, Of::Any { near }, Owner::HYPERVISOR) {
                    Some(block) => break block,
                    None if order > Order::BLOCK => order = order.down(),
                    None => return Err(left),
                }
            };
            let node = self.frames.block(here, chunk).node();
            self.give_chunk(here, chunk, order, Zone::Heap, node);
            left -= order.blocks();
        }
        self.pools = Pools::Fixed;
        Ok(())
    }

    /// Where the records of a pool's block are, if none of its frames is free.
    pub(crate) fn full_pool(&self, here: &Here<'_, impl Machine, impl Reach>, block: Block) -> Option<Frame> {
        let record = self.frames.block(here, block);
        let full = record.state() == BlockState::Split && record.zone() == Zone::Heap && record.free_frames() == 0;
        full.then(|| self.frames.first_frame(block).add(record.home()))
    }

    /// Whether a chunk is all that is used of its block: the first one allocated, or the last one to be freed.
    pub(crate) fn is_alone(&self, here: &Here<'_, impl Machine, impl Reach>, block: Block, order: Order) -> bool {
        order.is_blocks() || self.frames.block(here, block).free_frames() + order.frames() == USABLE
    }

    /// Writes down where a heap block is mapped.
    pub(crate) fn set_slot(&mut self, here: &Here<'_, impl Machine, impl Reach>, block: Block, slot: Option<Slot>) {
        let record = self.frames.block(here, block);
        self.frames.set_block(here, block, record.with_slot(slot));
    }
}
