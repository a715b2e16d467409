//! The domains of the plan: the slot of each, for good, and what lies behind it while the domain exists.
//!
//! A domain's lock guards its tables and its area; the memory system's lock is taken while it is held, never before it.

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, GuestAccess, GuestAttributes, Ipa, Memory, PAGE_BYTES};

use super::builder::{self, BuildError, DomainPlan, DomainSpace, IMAGES, Placed, Tools};
use super::number;
use crate::arch::this::GuestFormat;
use crate::board::DOMAINS;
use crate::board::types::Domain;
use crate::mm::domain_area::{Closed, DomainSlot};
use crate::mm::guest_tables::{GuestTables, Stores, TablesError};
use crate::mm::here::Here;
use crate::mm::mapcache::{self, Context, OwnView};
use crate::mm::this_cpu::ThisCpu;
use crate::mm::{private, system};
use crate::sync::{self, PolledLock};

/// A domain, if it exists.
struct Space {
    own: Option<DomainSpace<GuestFormat>>,
    /// Frames that its making took.
    taken: u64,
}

impl Space {
    const NONE: Self = Self { own: None, taken: 0 };

    fn tables(&self) -> &GuestTables<GuestFormat> {
        &self.own.as_ref().expect("a domain has tables from its making to its end").tables
    }
}

/// A domain that was made.
pub(super) struct Made {
    /// What became of its images.
    pub(super) placed: ArrayVec<Placed, IMAGES>,
    /// Tables of its translation.
    pub(super) tables: u64,
}

/// Frames after the end of a domain.
pub(super) struct Destroyed {
    /// How many are free.
    pub(super) free: u64,
    /// How many fewer came back than its making took.
    pub(super) lost: u64,
}

static SPACES: [PolledLock<Space>; DOMAINS.len()] = [const { PolledLock::new(Space::NONE) }; DOMAINS.len()];

static SLOTS: [DomainSlot; DOMAINS.len()] = {
    let mut slots = [const { DomainSlot::new(0) }; DOMAINS.len()];
    let mut at = 0;
    while at < slots.len() {
        slots[at] = DomainSlot::new(DOMAINS[at].vmid);
        at += 1;
    }
    slots
};

/// By which CPUs load a domain.
pub(super) fn slot(domain: &Domain) -> &'static DomainSlot {
    &SLOTS[number(domain)]
}

/// The root of a domain's tables.
pub(super) fn root(domain: &Domain) -> Frame {
    with(domain, |space| space.tables().root().frame)
}

/// Makes a domain, which may be loaded from then on.
///
/// # Errors
/// There is none.
pub(super) fn make(domain: &Domain, plan: &DomainPlan<'_>) -> Result<Made, BuildError<GuestFormat>> {
    let ready = with(domain, |space| {
        system::with(|system, here| {
            let before = system.domain.counts().free;
            let mut scrub = private::scrub_window();
            let mut tools = Tools { heap: &mut system.domain, vmap: &mut system.vmap, scrub: &mut scrub };
            let ready = builder::build(here, &mut tools, plan, &mut space.own);
            space.taken = before - system.domain.counts().free;
            ready
        })
    })?;
    slot(domain).open(ready.closed);
    Ok(Made { placed: ready.placed, tables: with(domain, |space| space.tables().tables()) })
}

/// Takes a domain apart that no CPU has loaded.
pub(super) fn destroy(domain: &Domain, closed: Closed) -> Destroyed {
    with(domain, |space| {
        system::with(|system, here| {
            let before = system.domain.counts().free;
            let mut scrub = private::scrub_window();
            let mut tools = Tools { heap: &mut system.domain, vmap: &mut system.vmap, scrub: &mut scrub };
            DomainSpace::destroy(here, &mut tools, &mut space.own, closed);
            let free = system.domain.counts().free;
            Destroyed { free, lost: (before + space.taken).saturating_sub(free) }
        })
    })
}

/// The frame that a domain has at an address, by its tables.
pub(super) fn translate(domain: &Domain, at: Ipa) -> Option<Frame> {
    let cpu = ThisCpu::new();
    let mut reach = mapcache::here().enter(Context::Idle).expect("an idle context acts for whoever is loaded");
    let leaf = with(domain, |space| space.own.as_ref()?.tables.translate(&Here::new(&cpu, &mut reach), at))?;
    Some(leaf.frame.add((at.get() - leaf.at.get()) / PAGE_BYTES))
}

/// Shows a frame of another domain's at an address where there is nothing.
///
/// # Errors
/// Nothing has changed.
pub(super) fn show(
    domain: &Domain,
    at: Ipa,
    frame: Frame,
    access: GuestAccess,
) -> Result<(), TablesError<GuestFormat>> {
    let attributes = GuestAttributes::new(access, Memory::Normal);
    edit(domain, |tables, here, stores| tables.map(here, stores, at, FrameRange::new(frame, 1), attributes))
}

/// Takes back what [`show`] showed; every CPU has forgotten it on return.
pub(super) fn hide(domain: &Domain, at: Ipa) {
    let hidden = edit(domain, |tables, here, stores| tables.unmap(here, stores, at, 1, |_| {}));
    hidden.expect("it was shown there, by a leaf of its own");
}

fn edit<R>(
    domain: &Domain,
    body: impl FnOnce(&mut GuestTables<GuestFormat>, &mut Here<'_, ThisCpu, OwnView>, &mut Stores<'_>) -> R,
) -> R {
    with(domain, |space| {
        system::with(|system, here| {
            let own = space.own.as_mut().expect("a domain has tables from its making to its end");
            let mut stores = Stores { heap: &mut system.domain, vmap: &mut system.vmap, area: &mut own.area };
            body(&mut own.tables, here, &mut stores)
        })
    })
}

fn with<R>(domain: &Domain, body: impl FnOnce(&mut Space) -> R) -> R {
    body(&mut SPACES[number(domain)].lock(sync::wait))
}
