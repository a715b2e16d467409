//! The domain heap: every frame that nobody owns, by node, in chunks of 4 KiB to 1 GiB.
//!
//! Chunks of whole blocks are kept in block records, smaller ones inside split blocks. A split block belongs to one
//! zone: the hypervisor heap's frames lie together in pools, which are split blocks of their own, borrowed from the
//! domain zone and given back whole. Knows no addresses of frames; asks nothing of the hypervisor heap.
//!
//! Splitting a block maps its records, which may need two tables, which are frames of split blocks: [`HELD`] frames are
//! held back for that. One more is held back for each table that was merged into a block, so that freeing a page of the
//! block, which needs a table again, cannot fail. One lock guards it, together with what maps through it; whoever waits
//! for that lock with interrupts masked answers other CPUs' requests to forget translations meanwhile.

mod nodes;
mod chunks;
mod pools;
mod tables;
mod feed;
mod quarantine;
mod cut;
#[cfg(test)]
mod tests;

pub use feed::FeedError;
pub use nodes::NodeLists;
use nodes::{NodePages, Of};
pub use pools::Pools;

use core::fmt;

use paging::Frame;

use crate::machine::Machine;
use crate::mm::frames::{Block, BlockState, FrameRecord, FrameState, Frames, Node, Order, Owner, Use, Zone};
use crate::mm::here::{Here, Reach};
use crate::mm::ration::Ration as _;
use crate::mm::space::{Space, SpaceError};
use crate::purpose::Ration;

/// Nodes at most.
pub const NODES: usize = 64;

/// Free frames of the domain zone's split blocks that only tables for records may use: a new page of records needs at
/// most a level 3 and a level 2 table.
pub const HELD: u64 = 2;

/// Why there is no chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocError {
    /// No free chunk is large enough, on any node.
    OutOfFrames,
    /// A block could not be split.
    Records(SpaceError),
}

impl fmt::Display for AllocError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfFrames => out.write_str("no free chunk of memory is large enough"),
            Self::Records(error) => write!(out, "no records for single frames: {error}"),
        }
    }
}

/// Why a chunk was not taken back: nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// It is free already.
    Double(Frame),
    /// It is not that owner's.
    Foreign(Frame),
    /// No chunk of this size begins here.
    NoChunk(Frame),
}

impl fmt::Display for FreeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Double(frame) => write!(out, "{frame} is free already"),
            Self::Foreign(frame) => write!(out, "{frame} belongs to somebody else"),
            Self::NoChunk(frame) => write!(out, "no chunk of this size begins at {frame}"),
        }
    }
}

/// What the heap has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Free frames, of all zones.
    pub free: u64,
    /// Blocks that are split.
    pub split: u64,
    /// Tables lent, since the boot allocator is gone.
    pub tables: u64,
    /// Frames that are never to be used again.
    pub quarantined: u64,
}

/// Pages that the heap keeps mapped for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Records of blocks.
    pub block_records: u64,
    /// Records of the frames of split blocks.
    pub frame_records: u64,
    /// Nodes' lists.
    pub lists: u64,
}

/// The heap.
#[derive(Debug)]
pub struct DomainHeap {
    frames: Frames,
    nodes: NodePages,
    /// Where frame records are mapped.
    records: Space,
    pools: Pools,
    /// Free frames in the domain zone's split blocks.
    singles: u64,
    /// Blocks that were merged from a table.
    merged: u64,
    counts: Counts,
    /// Blocks all of whose frames are free, to be made whole.
    whole: Option<Block>,
    /// A block all of whose frames are free, and which stays split because too few others are.
    spare: Option<Block>,
    nesting: Nesting,
    quarantine: Option<Frame>,
    /// Of tables and chunks together.
    pub(crate) ration: Ration,
    #[cfg(test)]
    pub(crate) tables_left: Option<u64>,
}

/// Whether the heap is in the middle of something: tables are lent and taken back then, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nesting {
    Outermost,
    Splitting,
    Settling,
}

impl DomainHeap {
    /// What is known about each frame.
    pub fn frames(&self) -> &Frames {
        &self.frames
    }

    /// What there is.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What it keeps mapped.
    pub fn kept(&self) -> Kept {
        let lists = self.nodes.len() as u64;
        Kept { block_records: self.frames.mapped_pages(), frame_records: self.counts.split, lists }
    }

    /// Takes a chunk of `near`'s memory if it has one, and only then another node's.
    ///
    /// # Errors
    /// When there is none.
    pub fn allocate(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        order: Order,
        owner: Owner,
        near: Node,
    ) -> Result<Frame, AllocError> {
        self.ration.take().ok_or(AllocError::OutOfFrames)?;
        self.allocate_in(here, Zone::Domain, order, owner, near)
    }

    /// Takes a chunk for the hypervisor's heap, out of its pools.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn allocate_heap(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        order: Order,
        near: Node,
    ) -> Result<Frame, AllocError> {
        self.ration.take().ok_or(AllocError::OutOfFrames)?;
        self.allocate_in(here, Zone::Heap, order, Owner::HYPERVISOR, near)
    }

    fn allocate_in(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        zone: Zone,
        order: Order,
        owner: Owner,
        near: Node,
    ) -> Result<Frame, AllocError> {
        if order.is_blocks() {
            let block = self.take_chunk(here, zone, order, Of::Any { near }, owner).ok_or(AllocError::OutOfFrames)?;
            self.counts.free -= order.frames();
            return Ok(self.frames.first_frame(block));
        }
        if zone == Zone::Domain {
            self.hold_back(here, order.frames(), near)?;
        }
        let taken = self.take_small(here, zone, order, FrameRecord::used(order, owner), near);
        // Tables that a failed split gave back may have been the last frames of their blocks.
        self.settle(here);
        taken
    }

    /// Blocks that were merged from a table: a frame is held back for each.
    pub fn merged(&self) -> u64 {
        self.merged
    }

    /// Frames that are held back.
    fn held(&self) -> u64 {
        HELD + self.merged
    }

    /// Splits a block, if taking `frames` would leave fewer than are held back.
    fn hold_back(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        frames: u64,
        near: Node,
    ) -> Result<(), AllocError> {
        if self.singles < frames + self.held() {
            self.split_one(here, Zone::Domain, Of::Any { near })?;
        }
        Ok(())
    }

    /// Takes a chunk smaller than a block and gives it `record`.
    fn take_small(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        zone: Zone,
        order: Order,
        record: FrameRecord,
        near: Node,
    ) -> Result<Frame, AllocError> {
        let block = match self.find_split(here, zone, order, Of::One(near)) {
            Some(block) => block,
            None => self.split_near(here, zone, order, near)?,
        };
        Ok(self.take_from(here, block, order, record))
    }

    /// A split block with a chunk of `order`, where `near` has none: one of its whole blocks is split before another
    /// node's memory is handed out.
    fn split_near(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        zone: Zone,
        order: Order,
        near: Node,
    ) -> Result<Block, AllocError> {
        if let Ok(block) = self.split_one(here, zone, Of::One(near)) {
            return Ok(block);
        }
        match self.find_split(here, zone, order, Of::Any { near }) {
            Some(block) => Ok(block),
            None => self.split_one(here, zone, Of::Any { near }),
        }
    }

    /// Splits a whole block into a pool of `zone`.
    fn split_one(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        zone: Zone,
        of: Of,
    ) -> Result<Block, AllocError> {
        if zone == Zone::Heap {
            // Its page of records may need tables, and those must leave enough for the next block's.
            self.hold_back(here, HELD, of.near())?;
        }
        let block = self.take_block_to_split(here, zone, of).ok_or(AllocError::OutOfFrames)?;
        self.split(here, block, zone).map_err(AllocError::Records)?;
        Ok(block)
    }

    fn take_from(
        &mut self,
        here: &Here<'_, impl Machine, impl Reach>,
        block: Block,
        order: Order,
        record: FrameRecord,
    ) -> Frame {
        let before = self.frames.block(here, block);
        let split = self.frames.split(here, block, before);
        let mut offered = before.offered();
        let index = split.take(order, &mut offered).expect("the block was in the list of those that have one");
        split.set_record(index, record);
        self.counts.free -= order.frames();
        let free = before.free_frames() - order.frames();
        self.relist(here, block, before, before.with_free(offered, free));
        if before.zone() == Zone::Domain {
            self.singles -= order.frames();
        }
        self.frames.first_frame(block).add(index)
    }

    /// Takes a chunk back.
    ///
    /// # Errors
    /// When it is not `owner`'s chunk of this size.
    pub fn free(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        first: Frame,
        order: Order,
        owner: Owner,
    ) -> Result<(), FreeError> {
        let block = self.check(here, first, order, owner)?;
        if order.is_blocks() {
            self.counts.free += order.frames();
            let record = self.frames.block(here, block);
            let zone = self.pools.backing(record.zone());
            self.give_chunk(here, block, order, zone, record.node());
        } else {
            self.give_to(here, block, first, order);
            self.note_if_whole(here, block);
            self.settle(here);
        }
        Ok(())
    }

    /// The block of a chunk that `owner` has.
    pub(crate) fn check(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        first: Frame,
        order: Order,
        owner: Owner,
    ) -> Result<Block, FreeError> {
        let block = self.frames.block_of(first).ok_or(FreeError::NoChunk(first))?;
        let record = self.frames.block(here, block);
        let aligned = first.number().is_multiple_of(Order::BLOCK.frames());
        let (used, found, whose) = match record.state() {
            BlockState::Owned => (aligned, record.order(), record.owner()),
            BlockState::Split => {
                let index = first.number() % Order::BLOCK.frames();
                let split = self.frames.split(here, block, record);
                let record = if index == record.home() { FrameRecord::PLAIN } else { split.record(index) };
                (record.state() == FrameState::Used, record.order(), record.owner())
            }
            BlockState::Plain | BlockState::Free | BlockState::Quarantined => (false, order, owner),
        };
        if used && found == order {
            return if whose == owner { Ok(block) } else { Err(FreeError::Foreign(first)) };
        }
        match self.frames.usage(here, first) {
            Use::Free { .. } => Err(FreeError::Double(first)),
            _ => Err(FreeError::NoChunk(first)),
        }
    }

    /// Puts frames back into a split block.
    fn give_to(&mut self, here: &Here<'_, impl Machine, impl Reach>, block: Block, first: Frame, order: Order) {
        let before = self.frames.block(here, block);
        let split = self.frames.split(here, block, before);
        let mut offered = before.offered();
        split.give(order, first.number() % Order::BLOCK.frames(), &mut offered);
        let free = before.free_frames() + order.frames();
        self.relist(here, block, before, before.with_free(offered, free));
        self.counts.free += order.frames();
        if before.zone() == Zone::Domain {
            self.singles += order.frames();
        }
    }
}
