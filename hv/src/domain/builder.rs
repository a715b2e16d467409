//! A domain from nothing to ready to run, and back to nothing.
//!
//! Memory comes from the domain heap, or lies where the plan put it. All of it is either an image's or zero, and clean
//! to the point of coherency, before the first instruction. At most two frames are mapped for a copy, none when a step is
//! over. A step that fails undoes all before it. Never runs a guest, never knows an address of its memory.

mod images;
mod memory;
#[cfg(test)]
mod tests;

pub use images::{Image, Placed};

use core::fmt;

use arrayvec::ArrayVec;
use paging::{FrameRange, GuestAccess, GuestAttributes, Ipa, Memory, PAGE_BYTES};

use crate::board::types::Images;
use crate::machine::GuestMachine;
use crate::mm::buddy::{AllocError, DomainHeap};
use crate::mm::domain_area::{AreaError, AreaLayout, Closed, DomainArea, DomainId};
use crate::mm::guest_tables::{GuestTables, NestedFormat, Stores, TablesError, TablesPlan};
use crate::mm::here::Here;
use crate::mm::mapcache::View;
use crate::mm::scrub::ScrubWindow;
use crate::mm::vmap::Vmap;

/// Images of a domain at most.
pub const IMAGES: usize = 4;

/// What a guest may do with its memory: its own tables decide.
const ATTRIBUTES: GuestAttributes = GuestAttributes::new(GuestAccess::ReadWriteExecute, Memory::Normal);

/// What a guest may do with registers of a device.
const REGISTERS: GuestAttributes = GuestAttributes::new(GuestAccess::ReadWrite, Memory::Device);

/// A part of a domain's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Out of the heap, in the largest chunks it has.
    Heap {
        /// Where the guest sees it.
        at: Ipa,
        /// How much.
        pages: u64,
    },
    /// These frames, which the plan set aside for the domain and nobody else.
    Planned {
        /// Where the guest sees it.
        at: Ipa,
        /// Which frames.
        frames: FrameRange,
    },
    /// Registers of a device that the guest drives itself: neither scrubbed nor given back.
    Device {
        /// Where the guest sees them.
        at: Ipa,
        /// Which frames.
        frames: FrameRange,
    },
}

impl Part {
    fn at(&self) -> Ipa {
        match self {
            Self::Heap { at, .. } | Self::Planned { at, .. } | Self::Device { at, .. } => *at,
        }
    }

    /// Whether it is memory, to be scrubbed where no image lies.
    fn is_memory(&self) -> bool {
        match self {
            Self::Heap { .. } | Self::Planned { .. } => true,
            Self::Device { .. } => false,
        }
    }

    fn pages(&self) -> u64 {
        match self {
            Self::Heap { pages, .. } => *pages,
            Self::Planned { frames, .. } | Self::Device { frames, .. } => frames.frames,
        }
    }
}

/// What a domain is to be.
#[derive(Clone, Copy, Debug)]
pub struct DomainPlan<'p> {
    /// Who it is.
    pub id: DomainId,
    /// Where its slot and its windows are.
    pub layout: AreaLayout,
    /// Its tables.
    pub tables: TablesPlan,
    /// Its vCPUs.
    pub vcpus: u32,
    /// Its memory and the registers of its devices, each part apart from the others.
    pub memory: &'p [Part],
    /// What lies in it at the start: [`IMAGES`] at most.
    pub images: &'p [Image],
    /// What is done with those that lie in their place already.
    pub care: Images,
}

/// Why there is no domain: every frame is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError<F: NestedFormat> {
    /// Its area.
    Area(AreaError),
    /// Its tables.
    Tables(TablesError<F>),
    /// Its memory.
    Frames(AllocError),
    /// The image that is to lie here does not fit the domain's memory.
    Outside(Ipa),
    /// The image that is to lie here would overwrite another one before that is in its place.
    Overwrites(Ipa),
}

impl<F: NestedFormat> From<AreaError> for BuildError<F> {
    fn from(error: AreaError) -> Self {
        Self::Area(error)
    }
}

impl<F: NestedFormat> From<TablesError<F>> for BuildError<F> {
    fn from(error: TablesError<F>) -> Self {
        Self::Tables(error)
    }
}

impl<F: NestedFormat> fmt::Display for BuildError<F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Area(error) => write!(out, "domain's area: {error}"),
            Self::Tables(error) => write!(out, "{error}"),
            Self::Frames(error) => write!(out, "domain's memory: {error}"),
            Self::Outside(at) => write!(out, "the image for {at} does not fit the domain's memory"),
            Self::Overwrites(at) => write!(out, "the image for {at} overwrites another one"),
        }
    }
}

/// What domains are made with. Guarded by the memory system's lock.
pub struct Tools<'t, 'w> {
    /// Where frames come from.
    pub heap: &'t mut DomainHeap,
    /// Where resident tables are mapped.
    pub vmap: &'t mut Vmap,
    /// This CPU's.
    pub scrub: &'t mut ScrubWindow<'w>,
}

/// A domain's memory and vCPUs.
#[derive(Debug)]
pub struct DomainSpace<F> {
    /// What its slot links to.
    pub area: DomainArea,
    /// Its own translation.
    pub tables: GuestTables<F>,
    id: DomainId,
    /// What was set aside for it: scrubbed at the end, and kept.
    planned: ArrayVec<FrameRange, PARTS>,
}

/// Planned parts of a domain's memory at most.
const PARTS: usize = 4;

/// What is told of a domain that is ready.
#[derive(Debug)]
pub struct Ready {
    /// With which its slot is opened.
    pub closed: Closed,
    /// What became of each image, in order.
    pub placed: ArrayVec<Placed, IMAGES>,
}

/// Makes a domain where there is none: it is large, and stays there.
///
/// # Errors
/// Every frame is back, and there is none.
///
/// # Panics
/// When the plan has more images or planned parts than there is room for: the planner refuses it.
pub fn build<F: NestedFormat, M: GuestMachine, const SLOTS: usize>(
    here: &mut Here<'_, M, View<'_, M, SLOTS>>,
    tools: &mut Tools<'_, '_>,
    plan: &DomainPlan<'_>,
    into: &mut Option<DomainSpace<F>>,
) -> Result<Ready, BuildError<F>> {
    assert!(into.is_none(), "a domain is made once until it is destroyed");
    assert!(plan.images.len() <= IMAGES, "the planner counts a domain's images");
    let (closed, area) = DomainArea::new(here, tools.heap, plan.id, plan.layout)?;
    let space = match DomainSpace::begin(here, tools, area, plan, into) {
        Ok(space) => space,
        Err((mut area, error)) => {
            area.destroy(here, tools.heap, closed);
            return Err(error);
        }
    };
    match space.fill(here, tools, plan) {
        Ok(placed) => Ok(Ready { closed, placed }),
        Err(error) => {
            DomainSpace::destroy(here, tools, into, closed);
            Err(error)
        }
    }
}

impl<F: NestedFormat> DomainSpace<F> {
    /// Tables that translate nothing, in an area. A frame of its own, as it holds the tables' books for a moment.
    #[inline(never)]
    fn begin<'s, M: GuestMachine, const SLOTS: usize>(
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        tools: &mut Tools<'_, '_>,
        mut area: DomainArea,
        plan: &DomainPlan<'_>,
        into: &'s mut Option<Self>,
    ) -> Result<&'s mut Self, (DomainArea, BuildError<F>)> {
        let mut stores = Stores { heap: tools.heap, vmap: tools.vmap, area: &mut area };
        match GuestTables::new(here, &mut stores, plan.id, plan.tables) {
            Ok(tables) => Ok(into.insert(Self { area, tables, id: plan.id, planned: ArrayVec::new() })),
            Err(error) => Err((area, error.into())),
        }
    }

    /// Memory, what lies in it, vCPUs.
    fn fill<M: GuestMachine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        tools: &mut Tools<'_, '_>,
        plan: &DomainPlan<'_>,
    ) -> Result<ArrayVec<Placed, IMAGES>, BuildError<F>> {
        for part in plan.memory {
            match *part {
                Part::Heap { at, pages } => self.add_from_heap(here, tools, at, pages)?,
                Part::Planned { at, frames } => self.add_planned(here, tools, at, frames)?,
                Part::Device { at, frames } => self.map(here, tools, at, frames, REGISTERS)?,
            }
        }
        let placed = self.place_all(here, plan)?;
        let mut memory = plan.memory.iter().filter(|part| part.is_memory());
        memory.try_for_each(|part| self.scrub_around(here, tools, part, plan.images))?;
        for _ in 0..plan.vcpus {
            self.area.add_vcpu(here, tools.heap, self.tables.root().frame)?;
        }
        Ok(placed)
    }

    /// The end: every CPU forgets the guest, its memory is scrubbed and given back, and so are its tables, its vCPUs'
    /// pages and its area.
    ///
    /// # Panics
    /// When there is none.
    pub fn destroy<M: GuestMachine, const SLOTS: usize>(
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        tools: &mut Tools<'_, '_>,
        from: &mut Option<Self>,
        closed: Closed,
    ) {
        let Self { area, tables, id, planned } = from.as_mut().expect("a domain is destroyed once");
        let Tools { heap, vmap, scrub } = tools;
        // Aliases of the root go before the root.
        while area.remove_last_vcpu(here, heap).is_some() {}
        let mut stores = Stores { heap, vmap, area };
        tables.destroy(here, &mut stores, |here, heap, frames| {
            memory::give_back(here, heap, scrub, id.owner, planned, frames);
        });
        area.destroy(here, heap, closed);
        *from = None;
    }
}

/// The address `pages` pages further on.
fn pages_on(at: Ipa, pages: u64) -> Ipa {
    Ipa::new(at.get() + pages * PAGE_BYTES)
}
