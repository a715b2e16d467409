//! Forgetting what this processor's stack was used for.

// UNSAFETY: zeroes the part of the stack below the caller.
#![expect(unsafe_code, reason = "the unused part of the stack")]

use core::arch::asm;

use crate::board::PRIVATE;

/// Zeroes this processor's stack below the frames in use.
///
/// An exception writes its frame at the top of another stack (interrupt stack table), so nothing comes in between.
#[inline(never)]
pub fn wipe() {
    // SAFETY: memory from the stack's lowest byte up to the stack pointer belongs to this processor, and to no frame: code
    // is compiled without a red zone (System V ABI, AMD64 supplement, "The Stack Frame"; the target has none), and nothing
    // is called here. Both ends are multiples of 8.
    unsafe {
        asm!(
            "mov rcx, rsp",
            "sub rcx, rdi",
            "shr rcx, 3",
            "xor eax, eax",
            "rep stosq",
            inout("rdi") PRIVATE.stack.get() => _,
            out("rcx") _,
            out("rax") _,
            options(nostack),
        );
    }
}
