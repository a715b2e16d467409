//! A domain that rows make: frames and tables in a format of the machine, loaded on CPUs and never entered.
//!
//! Two of them at most, one of each format where the machine has two. They are large, so they lie in statics.

use paging::{Frame, Ipa, Level};

use crate::arch::this;
use crate::board::types::Images;
use crate::board::{DOMAIN_AREA, DOMAINS};
use crate::domain::builder::{self, DomainPlan, DomainSpace, Image, Part, Ready, Tools};
use crate::mm::domain_area::{Closed, DomainId, DomainSlot};
use crate::mm::frames::{Node, Owner};
use crate::mm::guest_tables::{NestedFormat, Retention, TablesPlan};
use crate::mm::here::Here;
use crate::mm::mapcache::OwnView;
use crate::mm::private;
use crate::mm::system::{self, System};
use crate::mm::this_cpu::ThisCpu;
use crate::self_test::row::{Failure, Outcome};
use crate::sync::{self, PolledLock};

/// The machine's format of guests' tables.
pub(super) type First = this::GuestFormat;
/// The other one; the same where there is one only.
pub(super) type Second = this::probe::OtherGuestFormat;

/// Where its memory begins.
pub(super) const BASE: Ipa = Ipa::new(0x4000_0000);
/// Its vCPUs.
pub(super) const VCPUS: u32 = 2;
/// Frames that it may have for tables.
const TABLES_FRAMES: u64 = 32;

/// A domain that rows make.
pub(super) struct Fabricated<F: 'static> {
    /// By which CPUs load it.
    pub(super) slot: &'static DomainSlot,
    /// Its VMID.
    pub(super) vmid: u16,
    number: usize,
    space: &'static PolledLock<Option<DomainSpace<F>>>,
}

const VMID: u16 = DOMAINS.len() as u16 + 1;

static FIRST: PolledLock<Option<DomainSpace<First>>> = PolledLock::new(None);
static SECOND: PolledLock<Option<DomainSpace<Second>>> = PolledLock::new(None);
static SLOTS: [DomainSlot; 2] = [DomainSlot::new(VMID), DomainSlot::new(VMID + 1)];

/// The one of the machine's format.
pub(super) const fn first() -> Fabricated<First> {
    Fabricated { slot: &SLOTS[0], vmid: VMID, number: DOMAINS.len(), space: &FIRST }
}

/// The one of the other format.
pub(super) const fn second() -> Fabricated<Second> {
    Fabricated { slot: &SLOTS[1], vmid: VMID + 1, number: DOMAINS.len() + 1, space: &SECOND }
}

/// What one is to be.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'w> {
    /// How its tables are reached.
    pub(super) retention: Retention,
    /// Where they begin.
    pub(super) root_level: Level,
    /// Its largest leaves.
    pub(super) largest_leaf: Level,
    /// Its memory.
    pub(super) memory: &'w [Part],
    /// What lies in it.
    pub(super) images: &'w [Image],
}

impl<F: NestedFormat> Fabricated<F> {
    fn plan<'p>(&self, wanted: &Wanted<'p>) -> DomainPlan<'p> {
        let Wanted { retention, root_level, largest_leaf, memory, images } = *wanted;
        DomainPlan {
            id: DomainId { vmid: self.vmid, owner: Owner::domain(self.number), node: Node(0) },
            layout: DOMAIN_AREA,
            tables: TablesPlan { root_level, largest_leaf, retention, limit_frames: TABLES_FRAMES },
            vcpus: VCPUS,
            memory,
            images,
            care: Images::Checked,
        }
    }

    /// Builds it, with the memory system in hand.
    pub(super) fn build_with(
        &self,
        memory: &mut System,
        here: &mut Here<'_, ThisCpu, OwnView>,
        wanted: &Wanted<'_>,
    ) -> Result<Ready, Failure> {
        let mut scrub = private::scrub_window();
        let mut tools = Tools { heap: &mut memory.domain, vmap: &mut memory.vmap, scrub: &mut scrub };
        let mut space = self.space.lock(sync::wait);
        let built = builder::build(here, &mut tools, &self.plan(wanted), &mut space);
        built.map_err(|why| Failure::new(format_args!("{why}")))
    }

    /// Builds it, so that CPUs may load it.
    pub(super) fn make(&self, wanted: &Wanted<'_>) -> Result<Ready, Failure> {
        system::with(|memory, here| self.build_with(memory, here, wanted))
    }

    /// The end of it; no CPU has it loaded.
    pub(super) fn destroy(&self) -> Outcome {
        let closed = self.slot.close().map_err(|why| Failure::new(format_args!("{why}")))?;
        self.destroy_closed(closed);
        Ok(())
    }

    /// The end of one that was never opened.
    pub(super) fn destroy_closed(&self, closed: Closed) {
        system::with(|memory, here| {
            let mut scrub = private::scrub_window();
            let mut tools = Tools { heap: &mut memory.domain, vmap: &mut memory.vmap, scrub: &mut scrub };
            DomainSpace::destroy(here, &mut tools, &mut self.space.lock(sync::wait), closed);
        });
    }

    /// Shows what it is.
    pub(super) fn look<R>(&self, look: impl FnOnce(&mut DomainSpace<F>) -> R) -> R {
        look(self.space.lock(sync::wait).as_mut().expect("rows look at what they have made"))
    }

    /// Root of its tables.
    pub(super) fn root(&self) -> Frame {
        self.look(|space| space.tables.root().frame)
    }
}
