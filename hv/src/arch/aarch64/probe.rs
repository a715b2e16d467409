//! What tests ask of the processor: what an address translates to, a load that may fault, the loaded root.
//!
//! Part of the self-test image only. Leaves the vectors as they were after each load.

// UNSAFETY: address translation instructions, a load from any address, the stack pointer.
#![expect(unsafe_code, reason = "translates, loads and switches stacks by instruction")]

use core::arch::{asm, global_asm};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    HCR_EL2, PAR_EL1, ReadWriteable, Readable, SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR0_EL2, TTBR1_EL1, VTCR_EL2,
    VTTBR_EL2, Writeable,
};
use paging::{Frame, PhysAddr, Stage2, VirtAddr};

use super::{GuestRegime, cpu, guest, registers, tlb};
use crate::board::PRIVATE;
use crate::fault::Attempt;
use crate::mm::guest_walk::GuestVirt;
use crate::self_test::{GuestWalk, Sight};

global_asm!(include_str!("probe.s"));

unsafe extern "C" {
    /// Loads the 8 bytes at `at` into `into`; 0 where the load was aborted.
    fn tabula_probe_load(at: u64, into: *mut u64) -> u64;
}

/// PAR_EL1.F, bit 0: the translation was aborted. Arm ARM (DDI 0487), PAR_EL1.
const PAR_ABORTED: u64 = 1;
/// PAR_EL1.PA, bits [47:12], where F is clear. Arm ARM, PAR_EL1.
const PAR_ADDRESS: u64 = 0x0000_ffff_ffff_f000;
/// TTBR0_EL2.BADDR, bits [47:1], without the bits that a root of 4 KiB leaves zero. Arm ARM, TTBR0_EL2.
const TTBR_ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// What this CPU makes of `at`, which is no device's: by AT, and by a load, which may use what the TLB remembers.
pub fn look(at: VirtAddr) -> Sight {
    Sight { readable: load(at).is_some(), writable: translate_write(at).is_some(), frame: translate_read(at) }
}

/// Reads the 8 bytes at `at`, aligned; `None` where that aborts.
pub fn load(at: VirtAddr) -> Option<u64> {
    assert!(at.is_aligned_to(8), "one access reads an aligned word");
    let mut word = 0;
    // SAFETY: the routine reads `at` with one instruction and goes on behind it when that is aborted; it writes `word`,
    // whose pointer is this function's own.
    let loaded = unsafe { tabula_probe_load(at.get(), &raw mut word) };
    (loaded != 0).then_some(word)
}

/// The root that TTBR0_EL2 holds.
pub fn root() -> Frame {
    Frame::containing(PhysAddr::new(TTBR0_EL2.get() & TTBR_ADDRESS))
}

/// Empties this CPU's stack and goes on with `then`.
pub fn restart(then: extern "C" fn() -> !) -> ! {
    let top = PRIVATE.stack.get() + PRIVATE.stack_bytes;
    // SAFETY: `then` is all that runs on this CPU from now on; nobody else has a pointer into its stack, since requests
    // between CPUs are values.
    unsafe { asm!("mov sp, {top}", "br {then}", top = in(reg) top, then = in(reg) then, options(noreturn)) }
}

/// The other format of guests' tables that the machine has: none but stage 2.
pub type OtherGuestFormat = super::GuestFormat;

/// What the processor makes of a guest's address, by the guest's tables and by ours; ours are a root
/// of level 1. Arm ARM, "AT S12E1R".
pub const GUEST_WALK: Option<GuestWalk> = Some(guest_walk);

/// Bits of a guest's address that a root of level 1 translates. Arm ARM, VTCR_EL2.T0SZ.
const GUEST_IPA_BITS: u8 = 39;

/// Nothing of EL1 runs meanwhile; every register is as it was on return.
fn guest_walk(vmid: u16, root: Frame, regime: &GuestRegime, at: GuestVirt) -> Option<PhysAddr> {
    let hypervisor = (HCR_EL2.get(), VTCR_EL2.get(), VTTBR_EL2.get());
    let guest = (SCTLR_EL1.get(), TCR_EL1.get(), TTBR0_EL1.get(), TTBR1_EL1.get());
    let vtcr = Stage2::vtcr(GUEST_IPA_BITS, cpu::physical_size()).expect("processors with EL2 have more physical bits");
    VTCR_EL2.set(vtcr);
    VTTBR_EL2.set(u64::from(vmid) << tlb::VTTBR_VMID_SHIFT | root.address().get());
    HCR_EL2.set(registers::HCR_GUEST);
    TCR_EL1.set(regime.tcr);
    TTBR0_EL1.set(regime.ttbr0);
    TTBR1_EL1.set(regime.ttbr1);
    SCTLR_EL1.modify(SCTLR_EL1::M::Enable + SCTLR_EL1::C::Cacheable);
    barrier::isb(barrier::SY);
    let found = guest::translate(at, Attempt::Read);
    SCTLR_EL1.set(guest.0);
    TCR_EL1.set(guest.1);
    TTBR0_EL1.set(guest.2);
    TTBR1_EL1.set(guest.3);
    HCR_EL2.set(hypervisor.0);
    VTCR_EL2.set(hypervisor.1);
    VTTBR_EL2.set(hypervisor.2);
    barrier::isb(barrier::SY);
    found
}

/// Stage 1 of the hypervisor, as a read. Arm ARM, "AT S1E2R".
fn translate_read(at: VirtAddr) -> Option<Frame> {
    // SAFETY: AT writes PAR_EL1 only, which nobody else uses: no guest runs in this image.
    unsafe { asm!("at s1e2r, {}", in(reg) at.get(), options(nostack, preserves_flags)) }
    result()
}

/// Stage 1 of the hypervisor, as a write. Arm ARM, "AT S1E2W".
fn translate_write(at: VirtAddr) -> Option<Frame> {
    // SAFETY: as `translate_read`.
    unsafe { asm!("at s1e2w, {}", in(reg) at.get(), options(nostack, preserves_flags)) }
    result()
}

/// What the AT before it found. Arm ARM, PAR_EL1: an ISB comes between.
fn result() -> Option<Frame> {
    barrier::isb(barrier::SY);
    let result = PAR_EL1.get();
    (result & PAR_ABORTED == 0).then(|| Frame::containing(PhysAddr::new(result & PAR_ADDRESS)))
}
