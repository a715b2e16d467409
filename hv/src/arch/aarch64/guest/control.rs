//! A vCPU's control page: its part of the virtual interrupt controller and its timers; in that of vCPU 0 also what all
//! vCPUs of the domain share.
//!
//! Seen while the domain is loaded, and by no CPU that has not loaded it.

// UNSAFETY: names control pages by their planned addresses.
#![expect(unsafe_code, reason = "a page behind the domain slot becomes a reference")]

use paging::PAGE_BYTES;
use spin::mutex::{TicketMutex, TicketMutexGuard};

use crate::arch::this::gic::Interface;
use crate::board::DOMAIN_AREA;
use crate::board::types::{Domain, GuestGic};
use crate::mm::domain_area::VcpuPage;
use crate::vdev::gic::{Distributor, Intid, Private, VcpuNumber, Version};
use crate::vdev::pl011::Pl011;
use crate::vdev::timer::Timer;

/// What all vCPUs of a domain share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) distributor: Distributor,
    pub(super) uart: Pl011,
}

/// What only the CPU that runs the vCPU touches.
#[derive(Debug)]
pub(super) struct Own {
    /// Its CPU interface, while it is not loaded.
    pub(super) interface: Interface,
    /// Its physical timer.
    pub(super) physical: Timer,
}

#[repr(C)]
struct Control {
    own: Own,
    /// Touched by whoever has `shared` of vCPU 0 locked.
    private: Private,
    /// Used in vCPU 0's page.
    shared: TicketMutex<Shared>,
}

const _: () = assert!(size_of::<Control>() as u64 <= PAGE_BYTES, "a vCPU's control page is one page");

/// The loaded domain's devices, locked.
pub(super) struct Devices {
    shared: TicketMutexGuard<'static, Shared>,
    vcpus: u32,
}

fn page(vcpu: u32) -> *mut Control {
    DOMAIN_AREA.vcpu_page(vcpu, VcpuPage::Control).get() as *mut Control
}

/// The controller that a domain sees.
pub(super) fn version(domain: &Domain) -> Version {
    match domain.map.gic {
        GuestGic::V2 { .. } => Version::V2,
        GuestGic::V3 { .. } | GuestGic::None => Version::V3,
    }
}

/// The shared interrupts that a domain has: its devices' and its emulated console's.
fn last_shared(domain: &Domain) -> Intid {
    let passed = domain.map.passed.iter().flat_map(|device| device.intids);
    let all = passed.copied().chain(domain.map.uart.map(|uart| uart.intid));
    Intid::new(all.max().unwrap_or(0) as u16)
}

/// Makes the control page of a vCPU of the loaded domain, as after a reset, before any vCPU of the domain runs.
///
/// `tied` are private interrupts that stand for physical ones, a bit each.
pub(super) fn reset(domain: &Domain, vcpu: u32, tied: u32) {
    let (version, vcpus) = (version(domain), domain.vcpus as u16);
    let mut distributor = Distributor::new(version, vcpus, last_shared(domain));
    for intid in domain.map.passed.iter().flat_map(|device| device.intids) {
        distributor.tie(Intid::new(*intid as u16));
    }
    let control = Control {
        own: Own { interface: Interface::RESET, physical: Timer::default() },
        private: Private::new(version, VcpuNumber::new(vcpu as u16), vcpus, tied),
        shared: TicketMutex::new(Shared { distributor, uart: Pl011::RESET }),
    };
    // SAFETY: the builder has mapped this page behind the loaded domain's slot, writable, whole and of zeroes, and no
    // vCPU runs that could look at it.
    unsafe { page(vcpu).write(control) };
}

/// What is this vCPU's own, for the CPU that runs it.
pub(super) fn own(vcpu: u32) -> &'static mut Own {
    // SAFETY: `reset` has made the page; the domain is loaded, and this CPU runs the vCPU or is about to: nobody else
    // comes here for it, and callers keep the reference for a statement.
    unsafe { &mut (*page(vcpu)).own }
}

impl Devices {
    /// Waits for the loaded domain's lock.
    pub(super) fn lock(domain: &Domain) -> Self {
        // SAFETY: `reset` has made vCPU 0's page, and the domain stays loaded for as long as its vCPU is handled here.
        let shared: &'static TicketMutex<Shared> = unsafe { &(*page(0)).shared };
        Self { shared: shared.lock(), vcpus: domain.vcpus }
    }

    /// What all share, and one vCPU's part.
    ///
    /// # Panics
    /// When the domain has no such vCPU: whoever asks has the number from the domain.
    pub(super) fn of(&mut self, vcpu: u32) -> (&mut Shared, &mut Private) {
        assert!(vcpu < self.vcpus, "vCPUs are named by their domain");
        // SAFETY: `reset` has made the page; `private` is touched under the lock only, which this value holds, and the
        // result borrows this value.
        let private = unsafe { &mut (*page(vcpu)).private };
        (&mut self.shared, private)
    }
}
