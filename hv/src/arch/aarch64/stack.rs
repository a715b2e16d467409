//! Forgetting what this CPU's stack was used for.

// UNSAFETY: zeroes the part of the stack below the caller.
#![expect(unsafe_code, reason = "the unused part of the stack")]

use core::arch::asm;

use crate::board::PRIVATE;

/// Zeroes this CPU's stack below the frames in use.
#[inline(never)]
pub fn wipe() {
    // SAFETY: memory from the stack's lowest byte up to the stack pointer belongs to this CPU, and to no frame: AAPCS64,
    // "The Stack", has nothing below SP, and nothing is called here. SP is a multiple of 16, the base is a page's.
    unsafe {
        asm!(
            "mov {end}, sp",
            "2:",
            "cmp {at}, {end}",
            "b.hs 3f",
            "stp xzr, xzr, [{at}], #16",
            "b 2b",
            "3:",
            at = inout(reg) PRIVATE.stack.get() => _,
            end = out(reg) _,
            options(nostack),
        );
    }
}
