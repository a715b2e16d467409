//! The leaves of heap pages, wherever their policy puts them.
//!
//! A chunk of whole blocks is mapped by blocks. The pages of a pool are mapped one by one, or all at once with the
//! first. A pool mapped by pages becomes one block when its last page is allocated, and pages again before one of them
//! is freed. The block covers the frame with the pool's records too, which is mapped elsewhere already: no page of a full
//! pool is anybody else's.

use paging::{Frame, FrameRange, VirtAddr};

use super::Chunk;
use crate::machine::Machine;
use crate::mm::buddy::DomainHeap;
use crate::mm::frames::{Order, READ_WRITE};
use crate::mm::here::{Here, Reach, bytes};
use crate::mm::space::{LeafSize, SizeChanges, Space, SpaceError};

/// How a pool is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// A page when it is allocated: what is free is not mapped.
    Pages,
    /// As one block while a page of it is allocated: fewer table walks, and free pages of the pool are mapped, too.
    Blocks,
}

/// Maps and unmaps chunks.
#[derive(Debug)]
pub(super) struct PoolLeaves {
    space: Space,
    leaves: Leaves,
}

impl PoolLeaves {
    pub(super) const fn new(space: Space, leaves: Leaves) -> Self {
        Self { space, leaves }
    }

    /// Maps a chunk whose block lies at `block_at`.
    pub(super) fn map(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        block_at: VirtAddr,
        chunk: Chunk,
    ) -> Result<VirtAddr, SpaceError> {
        let at = within(block_at, chunk);
        if let Some((size, start, frames)) = self.extent(here, domain, block_at, chunk) {
            self.space.map(here, domain, size, start, frames, READ_WRITE)?;
            if let Some(records) = Self::records_of_full(here, domain, size, chunk) {
                self.space.merge(here, domain, block_at, Some(records));
            }
        }
        Ok(at)
    }

    /// Unmaps what `map` has mapped.
    pub(super) fn unmap(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        block_at: VirtAddr,
        chunk: Chunk,
    ) -> Result<(), SpaceError> {
        if let Some((size, start, frames)) = self.extent(here, domain, block_at, chunk) {
            if let Some(records) = Self::records_of_full(here, domain, size, chunk) {
                self.space.split(here, domain, block_at, Some(records))?;
            }
            self.space.unmap(here, domain, size, start, frames)?;
            here.released(chunk.range());
        }
        Ok(())
    }

    /// What has changed its size so far.
    pub(super) const fn size_changes(&self) -> SizeChanges {
        self.space.size_changes()
    }

    /// Where the records of a chunk's pool are, if all its frames are in use and are mapped by pages.
    fn records_of_full(
        here: &Here<'_, impl Machine, impl Reach>,
        domain: &DomainHeap,
        size: LeafSize,
        chunk: Chunk,
    ) -> Option<Frame> {
        match size {
            LeafSize::Page => domain.full_pool(here, domain.frames().block_at(chunk.first)),
            LeafSize::Block => None,
        }
    }

    /// What comes and goes with a chunk; `None` when it is mapped with others that are in use.
    fn extent(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        domain: &DomainHeap,
        block_at: VirtAddr,
        chunk: Chunk,
    ) -> Option<(LeafSize, VirtAddr, FrameRange)> {
        if chunk.order.is_blocks() {
            return Some((LeafSize::Block, block_at, chunk.range()));
        }
        match self.leaves {
            Leaves::Pages => Some((LeafSize::Page, within(block_at, chunk), chunk.range())),
            Leaves::Blocks => {
                let block = domain.frames().block_at(chunk.first);
                let whole = FrameRange::new(domain.frames().first_frame(block), Order::BLOCK.frames());
                domain.is_alone(here, block, chunk.order).then_some((LeafSize::Block, block_at, whole))
            }
        }
    }
}

/// Where a chunk lies when its block lies at `block_at`.
pub(super) fn within(block_at: VirtAddr, chunk: Chunk) -> VirtAddr {
    let frames = chunk.first.number() % Order::BLOCK.frames();
    bytes(block_at, frames * paging::PAGE_BYTES)
}
