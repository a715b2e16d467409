//! One vCPU at EL1: loaded, run, and what it leaves for.
//!
//! All of it lies in its own pages behind the domain slot; its EL1 and SIMD registers are in the CPU while it is loaded.
//! Nothing of it is on the hypervisor's stack while it runs: that is empty then.

// UNSAFETY: writes registers of EL1 and of stage 2.
#![expect(unsafe_code, reason = "system registers, and the way into a guest")]

use core::ffi::c_void;
use core::sync::atomic::{AtomicU64, Ordering};

use aarch64_cpu::asm::{self, barrier};
use aarch64_cpu::registers::{
    CNTFRQ_EL0, CNTHCTL_EL2, CNTVOFF_EL2, CPTR_EL2, HCR_EL2, MDCR_EL2, Readable, SPSR_EL2, VMPIDR_EL2, VTCR_EL2,
    VTTBR_EL2, Writeable,
};
use paging::{Frame, Level, PAGE_BYTES, PhysAddr, Stage2, VirtAddr};

use super::{cpu, registers, tlb};
use crate::board::types::Domain;
use crate::board::{DOMAIN_AREA, DOMAINS};
use crate::domain::Start;
use crate::domain::psci::affinity;
use crate::domain::run::{OVERCOMMITTED, Remembers, Stack};
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
    /// VTTBR_EL2 while it runs.
    tables: u64,
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

/// Whether this CPU's physical addresses are wide enough.
pub fn can_run(domain: &Domain) -> bool {
    let can = vtcr(domain).is_some();
    if !can {
        say!("domain {}: this CPU cannot translate {} bits of guest address", domain.name, domain.ipa_bits);
    }
    can
}

fn vtcr(domain: &Domain) -> Option<u64> {
    Stage2::vtcr(domain.ipa_bits, cpu::physical_size())
}

/// The context of a vCPU of the loaded domain.
fn context(vcpu: u32) -> *mut Context {
    DOMAIN_AREA.vcpu_page(vcpu, VcpuPage::Registers).get() as *mut Context
}

/// Makes a vCPU of the loaded domain ready to begin: EL1 after a reset.
pub fn reset(start: &Start) {
    let Start { domain, vcpu, root, entry } = *start;
    let mut x = [0; 31];
    x[0] = entry.context;
    let tables = u64::from(domain.vmid) << tlb::VTTBR_VMID_SHIFT | root.address().get();
    let (system, simd) = (System::RESET, Simd::RESET);
    let fresh = Context { x, counter: entry.at, state: START, domain, tables, system, simd };
    // SAFETY: the builder has mapped this page behind the loaded domain's slot, writable, for this vCPU alone, which no
    // CPU runs (contract of `reset`).
    unsafe { context(vcpu).write(fresh) }
}

/// Runs a vCPU of the loaded domain.
pub fn enter(vcpu: u32, stack: Stack, remembers: Remembers) -> ! {
    let at = context(vcpu);
    // SAFETY: `reset` has written it, the domain stays loaded until the vCPU has left, and this CPU alone runs it.
    let context = unsafe { &*at };
    load(context);
    if remembers == Remembers::Another {
        tlb::flush_vcpu();
    }
    context.system.load();
    context.vcpu().load();
    // SAFETY: the routine reads `Simd`, and writes registers that the hypervisor, built without them, does not use.
    unsafe { tabula_simd_load(&raw const context.simd) };
    // SAFETY: as above. No value on this stack is needed again, as this function and its callers do not return.
    match stack {
        Stack::Own => unsafe { tabula_enter(at.cast()) },
        Stack::Others => unsafe { tabula_enter_clean(at.cast()) },
    }
}

/// Puts the vCPU that ran into its pages: nothing of it is left in this CPU.
fn save(context: &mut Context) {
    context.system.save();
    context.vcpu().save();
    // SAFETY: the routine writes `Simd`, then registers that the hypervisor, built without them, does not use.
    unsafe { tabula_simd_save(&raw mut context.simd) };
    System::RESET.load();
}

/// When each domain began, by the physical counter: its virtual one starts at 0 then.
static BEGINNINGS: [AtomicU64; DOMAINS.len()] = [const { AtomicU64::new(0) }; DOMAINS.len()];

fn beginning(domain: &Domain) -> &'static AtomicU64 {
    &BEGINNINGS[usize::from(domain.vmid) - 1]
}

/// Makes the loaded domain's devices as after a reset, and starts its virtual time.
pub fn begin(domain: &Domain) {
    beginning(domain).store(cpu::ticks(), Ordering::Relaxed);
    interrupts::reset(domain);
}

/// The domain is over: interrupts of its devices come no more.
pub fn withdraw(domain: &Domain) {
    interrupts::withdraw(domain);
}

unsafe extern "C" {
    /// In `vectors.s`: enters the guest with what the context holds, on an empty stack.
    fn tabula_enter(context: *mut c_void) -> !;
    /// In `vectors.s`: the same, and the stack's memory is zeroes.
    fn tabula_enter_clean(context: *mut c_void) -> !;
    /// In `vectors.s`: makes these the CPU's.
    fn tabula_simd_load(registers: *const Simd);
    /// In `vectors.s`: stores the CPU's, and makes those zero.
    fn tabula_simd_save(registers: *mut Simd);
}

/// Makes this CPU ready for a vCPU.
fn load(context: &Context) {
    HCR_EL2.set(if OVERCOMMITTED { registers::HCR_GUEST_OVERCOMMITTED } else { registers::HCR_GUEST });
    VTCR_EL2.set(vtcr(context.domain).expect("a domain is started where its addresses can be translated"));
    VTTBR_EL2.set(context.tables);
    CPTR_EL2.set(registers::CPTR_GUEST);
    MDCR_EL2.set(registers::MDCR_GUEST | registers::event_counters());
    // Both counters are the guest's, the physical timer is not. Arm ARM, CNTHCTL_EL2 (E2H = 0): EL1PCTEN, EL1PCEN.
    CNTHCTL_EL2.write(CNTHCTL_EL2::EL1PCTEN::SET + CNTHCTL_EL2::EL1PCEN::CLEAR);
    CNTVOFF_EL2.set(beginning(context.domain).load(Ordering::Relaxed));
    registers::set_guest_identity();
    // Arm ARM, MPIDR_EL1: bit 31 is RES1.
    VMPIDR_EL2.set(1 << 31 | affinity(context.vcpu().number));
    barrier::isb(barrier::SY);
}

/// Turns in a second.
const TURNS_HZ: u64 = 100;

/// Ticks of a vCPU's turn.
pub fn turn_ticks() -> u64 {
    CNTFRQ_EL0.get() / TURNS_HZ
}

/// Has this CPU look at a tick, or at none: seen when a vCPU is loaded or goes on.
pub fn alarm(at: Option<u64>) {
    interrupts::ALARMS[cpu::index().get()].store(at.unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Sleeps until an interrupt, a nudge's among them, or a tick.
pub fn idle(until: Option<u64>) {
    interrupts::set_timer(until.unwrap_or(u64::MAX));
    barrier::dsb(barrier::SY);
    asm::wfi();
    interrupts::taken_idle();
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
