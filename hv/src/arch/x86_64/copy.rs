//! Copies of memory that others may write meanwhile.
//!
//! One string move, since no Rust object lies there (Intel SDM vol. 1, "Fast-String Operation").

// UNSAFETY: reads and writes memory the caller names.
#![expect(unsafe_code, reason = "copies through addresses")]

use core::arch::asm;

/// A word, little-endian, at any address.
#[inline(always)]
pub fn load_word(from: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*from)
}

/// Stores one.
#[inline(always)]
pub fn store_word(to: &mut [u8; 8], word: u64) {
    *to = word.to_le_bytes();
}

/// Copies `bytes` bytes.
///
/// # Safety
/// - `from` is mapped for reading, `to` for writing, for as many bytes.
/// - No reference into what is written exists, but the one `to` was made from.
pub unsafe fn bytes(from: *const u8, to: *mut u8, bytes: usize) {
    let (words, rest) = (bytes / size_of::<u64>(), bytes % size_of::<u64>());
    // SAFETY: the moves read and write exactly the ranges of the contract; the direction flag is clear between functions
    // (System V ABI, x86-64, "Registers").
    unsafe {
        asm!(
            "rep movsq",
            "mov rcx, {rest}",
            "rep movsb",
            rest = in(reg) rest,
            inout("rsi") from => _,
            inout("rdi") to => _,
            inout("rcx") words => _,
            options(nostack, preserves_flags)
        );
    }
}
