//! From the boot allocator to the heap, once.
//!
//! Everything that the heap needs for itself is mapped before the boot allocator is consumed: block records, each node's
//! lists, and the tables for the records of the first block to be split. From then on tables come from the heap.

use core::fmt;

use paging::{FrameRange, VirtAddr};

use super::nodes::{NodePages, Of};
use super::{Counts, DomainHeap, NODES, Nesting, NodeLists, Pools};
use crate::machine::Machine;
use crate::mm::boot_alloc::BootAllocator;
use crate::mm::frames::{Bank, Block, BlockState, Frames, Node, Order, Zone};
use crate::mm::here::{Here, Reach};
use crate::mm::space::{BootTables, LeafSize, Space, SpaceError};

/// Why there is no heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedError {
    /// Not even one whole 2 MiB block is free.
    NoWholeBlock,
    /// More nodes than lists.
    TooManyNodes,
    /// Boot ran out of memory.
    Space(SpaceError),
}

impl fmt::Display for FeedError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWholeBlock => out.write_str("no whole 2 MiB block of RAM is left for the heap"),
            Self::TooManyNodes => write!(out, "there are more than {NODES} NUMA nodes"),
            Self::Space(error) => write!(out, "the heap's own records: {error}"),
        }
    }
}

impl From<SpaceError> for FeedError {
    fn from(error: SpaceError) -> Self {
        Self::Space(error)
    }
}

impl DomainHeap {
    /// Takes over from the boot allocator. Each node's lists are mapped from `lists_at` on, a page each.
    ///
    /// # Errors
    /// When there is no room for the heap's own records.
    pub fn new(
        here: &mut Here<'_, impl Machine, impl Reach>,
        mut boot: BootAllocator,
        frames: Frames,
        space: Space,
        lists_at: VirtAddr,
    ) -> Result<Self, FeedError> {
        let (mut lists_space, mut records) = (space, space);
        let nodes = make_lists(here, &mut boot, &mut lists_space, lists_at, frames.banks())?;
        let seed = seed_tables(here, &mut boot, &mut records, &frames)?;
        let mut heap = Self {
            frames,
            nodes,
            records,
            pools: Pools::Elastic,
            singles: 0,
            merged: 0,
            counts: Counts::default(),
            whole: None,
            spare: None,
            nesting: Nesting::Outermost,
            quarantine: None,
            ration: boot.ration,
            #[cfg(test)]
            tables_left: None,
        };
        let ranges = boot.drain();
        heap.feed_seed(here, seed, &ranges)?;
        for range in ranges {
            let seed = FrameRange::new(heap.frames.first_frame(seed), Order::BLOCK.frames());
            heap.feed(here, FrameRange::between(range.first, seed.first.min(range.end())));
            heap.feed(here, FrameRange::between(seed.end().max(range.first), range.end()));
        }
        heap.note_if_whole(here, seed);
        heap.settle(here);
        Ok(heap)
    }

    /// The first block: split, so that there are frames for tables.
    fn feed_seed(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        seed: Block,
        ranges: &[FrameRange],
    ) -> Result<(), FeedError> {
        let whole = FrameRange::new(self.frames.first_frame(seed), Order::BLOCK.frames());
        if !ranges.iter().any(|range| range.contains_range(whole)) {
            return Err(FeedError::NoWholeBlock);
        }
        self.feed_chunk(here, seed, Order::BLOCK);
        let node = self.frames.block(here, seed).node();
        let block = self.take_block_to_split(here, Zone::Domain, Of::One(node)).expect("it was fed just now");
        self.split(here, block, Zone::Domain)?;
        Ok(())
    }

    /// Adds free frames; those of broken blocks that cannot be recorded stay reserved.
    fn feed(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, range: FrameRange) {
        let mut left = range;
        while !left.is_empty() {
            let block = self.frames.block_at(left.first);
            let within = left.first.number() % Order::BLOCK.frames();
            let frames = if within == 0 && left.frames >= Order::BLOCK.frames() {
                let order = Order::fitting(left.first.number(), left.frames);
                self.feed_chunk(here, block, order);
                order.frames()
            } else {
                let frames = left.frames.min(Order::BLOCK.frames() - within);
                self.feed_part(here, block, within, frames);
                frames
            };
            left = FrameRange::between(left.first.add(frames), left.end());
        }
    }

    fn feed_chunk(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, block: Block, order: Order) {
        self.counts.free += order.frames();
        let node = self.node_of(block);
        self.give_chunk(here, block, order, Zone::Domain, node);
    }

    /// Frames of a block of which others are not free: it stays split.
    fn feed_part(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, block: Block, first: u64, frames: u64) {
        let (mut first, end) = (first, first + frames);
        if self.frames.block(here, block).state() != BlockState::Split {
            let node = self.node_of(block);
            if self.map_records(here, block, Zone::Domain, node, first).is_err() {
                return;
            }
            first += 1;
        }
        while first < end {
            let order = Order::fitting(first | Order::BLOCK.frames(), end - first);
            let frame = self.frames.first_frame(block).add(first);
            self.give_to(here, block, frame, order);
            first += order.frames();
        }
        self.note_if_whole(here, block);
        self.settle(here);
    }

    fn node_of(&self, block: Block) -> Node {
        let bytes = FrameRange::new(self.frames.first_frame(block), Order::BLOCK.frames());
        let bank = self.frames.banks().iter().find(|bank| bank.frames.intersects(bytes));
        bank.map_or(Node(0), |bank| bank.node)
    }
}

/// One page of lists for each node, in its own memory.
fn make_lists(
    here: &mut Here<'_, impl Machine, impl Reach>,
    boot: &mut BootAllocator,
    space: &mut Space,
    at: VirtAddr,
    banks: &[Bank],
) -> Result<NodePages, FeedError> {
    let mut nodes = NodePages::new(at);
    for bank in banks {
        let Some((at, place)) = nodes.missing(bank.node) else { continue };
        NodeLists::new(here, &mut BootTables::new(boot), space, at, *bank)?;
        if !nodes.add(bank.node, place) {
            return Err(FeedError::TooManyNodes);
        }
    }
    Ok(nodes)
}

/// Chooses the first block to be split, and makes the tables for its records.
fn seed_tables(
    here: &mut Here<'_, impl Machine, impl Reach>,
    boot: &mut BootAllocator,
    records: &mut Space,
    frames: &Frames,
) -> Result<Block, FeedError> {
    let first_whole = |range: &FrameRange| {
        let first = range.first.number().next_multiple_of(Order::BLOCK.frames());
        (first + Order::BLOCK.frames() <= range.end().number()).then(|| paging::Frame::new(first))
    };
    let seed = boot.free().iter().find_map(first_whole).ok_or(FeedError::NoWholeBlock)?;
    let seed = frames.block_at(seed);
    records.make_tables(here, &mut BootTables::new(boot), LeafSize::Page, frames.records_at(seed))?;
    Ok(seed)
}
