//! What tests ask of the processor: what an address translates to, a load that may fault, the loaded root.
//!
//! Part of the self-test image only. Leaves the vectors as they were after each load.

// UNSAFETY: address translation instructions, a load from any address, the stack pointer.
#![expect(unsafe_code, reason = "translates, loads and switches stacks by instruction")]

use core::arch::{asm, global_asm};

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{PAR_EL1, Readable, TTBR0_EL2};
use paging::{Frame, Ipa, PhysAddr, VirtAddr};

use crate::board::PRIVATE;
use crate::mm::guest_walk::El1;
use crate::self_test::Sight;

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

/// What a guest's registers hold whose tables of four levels begin at `root`, for both ranges of addresses: TCR_EL1.T0SZ
/// and T1SZ 16, TG1 0b10 (4 KiB), IPS 0b101 (48 bits). Arm ARM, TCR_EL1.
pub fn four_levels(root: Ipa) -> El1 {
    El1 { tcr: 16 | 16 << 16 | 0b10 << 30 | 0b101 << 32, ttbr0: root.get(), ttbr1: root.get() }
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
