//! One vCPU at EL1: loaded, run, and what it leaves for.
//!
//! Its general registers live in its context, its EL1 registers in the CPU while it is loaded. Nothing of it is on the
//! hypervisor's stack while it runs.

// UNSAFETY: writes registers of EL1 and of stage 2.
#![expect(unsafe_code, reason = "system registers, and the way into a guest")]

use core::cell::UnsafeCell;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    CNTHCTL_EL2, CNTVOFF_EL2, CPTR_EL2, HCR_EL2, MDCR_EL2, SCTLR_EL1, SPSR_EL2, VMPIDR_EL2, VTCR_EL2, VTTBR_EL2,
    Writeable,
};
use paging::{Level, Stage2, VirtAddr};

use super::{cpu, registers, tlb};
use crate::board::types::Domain;
use crate::board::{BLOBS, DOMAINS};
use crate::{domain, say};

mod exit;
mod hypercall;
mod memory;
mod psci;

pub(super) use exit::exit;

/// A vCPU's registers while it is not running.
#[repr(C)]
pub(super) struct Context {
    /// x0 to x30.
    pub(super) x: [u64; 31],
    /// Where it goes on.
    pub(super) counter: u64,
    /// Its PSTATE, as SPSR_EL2 writes it.
    pub(super) state: u64,
    /// Whose it is.
    pub(super) domain: &'static Domain,
}

/// The contexts, one for each domain.
struct Contexts(UnsafeCell<[Option<Context>; DOMAINS.len()]>);

// SAFETY: element n is touched only by the CPU that runs domain n, and a domain runs on one CPU.
unsafe impl Sync for Contexts {}

static CONTEXTS: Contexts = Contexts(UnsafeCell::new([const { None }; DOMAINS.len()]));

/// The PSTATE a guest starts with: EL1, own stack pointer, everything masked.
const START: u64 = SPSR_EL2::M::EL1h.value
    | SPSR_EL2::D::Masked.value
    | SPSR_EL2::A::Masked.value
    | SPSR_EL2::I::Masked.value
    | SPSR_EL2::F::Masked.value;

/// Where the root of a domain's stage-2 tables stands.
pub fn root_level(domain: &Domain) -> Level {
    Stage2::start_level(domain.ipa_bits)
}

/// Runs a domain's first vCPU until the domain is over.
pub fn run(index: usize, domain: &'static Domain) -> ! {
    let kernel = BLOBS[domain.kernel].ipa;
    let device_tree = BLOBS[domain.device_tree].ipa;
    if domain.vcpus > 1 {
        say!("domain {}: 1 of {} vCPUs runs", domain.name, domain.vcpus);
    }
    let Some(vtcr) = Stage2::vtcr(domain.ipa_bits, cpu::physical_size()) else {
        say!("domain {}: this CPU cannot translate {} bits of guest address", domain.name, domain.ipa_bits);
        domain::ended(domain, domain::End::Stopped)
    };
    say!("domain {}: enters EL1 at {kernel} on cpu {}, device tree at {device_tree}", domain.name, cpu::index());
    load(domain, vtcr);
    let mut x = [0; 31];
    x[0] = device_tree.get();
    let context = Context { x, counter: kernel.get(), state: START, domain };
    enter(index, context)
}

/// Makes the domain's tables and a reset EL1 this CPU's.
fn load(domain: &Domain, vtcr: u64) {
    HCR_EL2.set(registers::HCR_GUEST);
    VTCR_EL2.set(vtcr);
    let root = domain::root(domain).frame.address().get();
    VTTBR_EL2.set(u64::from(domain.vmid) << VTTBR_VMID_SHIFT | root);
    CPTR_EL2.set(registers::CPTR_GUEST);
    MDCR_EL2.set(registers::MDCR_GUEST | registers::event_counters());
    // Both counters and the physical timer are the guest's. Arm ARM, CNTHCTL_EL2 (E2H = 0): EL1PCTEN, EL1PCEN.
    CNTHCTL_EL2.write(CNTHCTL_EL2::EL1PCTEN::SET + CNTHCTL_EL2::EL1PCEN::SET);
    CNTVOFF_EL2.set(0);
    registers::set_guest_identity();
    // vCPU 0. Arm ARM, MPIDR_EL1: bit 31 is RES1.
    VMPIDR_EL2.set(1 << 31);
    reset();
    barrier::isb(barrier::SY);
    tlb::flush_guest();
}

/// VTTBR_EL2.VMID, bits [63:48]. Arm ARM, VTTBR_EL2.
const VTTBR_VMID_SHIFT: u32 = 48;

macro_rules! zero {
    ($($register:literal)*) => {
        // SAFETY: these registers act at EL1 and EL0 only, where nothing runs yet.
        unsafe { core::arch::asm!($(concat!("msr ", $register, ", xzr")),*, options(nostack, preserves_flags)) }
    };
}

/// EL1 as after a reset; nothing of an earlier guest is left.
fn reset() {
    SCTLR_EL1.set(registers::SCTLR_EL1_START);
    zero!("ttbr0_el1" "ttbr1_el1" "tcr_el1" "mair_el1" "amair_el1" "vbar_el1" "cpacr_el1" "contextidr_el1");
    zero!("elr_el1" "spsr_el1" "esr_el1" "far_el1" "afsr0_el1" "afsr1_el1" "par_el1" "csselr_el1");
    zero!("sp_el0" "sp_el1" "tpidr_el0" "tpidr_el1" "tpidrro_el0" "mdscr_el1");
    zero!("cntkctl_el1" "cntp_ctl_el0" "cntv_ctl_el0" "cntp_cval_el0" "cntv_cval_el0");
}

fn enter(index: usize, context: Context) -> ! {
    unsafe extern "C" {
        /// In `vectors.s`. The stack of the caller is gone.
        fn tabula_enter(context: *const core::ffi::c_void) -> !;
    }
    // SAFETY: this CPU is the one that runs the domain, which has not run before: nobody else looks at its element.
    let slot = unsafe { &mut (&mut *CONTEXTS.0.get())[index] };
    let context: *const Context = slot.insert(context);
    // SAFETY: the context lies in a static; the domain's tables are loaded (`load`), and no value on this stack is
    // needed again, as this function and its callers do not return.
    unsafe { tabula_enter(context.cast()) }
}

/// A guest's address, as its own tables translate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct GuestAddr(u64);

impl GuestAddr {
    /// For a report.
    fn shown(self) -> VirtAddr {
        VirtAddr::new(self.0)
    }
}
