//! Copies of memory that others may write meanwhile.
//!
//! Assembly, since no Rust object lies there: 64 bytes in twelve instructions, whatever the alignment (Normal memory,
//! SCTLR_EL2.A clear).

// UNSAFETY: reads and writes memory the caller names.
#![expect(unsafe_code, reason = "copies through addresses")]

use core::arch::asm;

/// A word, little-endian, at any address: in one instruction, where the compiler has to put it together from bytes.
#[inline(always)]
pub fn load_word(from: &[u8; 8]) -> u64 {
    let word;
    // SAFETY: the reference says that the eight bytes can be read.
    unsafe {
        asm!("ldr {word}, [{from}]", word = out(reg) word, from = in(reg) from, options(nostack, pure, readonly, preserves_flags));
    }
    word
}

/// Stores one.
#[inline(always)]
pub fn store_word(to: &mut [u8; 8], word: u64) {
    // SAFETY: the reference says that the eight bytes can be written, by nobody else.
    unsafe {
        asm!("str {word}, [{to}]", word = in(reg) word, to = in(reg) to, options(nostack, preserves_flags));
    }
}

/// Copies `bytes` bytes.
///
/// # Safety
///
/// - `from` is mapped as Normal memory for reading, `to` for writing, for as many bytes;
/// - no reference into what is written exists, but the one `to` was made from.
pub unsafe fn bytes(from: *const u8, to: *mut u8, bytes: usize) {
    // SAFETY: the loop reads and writes exactly the ranges of the contract; below 64 bytes the low bits of the counter,
    // which subtracting 64 leaves alone, say what is left.
    unsafe {
        asm!(
            "subs {n}, {n}, #64",
            "b.lo 3f",
            "2:",
            "ldp {a}, {b}, [{from}]",
            "ldp {c}, {d}, [{from}, #16]",
            "stp {a}, {b}, [{to}]",
            "ldp {a}, {b}, [{from}, #32]",
            "stp {c}, {d}, [{to}, #16]",
            "ldp {c}, {d}, [{from}, #48]",
            "add {from}, {from}, #64",
            "stp {a}, {b}, [{to}, #32]",
            "stp {c}, {d}, [{to}, #48]",
            "add {to}, {to}, #64",
            "subs {n}, {n}, #64",
            "b.hs 2b",
            "3: tbz {n}, #5, 4f",
            "ldp {a}, {b}, [{from}], #16",
            "ldp {c}, {d}, [{from}], #16",
            "stp {a}, {b}, [{to}], #16",
            "stp {c}, {d}, [{to}], #16",
            "4: tbz {n}, #4, 5f",
            "ldp {a}, {b}, [{from}], #16",
            "stp {a}, {b}, [{to}], #16",
            "5: tbz {n}, #3, 6f",
            "ldr {a}, [{from}], #8",
            "str {a}, [{to}], #8",
            "6: tbz {n}, #2, 7f",
            "ldr {a:w}, [{from}], #4",
            "str {a:w}, [{to}], #4",
            "7: tbz {n}, #1, 8f",
            "ldrh {a:w}, [{from}], #2",
            "strh {a:w}, [{to}], #2",
            "8: tbz {n}, #0, 9f",
            "ldrb {a:w}, [{from}]",
            "strb {a:w}, [{to}]",
            "9:",
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            n = inout(reg) bytes => _,
            a = out(reg) _,
            b = out(reg) _,
            c = out(reg) _,
            d = out(reg) _,
            options(nostack)
        );
    }
}
