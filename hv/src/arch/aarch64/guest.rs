//! One vCPU at EL1: loaded, run, and what it leaves for.
//!
//! All of it lies in its own pages behind the domain slot; its EL1 and SIMD registers are in the CPU while it is loaded.
//! Nothing of it is on the hypervisor's stack while it runs: that is empty then.

// UNSAFETY: writes registers of EL1 and of stage 2.
#![expect(unsafe_code, reason = "system registers, and the way into a guest")]

use core::ffi::c_void;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    CNTHCTL_EL2, CNTVOFF_EL2, CPTR_EL2, HCR_EL2, MDCR_EL2, Readable, SPSR_EL2, VMPIDR_EL2, VTCR_EL2, VTTBR_EL2,
    Writeable,
};
use paging::{Frame, Level, PAGE_BYTES, PhysAddr, Stage2, VirtAddr};

use super::{cpu, registers, tlb};
use crate::board::DOMAIN_AREA;
use crate::board::types::Domain;
use crate::domain::{self, Start};
use crate::mm::domain_area::VcpuPage;
use crate::say;

mod control;
mod exit;
mod hypercall;
mod identification;
mod interrupts;
mod memory;
mod mmio;
mod psci;
mod system;
mod trap;

pub(super) use exit::exit;
use interrupts::Vcpu;
pub use memory::{past_caches, translate};
use system::System;

/// What a vCPU's register page holds.
#[repr(C, align(16))]
pub(super) struct Context {
    /// x0 to x30.
    pub(super) x: [u64; 31],
    /// Where it goes on.
    pub(super) counter: u64,
    /// Its PSTATE, as SPSR_EL2 writes it.
    pub(super) state: u64,
    /// Whose it is.
    pub(super) domain: &'static Domain,
    /// Registers of EL1, while it is not loaded.
    system: System,
    /// v0 to v31, FPCR and FPSR, while it is not loaded.
    simd: Simd,
}

impl Context {
    /// Which vCPU it is: contexts lie one behind the other, at planned addresses.
    fn vcpu(&self) -> Vcpu {
        let offset = core::ptr::from_ref(self).addr() as u64 - DOMAIN_AREA.vcpu_page(0, VcpuPage::Registers).get();
        Vcpu { domain: self.domain, number: (offset / (DOMAIN_AREA.vcpu_pages * PAGE_BYTES)) as u32 }
    }
}

const _: () = assert!(size_of::<Context>() as u64 <= PAGE_BYTES, "a context is one page at most");

/// The SIMD and floating-point registers, as `vectors.s` lays them out.
#[repr(C, align(16))]
struct Simd {
    v: [u128; 32],
    control: u64,
    status: u64,
}

impl Simd {
    const RESET: Self = Self { v: [0; 32], control: 0, status: 0 };
}

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
pub fn run(registers: VirtAddr, start: &Start) -> ! {
    let Start { domain, root, entry, argument } = *start;
    if domain.vcpus > 1 {
        say!("domain {}: 1 of {} vCPUs runs", domain.name, domain.vcpus);
    }
    let Some(vtcr) = Stage2::vtcr(domain.ipa_bits, cpu::physical_size()) else {
        say!("domain {}: this CPU cannot translate {} bits of guest address", domain.name, domain.ipa_bits);
        domain::ended(domain, domain::End::Stopped)
    };
    say!("domain {}: enters EL1 at {entry} on cpu {}, device tree at {argument:#x}", domain.name, cpu::index());
    let mut x = [0; 31];
    x[0] = argument;
    let context = Context { x, counter: entry.get(), state: START, domain, system: System::RESET, simd: Simd::RESET };
    let at: *mut Context = registers.get() as *mut Context;
    // SAFETY: the builder has mapped this page behind the loaded domain's slot, writable, for this vCPU alone, which does
    // not run yet.
    unsafe { at.write(context) };
    load(domain, root, vtcr);
    interrupts::reset(domain);
    // SAFETY: as above: `at` is this vCPU's context.
    let context = unsafe { &*at };
    context.system.load();
    context.vcpu().load();
    // SAFETY: the routine reads `Simd`, and writes registers that the hypervisor, built without them, does not use.
    unsafe { tabula_simd_load(&raw const context.simd) };
    // SAFETY: as above; the domain stays loaded until `ended`. No value on this stack is needed again, as this function
    // and its callers do not return.
    unsafe { tabula_enter_clean(at.cast()) }
}

/// This CPU runs nothing of the domain any more, which is over.
pub fn left(domain: &'static Domain) {
    Vcpu { domain, number: 0 }.save();
    interrupts::withdraw(domain);
}

unsafe extern "C" {
    /// In `vectors.s`: empties this CPU's stack, with zeroes, and enters the guest with what the context holds.
    fn tabula_enter_clean(context: *mut c_void) -> !;
    /// In `vectors.s`: makes these the CPU's.
    fn tabula_simd_load(registers: *const Simd);
}

/// Makes this CPU ready for the domain.
fn load(domain: &Domain, root: Frame, vtcr: u64) {
    HCR_EL2.set(registers::HCR_GUEST);
    VTCR_EL2.set(vtcr);
    VTTBR_EL2.set(u64::from(domain.vmid) << tlb::VTTBR_VMID_SHIFT | root.address().get());
    CPTR_EL2.set(registers::CPTR_GUEST);
    MDCR_EL2.set(registers::MDCR_GUEST | registers::event_counters());
    // Both counters are the guest's, the physical timer is not. Arm ARM, CNTHCTL_EL2 (E2H = 0): EL1PCTEN, EL1PCEN.
    CNTHCTL_EL2.write(CNTHCTL_EL2::EL1PCTEN::SET + CNTHCTL_EL2::EL1PCEN::CLEAR);
    CNTVOFF_EL2.set(0);
    registers::set_guest_identity();
    // vCPU 0. Arm ARM, MPIDR_EL1: bit 31 is RES1.
    VMPIDR_EL2.set(1 << 31);
    barrier::isb(barrier::SY);
}

/// Builds with checks: the page that shows the root of the guest's tables shows the root that is loaded.
fn assert_alias(context: &Context) {
    if cfg!(debug_assertions) {
        let pages =
            (DOMAIN_AREA.vcpu_page(0, VcpuPage::RootAlias).get(), DOMAIN_AREA.vcpu_page(0, VcpuPage::Registers).get());
        let alias = VirtAddr::new(core::ptr::from_ref(context).addr() as u64 + (pages.0 - pages.1));
        // BADDR, bits [47:1]; a root is a whole frame. Arm ARM, VTTBR_EL2.
        let root = VTTBR_EL2.get() & ((1 << tlb::VTTBR_VMID_SHIFT) - 1);
        let (root, shown) = (Frame::containing(PhysAddr::new(root)), memory::shown(alias));
        assert!(shown == Some(root), "{alias} shows {shown:?}, and {root} is loaded");
    }
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
