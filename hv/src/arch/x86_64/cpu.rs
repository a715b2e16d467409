//! The processor that runs this: its number, its clock, its limits.

// UNSAFETY: reads the time-stamp counter.
#![expect(unsafe_code, reason = "the time-stamp counter")]

use core::arch::asm;
use core::arch::x86_64::__cpuid;

use x86_64::instructions::{hlt, interrupts};

use super::per_cpu;
use crate::cpu::CpuIndex;

/// Which CPU runs this.
pub fn index() -> CpuIndex {
    CpuIndex::new(per_cpu::index()).expect("`per_cpu::load` stored an index that was one")
}

/// Physical address bits: CPUID 80000008H EAX bits 7..0 (Intel SDM vol. 2A); 36 where the leaf is missing.
pub fn pa_bits() -> u8 {
    const LEAVES: u32 = 0x8000_0000;
    const ADDRESS_SIZES: u32 = 0x8000_0008;
    const WITHOUT_LEAF: u8 = 36;
    if __cpuid(LEAVES).eax < ADDRESS_SIZES {
        return WITHOUT_LEAF;
    }
    __cpuid(ADDRESS_SIZES).eax as u8
}

/// The time-stamp counter, not read ahead of earlier instructions.
pub fn ticks() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: CR4.TSD is clear, so RDTSC is allowed; both instructions only write the two registers named.
    unsafe {
        asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Lets another hardware thread go first.
pub fn relax() {
    core::hint::spin_loop();
}

/// Executes nothing afterwards that was fetched before: CPUID serializes. Intel SDM vol. 3A, "Serializing Instructions".
pub fn synchronize() {
    // Called for its effect on the pipeline.
    let _leaves = __cpuid(0);
}

/// Sleeps until an NMI; one that comes just before is missed, and its sender sends another.
pub fn doze() {
    hlt();
}

/// Sleeps for good, interrupts masked.
pub fn park() -> ! {
    interrupts::disable();
    loop {
        hlt();
    }
}
