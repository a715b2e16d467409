//! The hypervisor's heap: pages with an address that holds on every CPU, for as long as wanted.
//!
//! Where that address comes from, and what is mapped when, is the directmap policy, a type each:
//! [`Full`], [`OnDemand`], [`NoWindow`]; [`Chosen`] is all of them, for boards whose command line decides. A board that
//! fixes its policy has no code of the others. Frames come from the domain heap's pools, 2 MiB each, so that the pages
//! of a pool share one table. Never maps from an interrupt, and never allocates here to map here: tables are the domain
//! heap's.

mod full;
mod on_demand;
mod none;
mod chosen;
mod leaves;
mod slots;
#[cfg(test)]
mod tests;

pub use chosen::{Chosen, Policy};
pub use full::{Full, Window};
pub use leaves::Leaves;
pub use none::{Area, NoWindow};
pub use on_demand::OnDemand;

use core::fmt;

use paging::{Frame, FrameRange, PAGE_BYTES, VirtAddr};

use crate::machine::Machine;
use crate::mm::buddy::{AllocError, DomainHeap};
use crate::mm::frames::{Node, Order, Owner};
use crate::mm::here::{Here, Reach, bytes};
use crate::mm::space::{BootTables, SizeChanges, Space, SpaceError};

/// Why there are no pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeapError {
    /// No frames.
    Frames(AllocError),
    /// Frames, but no tables to map them with: they are back.
    Map(SpaceError),
    /// No addresses left in the heap's area: the frames are back.
    AreaFull,
    /// Pages could not be unmapped: their frames are never used again.
    Quarantined(Frame),
    /// More was to be kept than there is, or part of a block.
    Trim(Frame),
}

impl fmt::Display for HeapError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames(error) => write!(out, "heap: {error}"),
            Self::Map(error) => write!(out, "heap: {error}"),
            Self::AreaFull => out.write_str("heap: no addresses left"),
            Self::Quarantined(frame) => write!(out, "heap: {frame} could not be unmapped and is lost"),
            Self::Trim(frame) => write!(out, "heap: the chunk at {frame} cannot be cut there"),
        }
    }
}

/// What a policy is made of: the board's windows.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'b> {
    /// The hypervisor's shared tables.
    pub space: Space,
    /// The directmap window, where there is one.
    pub window: Window,
    /// RAM that the window may show, ascending.
    pub ram: &'b [FrameRange],
    /// The heap's own area, where there is no window.
    pub area: Area,
    /// How pools are mapped.
    pub leaves: Leaves,
}

/// Where heap pages are, and what is mapped when.
pub trait Backing: Sized {
    /// Makes what the policy needs before any other CPU has a root. `chosen` is the policy itself wherever there is only
    /// one.
    ///
    /// # Errors
    /// When the boot allocator has no frame left.
    fn begin(
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        ground: &Ground<'_>,
        chosen: Policy,
    ) -> Result<Self, SpaceError>;

    /// Pages that it keeps mapped for its own books.
    fn kept_pages(&self) -> u64 {
        0
    }

    /// Gives a chunk of a pool, just allocated, an address.
    ///
    /// # Errors
    /// Nothing is mapped.
    fn map(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        chunk: Chunk,
    ) -> Result<VirtAddr, HeapError>;

    /// Takes the address of a chunk away; on return no CPU can use it.
    ///
    /// # Errors
    /// Nothing has changed.
    fn unmap(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        chunk: Chunk,
    ) -> Result<(), SpaceError>;

    /// Where a frame of the heap is mapped.
    fn address_of(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        domain: &DomainHeap,
        frame: Frame,
    ) -> Option<VirtAddr>;

    /// Which frame an address of the heap leads to.
    fn frame_of(&self, here: &Here<'_, impl Machine, impl Reach>, domain: &DomainHeap, at: VirtAddr) -> Option<Frame>;

    /// Pools that became blocks, and blocks that became pages again.
    fn size_changes(&self) -> SizeChanges;
}

/// 2^order frames of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The first one.
    pub first: Frame,
    /// How many.
    pub order: Order,
}

impl Chunk {
    pub(crate) const fn range(self) -> FrameRange {
        FrameRange::new(self.first, self.order.frames())
    }
}

/// Pages of the heap; [`Heap::free`] takes them.
#[derive(Debug)]
#[must_use = "pages that nobody keeps stay mapped"]
pub struct HeapPages {
    at: VirtAddr,
    chunk: Chunk,
}

impl HeapPages {
    /// Their first byte.
    pub fn at(&self) -> VirtAddr {
        self.at
    }

    /// The frames behind them.
    pub fn frames(&self) -> FrameRange {
        self.chunk.range()
    }

    /// How many they are.
    pub fn order(&self) -> Order {
        self.chunk.order
    }
}

/// The heap.
#[derive(Debug)]
pub struct Heap<B> {
    backing: B,
    live_pages: u64,
}

impl<B: Backing> Heap<B> {
    /// A heap with this policy.
    pub fn new(backing: B) -> Self {
        Self { backing, live_pages: 0 }
    }

    /// Pages allocated.
    pub fn live_pages(&self) -> u64 {
        self.live_pages
    }

    /// Pages that are mapped for the heap's own books.
    pub fn kept_pages(&self) -> u64 {
        self.backing.kept_pages()
    }

    /// Pools that became blocks, and blocks that became pages again.
    pub fn size_changes(&self) -> SizeChanges {
        self.backing.size_changes()
    }

    /// Allocates 2^order pages, from `near` if that node has any; what is in them is not defined.
    ///
    /// # Errors
    /// Nothing is mapped, and every frame is back.
    pub fn allocate(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        order: Order,
        near: Node,
    ) -> Result<HeapPages, HeapError> {
        let first = domain.allocate_heap(here, order, near).map_err(HeapError::Frames)?;
        let chunk = Chunk { first, order };
        match self.backing.map(here, domain, chunk) {
            Ok(at) => {
                self.live_pages += order.frames();
                Ok(HeapPages { at, chunk })
            }
            Err(error) => {
                give_back(here, domain, chunk);
                Err(error)
            }
        }
    }

    /// Frees pages. No CPU can use their address when their frames are free.
    ///
    /// # Errors
    /// When they could not be unmapped: their frames are in quarantine.
    pub fn free(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        pages: HeapPages,
    ) -> Result<(), HeapError> {
        let HeapPages { chunk, .. } = pages;
        self.live_pages -= chunk.order.frames();
        if self.backing.unmap(here, domain, chunk).is_err() {
            domain
                .quarantine(here, chunk.first, chunk.order, Owner::HYPERVISOR)
                .expect("HeapPages are made by allocate alone, for a chunk that it has taken");
            return Err(HeapError::Quarantined(chunk.first));
        }
        give_back(here, domain, chunk);
        Ok(())
    }

    /// Cuts pages in two at `keep` pages; both parts come in chunks, ascending, each to be freed or cut on its own.
    ///
    /// # Errors
    /// When a chunk of blocks would be cut inside a block.
    pub fn split(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        domain: &mut DomainHeap,
        pages: HeapPages,
        keep: u64,
        mut each: impl FnMut(HeapPages),
    ) -> Result<(), HeapError> {
        let HeapPages { at, chunk } = pages;
        let part = |first: Frame, order| HeapPages {
            at: bytes(at, (first.number() - chunk.first.number()) * PAGE_BYTES),
            chunk: Chunk { first, order },
        };
        domain
            .cut_used(here, (chunk.first, chunk.order), Owner::HYPERVISOR, keep, |first, order| {
                each(part(first, order))
            })
            .map_err(|_| HeapError::Trim(chunk.first))
    }

    /// Where a frame of the heap is mapped: a constant number of look-ups.
    pub fn address_of(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        domain: &DomainHeap,
        frame: Frame,
    ) -> Option<VirtAddr> {
        self.backing.address_of(here, domain, frame)
    }

    /// Which frame an address of the heap leads to: a constant number of look-ups.
    pub fn frame_of(
        &self,
        here: &Here<'_, impl Machine, impl Reach>,
        domain: &DomainHeap,
        at: VirtAddr,
    ) -> Option<Frame> {
        self.backing.frame_of(here, domain, at)
    }
}

fn give_back(here: &mut Here<'_, impl Machine, impl Reach>, domain: &mut DomainHeap, chunk: Chunk) {
    domain
        .free(here, chunk.first, chunk.order, Owner::HYPERVISOR)
        .expect("the heap frees what it allocated, once, by consuming its HeapPages");
}
