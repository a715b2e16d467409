//! The window exists and is empty: a page is mapped in its place while it is allocated.
//!
//! Never has a free page mapped, unless the board asks for pools that are mapped as blocks.

use paging::{Frame, FrameRange, VirtAddr};

use super::full::Window;
use super::leaves::PoolLeaves;
use super::{Backing, Chunk, Ground, HeapError, Leaves, Policy};
use crate::machine::Machine;
use crate::mm::buddy::DomainHeap;
use crate::mm::frames::Order;
use crate::mm::here::{Here, Reach};
use crate::mm::space::{BootTables, SizeChanges, Space, SpaceError, Tables};

/// Policy `on-demand`.
#[derive(Debug)]
pub struct OnDemand {
    window: Window,
    leaves: PoolLeaves,
}

impl OnDemand {
    /// Makes the root entries for all of `ram`, with empty tables, before any other CPU has a root.
    ///
    /// # Errors
    /// When there is no frame for a table.
    pub fn new(
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
        space: Space,
        window: Window,
        ram: &[FrameRange],
        leaves: Leaves,
    ) -> Result<Self, SpaceError> {
        window.make_root_entries(here, tables, &space, ram)?;
        Ok(Self { window, leaves: PoolLeaves::new(space, leaves) })
    }

    /// Where a chunk's block has its place.
    fn block_at(&self, chunk: Chunk) -> VirtAddr {
        let first = chunk.first.number() / Order::BLOCK.frames() * Order::BLOCK.frames();
        self.window.address(Frame::new(first))
    }
}

impl Backing for OnDemand {
    fn begin(
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        ground: &Ground<'_>,
        _: Policy,
    ) -> Result<Self, SpaceError> {
        Self::new(here, boot, ground.space, ground.window, ground.ram, ground.leaves)
    }

    fn map(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        chunk: Chunk,
    ) -> Result<VirtAddr, HeapError> {
        let block_at = self.block_at(chunk);
        self.leaves.map(here, domain, block_at, chunk).map_err(HeapError::Map)
    }

    fn unmap(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        chunk: Chunk,
    ) -> Result<(), SpaceError> {
        let block_at = self.block_at(chunk);
        self.leaves.unmap(here, domain, block_at, chunk)
    }

    fn address_of(&self, _: &Here<'_, impl Machine, impl Reach>, _: &DomainHeap, frame: Frame) -> Option<VirtAddr> {
        Some(self.window.address(frame))
    }

    fn frame_of(&self, _: &Here<'_, impl Machine, impl Reach>, domain: &DomainHeap, at: VirtAddr) -> Option<Frame> {
        self.window.frame(domain, at)
    }

    fn size_changes(&self) -> SizeChanges {
        self.leaves.size_changes()
    }
}
