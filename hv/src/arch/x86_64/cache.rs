//! Memory that others read past the caches.
//!
//! x86 caches are coherent with every processor and with DMA (Intel SDM vol. 3A, "Methods of Caching Available", WB; AMD
//! APM vol. 2, "Memory Coherency and Protocol"), and a guest's memory type for RAM is write-back from its first
//! instruction, paging or not: nothing is ever cleaned here.

// UNSAFETY: writes memory the caller names.
#![expect(unsafe_code, reason = "fills memory through its address")]

use core::arch::asm;

use paging::VirtAddr;

/// Bytes of the stores in [`scrub`]'s body.
const WORD_BYTES: u64 = size_of::<u64>() as u64;

/// Zero-fills `bytes` from `at`.
///
/// # Safety
/// - The range is mapped writable on this CPU.
/// - Nobody holds a reference into it.
pub unsafe fn zero(at: VirtAddr, bytes: u64) {
    // SAFETY: both bullets of the contract.
    unsafe { scrub(at.get(), at.get() + bytes) }
}

/// Bytes up to the first whole word, one string store for all words, bytes behind the last.
///
/// The string store is one instruction of any length, and the processor moves lines at a time where it can (Intel SDM
/// vol. 1, "Fast-String Operation"; an emulator counts its iterations). A symbol of its own, as on AArch64: benchmarks
/// count its instructions apart.
///
/// # Safety
/// - `start..end` is mapped writable on this CPU.
/// - Nobody holds a reference into it.
#[unsafe(export_name = "tabula_scrub")]
#[inline(never)]
unsafe extern "C" fn scrub(start: u64, end: u64) {
    let first = start.next_multiple_of(WORD_BYTES).min(end);
    let words = (end - first) / WORD_BYTES;
    for at in (start..first).chain(first + words * WORD_BYTES..end) {
        // SAFETY: one byte of the caller's range.
        unsafe { (at as *mut u8).write_volatile(0) }
    }
    // SAFETY: the words lie in the caller's range; the direction flag is clear between functions (System V ABI, x86-64,
    // "Registers").
    unsafe {
        asm!(
            "rep stosq",
            inout("rdi") first => _,
            inout("rcx") words => _,
            in("rax") 0_u64,
            options(nostack, preserves_flags)
        );
    }
}

/// Nothing: the machine is coherent.
///
/// # Safety
/// None beyond the contract's common signature.
pub unsafe fn flush(_at: VirtAddr, _bytes: u64) {}
