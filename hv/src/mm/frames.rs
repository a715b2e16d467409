//! What is known about frames, in two levels: 16 bytes for each 2 MiB block, and 8 bytes for each frame of a block that
//! is split.
//!
//! Both levels are sparse arrays of virtual addresses, indexed by block number. Records of blocks are mapped for banks
//! and for nothing between them; a page of frame records exists while its block is split. Only the first record of a
//! chunk, free or used, says anything: the others are [`BlockState::Plain`], so a gigabyte that changes hands costs one
//! store, and memory that nobody asked for costs none.

mod block;
mod frame;
mod order;
mod split;
#[cfg(test)]
mod tests;

pub use block::{BlockRecord, BlockState, Slot, Zone};
pub use frame::{FrameRecord, FrameState};
pub use order::Order;
pub use split::Split;

use paging::{Frame, FrameRange, HostAccess, HostAttributes, Memory, PAGE_BYTES, VirtAddr};

use crate::machine::Machine;
use crate::mm::here::{Here, Reach, bytes, words};
use crate::mm::space::{BootTables, LeafSize, Space, SpaceError};

/// Blocks of a group: the largest chunk. Records are mapped for whole groups, so that a buddy's can always be read.
const GROUP_BLOCKS: u64 = Order::MAX.blocks();
/// Bytes of a block's record.
const BLOCK_RECORD_BYTES: u64 = 16;
/// Pages of block records of a group.
const GROUP_PAGES: u64 = GROUP_BLOCKS * BLOCK_RECORD_BYTES / PAGE_BYTES;

/// Memory attributes of everything that the memory system keeps mapped.
pub(crate) const READ_WRITE: HostAttributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);

/// A NUMA node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node(pub u8);

/// Who uses frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(u16);

impl Owner {
    /// The hypervisor.
    pub const HYPERVISOR: Self = Self(0);

    /// Domain number `domain` of the plan.
    ///
    /// # Panics
    /// When a record cannot hold it.
    pub const fn domain(domain: usize) -> Self {
        assert!(domain < u16::MAX as usize, "a record holds 65,535 owners");
        Self(domain as u16 + 1)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0 as u64
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits as u16)
    }
}

/// RAM of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bank {
    /// Its frames.
    pub frames: FrameRange,
    /// Its node.
    pub node: Node,
}

/// A 2 MiB block, by number; [`Frames::block_of`] has checked that its record is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block(u32);

impl Block {
    /// Its number among all blocks since the first group.
    pub const fn number(self) -> u64 {
        self.0 as u64
    }

    /// The block of that number, which was one's.
    pub(crate) const fn from_number(number: u64) -> Self {
        assert!(number <= u32::MAX as u64, "2^32 blocks are 2^53 bytes");
        Self(number as u32)
    }

    /// The other half of a chunk twice as large.
    pub(crate) const fn buddy(self, order: Order) -> Self {
        Self(self.0 ^ order.blocks() as u32)
    }

    /// The first block of the chunk of this order that it lies in.
    pub(crate) const fn aligned(self, order: Order) -> Self {
        Self(self.0 & !(order.blocks() as u32 - 1))
    }
}

/// Where the two arrays begin; both planned, large enough for all blocks from the lowest bank to the highest.
#[derive(Clone, Copy, Debug)]
pub struct Arrays {
    /// Block records: 16 bytes a block.
    pub blocks: VirtAddr,
    /// Frame records: a page a block.
    pub frames: VirtAddr,
}

/// The records.
#[derive(Debug)]
pub struct Frames {
    banks: &'static [Bank],
    arrays: Arrays,
    /// Number of the first block, absolute; a multiple of a group.
    first: u64,
    mapped_pages: u64,
}

/// What somebody who holds a frame number may know about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// No RAM, or RAM that the plan gave away before there was a heap.
    Reserved,
    /// In a free list.
    Free {
        /// First frame of the chunk.
        first: Frame,
        /// Its size.
        order: Order,
    },
    /// Somebody's.
    Used {
        /// First frame of the chunk.
        first: Frame,
        /// Its size.
        order: Order,
        /// Whose.
        owner: Owner,
    },
    /// A table of the hypervisor's.
    Table,
    /// The records of its block.
    Records,
    /// Never to be used again.
    Quarantined,
}

impl Frames {
    /// Maps records for `banks`, ascending and disjoint, all [`BlockState::Plain`]. Frames for them, and for tables,
    /// come from the boot allocator.
    ///
    /// # Errors
    /// When it has none left.
    pub fn new(
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        space: &mut Space,
        arrays: Arrays,
        banks: &'static [Bank],
    ) -> Result<Self, SpaceError> {
        let lowest = banks.first().map_or(0, |bank| bank.frames.first.number());
        let first = lowest / Order::MAX.frames() * GROUP_BLOCKS;
        let mut frames = Self { banks, arrays, first, mapped_pages: 0 };
        let mut next = 0;
        for bank in banks {
            let end = bank.frames.end().number().div_ceil(Order::MAX.frames());
            for group in next.max(bank.frames.first.number() / Order::MAX.frames())..end {
                frames.map_group(here, boot, space, group - first / GROUP_BLOCKS)?;
            }
            next = next.max(end);
        }
        Ok(frames)
    }

    fn map_group(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        space: &mut Space,
        group: u64,
    ) -> Result<(), SpaceError> {
        for page in 0..GROUP_PAGES {
            let at = bytes(self.arrays.blocks, (group * GROUP_PAGES + page) * PAGE_BYTES);
            let frame = boot.data().ok_or(SpaceError::OutOfTables)?;
            space.map(here, boot, LeafSize::Page, at, FrameRange::new(frame, 1), READ_WRITE)?;
            here.clear_page(at);
            self.mapped_pages += 1;
        }
        Ok(())
    }

    /// Pages of block records.
    pub fn mapped_pages(&self) -> u64 {
        self.mapped_pages
    }

    /// The banks.
    pub fn banks(&self) -> &'static [Bank] {
        self.banks
    }

    /// The bank that holds `frame`.
    pub fn bank_of(&self, frame: Frame) -> Option<&Bank> {
        let behind = self.banks.partition_point(|bank| bank.frames.first <= frame);
        self.banks.get(behind.checked_sub(1)?).filter(|bank| bank.frames.contains(frame))
    }

    /// The block that holds `frame`; `None` when it is no RAM.
    pub fn block_of(&self, frame: Frame) -> Option<Block> {
        self.bank_of(frame).map(|_| self.block_at(frame))
    }

    /// The block of a frame that is known to be RAM.
    pub(crate) fn block_at(&self, frame: Frame) -> Block {
        Block::from_number(frame.number() / Order::BLOCK.frames() - self.first)
    }

    /// Its first frame.
    pub fn first_frame(&self, block: Block) -> Frame {
        Frame::new((self.first + block.number()) * Order::BLOCK.frames())
    }

    /// Reads a block's record.
    pub(crate) fn block(&self, here: &Here<'_, impl Machine, impl Reach>, block: Block) -> BlockRecord {
        BlockRecord::from_bits(here.load(self.word(block, 0)))
    }

    /// Writes a block's record.
    pub(crate) fn set_block(&self, here: &Here<'_, impl Machine, impl Reach>, block: Block, record: BlockRecord) {
        here.store(self.word(block, 0), record.bits());
    }

    /// Address of one of the two words of a block's record; the second one is its links.
    pub(crate) fn word(&self, block: Block, word: u64) -> VirtAddr {
        words(self.arrays.blocks, block.number() * (BLOCK_RECORD_BYTES / 8) + word)
    }

    /// Where the frame records of a split block are, or would be.
    pub(crate) fn records_at(&self, block: Block) -> VirtAddr {
        bytes(self.arrays.frames, block.number() * PAGE_BYTES)
    }

    /// The inside of a split block.
    pub(crate) fn split<'m, M: Machine>(
        &self,
        here: &Here<'m, M, impl Reach>,
        block: Block,
        record: BlockRecord,
    ) -> Split<'m, M> {
        Split::new(here.machine, self.records_at(block), record.home())
    }

    /// The first block of the chunk of blocks that `frame` lies in, or its own block where that is split; and its record.
    pub(crate) fn head_of(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        frame: Frame,
    ) -> Option<(Block, BlockRecord)> {
        let block = self.block_of(frame)?;
        for order in Order::blocks_and_above() {
            let head = block.aligned(order);
            let record = self.block(here, head);
            match record.state() {
                BlockState::Plain => {}
                BlockState::Split => return (head == block).then_some((head, record)),
                BlockState::Free | BlockState::Owned | BlockState::Quarantined => {
                    return (record.order() >= order).then_some((head, record));
                }
            }
        }
        None
    }

    /// Who uses `frame`: at most ten records are read.
    pub fn usage(&self, here: &Here<'_, impl Machine, impl Reach>, frame: Frame) -> Use {
        let Some((head, record)) = self.head_of(here, frame) else { return Use::Reserved };
        let first = self.first_frame(head);
        match record.state() {
            BlockState::Plain => Use::Reserved,
            BlockState::Free => Use::Free { first, order: record.order() },
            BlockState::Owned => Use::Used { first, order: record.order(), owner: record.owner() },
            BlockState::Quarantined => Use::Quarantined,
            BlockState::Split => self.usage_in_split(here, head, record, frame),
        }
    }

    fn usage_in_split(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        block: Block,
        record: BlockRecord,
        frame: Frame,
    ) -> Use {
        let start = self.first_frame(block);
        let split = self.split(here, block, record);
        let index = frame.number() - start.number();
        if index == record.home() {
            return Use::Records;
        }
        let Some((index, found)) = split.covering(index) else { return Use::Reserved };
        let (first, order) = (start.add(index), found.order());
        match found.state() {
            FrameState::Plain => Use::Reserved,
            FrameState::Free => Use::Free { first, order },
            FrameState::Used => Use::Used { first, order, owner: found.owner() },
            FrameState::Table => Use::Table,
            FrameState::Quarantined => Use::Quarantined,
        }
    }
}
