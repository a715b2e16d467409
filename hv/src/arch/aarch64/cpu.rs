//! The processor that runs this: number, physical address size, time, sleep.
//!
//! TPIDR_EL2 holds the number from entry on; nothing else may use it.

// UNSAFETY: a hint instruction.
#![expect(unsafe_code, reason = "YIELD has no intrinsic")]

use core::arch::asm;

use aarch64_cpu::asm;
use aarch64_cpu::registers::{CNTPCT_EL0, ID_AA64MMFR0_EL1, Readable, TPIDR_EL2, Writeable};
use paging::PhysicalSize;

use crate::cpu::CpuIndex;

/// Which CPU runs this.
pub fn index() -> CpuIndex {
    CpuIndex::new(TPIDR_EL2.get() as usize).expect("entry wrote a CPU's number")
}

/// Remembers which CPU runs this.
pub(super) fn set_index(cpu: CpuIndex) {
    TPIDR_EL2.set(cpu.get() as u64);
}

/// The physical address size of this CPU, as far as the entry format goes.
pub(super) fn physical_size() -> PhysicalSize {
    let field = ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::PARange);
    PhysicalSize::from_pa_range(field).expect("PARange is none of the reserved values")
}

/// Physical address bits.
pub fn pa_bits() -> u8 {
    physical_size().bits()
}

/// The physical counter.
pub fn ticks() -> u64 {
    aarch64_cpu::asm::barrier::isb(aarch64_cpu::asm::barrier::SY);
    CNTPCT_EL0.get()
}

/// Lets another hardware thread go first. `spin_loop` is an ISB here, during which an emulator with one thread for all
/// CPUs runs no other one. Arm ARM, "YIELD".
pub fn relax() {
    // SAFETY: a hint changes no register and no memory.
    unsafe { asm!("yield", options(nomem, nostack, preserves_flags)) }
}

/// Executes nothing afterwards that was fetched before.
pub fn synchronize() {
    asm::barrier::isb(asm::barrier::SY);
}

/// Sleeps until an event: one that came since the last doze ends it at once. Arm ARM, "Wait for Event".
pub fn doze() {
    asm::wfe();
}

/// Sleeps for good.
pub fn park() -> ! {
    loop {
        asm::wfi();
    }
}
