//! The machine that runs guests, as the ABI's calls use it.
//!
//! A domain's own memory is one planned range, so that where a page of it lies takes no table; the pages of its window
//! come from the heap, and its tables say which.

use paging::{Frame, FrameRange, GuestAccess, Ipa, PAGE_BYTES};

use super::guests::{Guests, RING_PAGES, Window};
use super::hypercall::{self, Outcome};
use super::world::{Caller, DomainNumber, ShowError, World};
use super::{grants, inbox, output, run, spaces};
use crate::arch::this;
use crate::board::types::Domain;
use crate::board::{DOMAINS, PRIVATE};
use crate::fault::Attempt;
use crate::mm::guest_tables::TablesError;
use crate::mm::guest_walk::GuestVirt;
use crate::mm::mapcache::{self, Context, OwnView};
use crate::mm::this_cpu::ThisCpu;
use crate::sync;
use crate::vdev::gic::Intid;

/// Slots of this board's map caches.
const SLOTS: usize = PRIVATE.mapcache_slots as usize;

/// What the ABI keeps of every domain.
static ALL: Guests = Guests::none();

/// Pages of a domain's window: the ring's and the grant table's.
pub(super) const fn window(domain: &Domain) -> [(Ipa, u64); 2] {
    [(domain.map.console_ring.base, RING_PAGES), (domain.map.grants.base, grants::FRAMES as u64)]
}

fn number(domain: &Domain) -> DomainNumber {
    DomainNumber::new(domain.vmid).expect("the plan numbers domains from 1 on")
}

/// A domain that has been made.
pub(super) fn start(domain: &'static Domain) {
    let window = Window { ring: domain.map.console_ring.base, grants: domain.map.grants.base };
    let here = Here::new(domain, 0, Context::Idle);
    ALL.start(&here, number(domain), domain.vcpus, window).expect("the domain was made with its window")
}

/// A domain that is about to be destroyed: nobody else has anything of it on return.
pub(super) fn end(domain: &'static Domain) {
    ALL.end(&mut Here::new(domain, 0, Context::Idle), number(domain));
}

/// Answers a call of the loaded domain's.
pub fn call(domain: &'static Domain, vcpu: u32, number: u64, args: [u64; 5]) -> Outcome {
    let mut here = Here::new(domain, vcpu, Context::Guest { vmid: domain.vmid });
    hypercall::call(&mut here, &ALL, domain.console, number, args)
}

/// One call.
struct Here {
    domain: &'static Domain,
    caller: Caller,
    view: OwnView,
}

impl Here {
    fn new(domain: &'static Domain, vcpu: u32, context: Context) -> Self {
        let view = mapcache::here().enter(context).expect("the domain whose vCPU has left is loaded");
        Self { domain, caller: Caller { domain: number(domain), vcpu }, view }
    }
}

impl World<SLOTS> for Here {
    type Machine = ThisCpu;

    fn caller(&self) -> Caller {
        self.caller
    }

    fn view(&self) -> OwnView {
        self.view
    }

    fn translate(&self, at: GuestVirt, access: Attempt) -> Option<Frame> {
        let frame = Frame::containing(this::guest::translate(at, access)?);
        memory(self.domain).contains(frame).then_some(frame)
    }

    fn past_caches(&self) -> bool {
        this::guest::past_caches()
    }

    fn frame(&self, whose: DomainNumber, at: Ipa) -> Option<Frame> {
        let domain = DOMAINS.get(whose.index())?;
        let inside = |first: Ipa, pages: u64| {
            at.get().checked_sub(first.get()).map(|bytes| bytes / PAGE_BYTES).filter(|page| *page < pages)
        };
        let memory = memory(domain);
        if let Some(page) = inside(domain.ipa, memory.frames) {
            return Some(memory.first.add(page));
        }
        let in_window = window(domain).into_iter().any(|(first, pages)| inside(first, pages).is_some());
        if in_window { spaces::translate(domain, at) } else { None }
    }

    fn show(&mut self, to: DomainNumber, at: Ipa, frame: Frame, access: GuestAccess) -> Result<(), ShowError> {
        spaces::show(&DOMAINS[to.index()], at, frame, access).map_err(|error| match error {
            TablesError::Map(_) => ShowError::Place,
            TablesError::Limit | TablesError::Frames(_) | TablesError::Area(_) | TablesError::Vmap(_) => {
                ShowError::Room
            }
        })
    }

    fn hide(&mut self, from: DomainNumber, at: Ipa) {
        spaces::hide(&DOMAINS[from.index()], at);
    }

    /// An interrupt that comes once for each time that the upcall becomes pending: guests take all there is when it comes.
    fn upcall(&mut self, whose: DomainNumber, vcpu: u32) {
        let domain = &DOMAINS[whose.index()];
        inbox::post(domain, vcpu, Intid::new(domain.map.event_intid as u16));
    }

    fn is_up(&self, vcpu: u32) -> bool {
        vcpu < self.domain.vcpus && run::is_on(self.domain, vcpu)
    }

    /// `HVM_PARAM_CALLBACK_TYPE_PPI`, bits [63:56]; level, active low, bits [15:8]; the INTID. Xen, public/hvm/params.h.
    fn callback(&self) -> u64 {
        2 << 56 | 2 << 8 | u64::from(self.domain.map.event_intid)
    }

    fn print(&self, text: &[u8]) {
        output::write(self.domain, text);
    }

    fn wait() {
        sync::wait();
    }
}

fn memory(domain: &Domain) -> FrameRange {
    FrameRange::new(Frame::containing(domain.memory), domain.memory_bytes / PAGE_BYTES)
}
