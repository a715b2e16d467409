//! All RAM is mapped, all the time, at a constant distance: for comparison, and to fall back to.
//!
//! Never maps or unmaps after it was made.

use paging::{Frame, FrameRange, PAGE_BYTES, VirtAddr};

use super::{Backing, Chunk, Ground, HeapError, Policy};
use crate::machine::Machine;
use crate::mm::buddy::DomainHeap;
use crate::mm::frames::READ_WRITE;
use crate::mm::here::{Here, Reach, bytes};
use crate::mm::space::{BootTables, SizeChanges, Space, SpaceError, Tables, by_size};

/// A window in which address = frame + constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Address of `first`; both are at the start of a gigabyte.
    pub base: VirtAddr,
    /// The first frame that has a place.
    pub first: Frame,
}

impl Window {
    /// Where a frame's place is.
    pub(super) fn address(&self, frame: Frame) -> VirtAddr {
        bytes(self.base, (frame.number() - self.first.number()) * PAGE_BYTES)
    }

    /// Whose place an address is, if a frame of RAM is.
    pub(super) fn frame(&self, domain: &DomainHeap, at: VirtAddr) -> Option<Frame> {
        let offset = at.get().checked_sub(self.base.get())?;
        let frame = self.first.checked_add(offset / PAGE_BYTES)?;
        domain.frames().block_of(frame).map(|_| frame)
    }

    /// Gives every root entry of the window that RAM needs its table.
    ///
    /// # Errors
    /// When there is no frame for a table.
    pub(super) fn make_root_entries(
        &self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
        space: &Space,
        ram: &[FrameRange],
    ) -> Result<(), SpaceError> {
        ram.iter().try_for_each(|range| space.make_root_entries(here, tables, self.address(range.first), range.bytes()))
    }
}

/// Policy `full`.
#[derive(Debug)]
pub struct Full {
    window: Window,
}

impl Full {
    /// Maps all of `ram`, by blocks where they are whole, before any other CPU has a root.
    ///
    /// # Errors
    /// When there is no frame for a table.
    pub fn new(
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
        mut space: Space,
        window: Window,
        ram: &[FrameRange],
    ) -> Result<Self, SpaceError> {
        window.make_root_entries(here, tables, &space, ram)?;
        for range in ram {
            for (size, frames) in by_size(*range) {
                let at = window.address(frames.first);
                space.map(&mut here.quietly(), tables, size, at, frames, READ_WRITE)?;
            }
        }
        Ok(Self { window })
    }
}

impl Backing for Full {
    /// Nothing is mapped: where the board file fixes this policy, the static tables hold the window.
    fn begin(
        _: &mut Here<'_, impl Machine, impl Reach>,
        _: &mut BootTables<'_>,
        ground: &Ground<'_>,
        _: Policy,
    ) -> Result<Self, SpaceError> {
        Ok(Self { window: ground.window })
    }

    fn map(
        &mut self,
        _: &mut Here<'_, impl Machine, impl Reach>,
        _: &mut DomainHeap,
        chunk: Chunk,
    ) -> Result<VirtAddr, HeapError> {
        Ok(self.window.address(chunk.first))
    }

    fn unmap(
        &mut self,
        _: &mut Here<'_, impl Machine, impl Reach>,
        _: &mut DomainHeap,
        _: Chunk,
    ) -> Result<(), SpaceError> {
        Ok(())
    }

    fn address_of(&self, _: &Here<'_, impl Machine, impl Reach>, _: &DomainHeap, frame: Frame) -> Option<VirtAddr> {
        Some(self.window.address(frame))
    }

    fn frame_of(&self, _: &Here<'_, impl Machine, impl Reach>, domain: &DomainHeap, at: VirtAddr) -> Option<Frame> {
        self.window.frame(domain, at)
    }

    fn size_changes(&self) -> SizeChanges {
        SizeChanges::default()
    }
}
