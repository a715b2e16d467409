//! Memory that others read past the caches: guests with their MMU off, CPUs before theirs is on.
//!
//! Source: Arm ARM (DDI 0487), CTR_EL0.DminLine, DCZID_EL0, "DC CIVAC", "DC ZVA".

// UNSAFETY: cache maintenance, and stores to the caller's range.
#![expect(unsafe_code, reason = "cache maintenance and fills")]

use core::arch::asm;

use aarch64_cpu::asm::barrier;
use paging::VirtAddr;

use super::registers;

/// Zero-fills `bytes` from `at` and cleans them to the point of coherency.
///
/// # Safety
///
/// - the range is mapped as Normal memory for writing;
/// - nobody else uses it.
// A name of its own, and never inlined: instruction counts tell it apart from the rest of a boot.
#[inline(never)]
#[unsafe(export_name = "tabula_scrub")]
pub unsafe fn zero(at: VirtAddr, bytes: u64) {
    let (start, end) = (at.get(), at.get() + bytes);
    let body = match registers::zero_block_bytes() {
        Some(block) => start.next_multiple_of(block).min(end)..(end - end % block).max(start),
        None => end..end,
    };
    if body.start < body.end {
        let block = registers::zero_block_bytes().expect("a body is made of blocks");
        // SAFETY: the three ranges together are the caller's.
        unsafe { store_zeroes(start, body.start) };
        for at in body.clone().step_by(block as usize) {
            // SAFETY: the block lies in the caller's range, which is Normal memory.
            unsafe { asm!("dc zva, {}", in(reg) at, options(nostack, preserves_flags)) }
        }
        // SAFETY: as above.
        unsafe { store_zeroes(body.end, end) };
    } else {
        // SAFETY: the caller's range.
        unsafe { store_zeroes(start, end) };
    }
    // SAFETY: the caller's range.
    unsafe { flush(at, bytes) }
}

/// Cleans and invalidates `bytes` from `at` to the point of coherency.
///
/// # Safety
///
/// - the range is mapped.
#[inline(always)]
pub unsafe fn flush(at: VirtAddr, bytes: u64) {
    let line = registers::cache_line_bytes();
    let start = at.get() - at.get() % line;
    for at in (start..at.get() + bytes).step_by(line as usize) {
        // SAFETY: the line holds bytes of a mapped range; cleaning it loses nothing.
        unsafe { asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags)) }
    }
    barrier::dsb(barrier::SY);
}

/// # Safety
///
/// - the range is mapped for writing and nobody else uses it.
unsafe fn store_zeroes(start: u64, end: u64) {
    for at in start..end {
        // SAFETY: one byte of the caller's range.
        unsafe { (at as *mut u8).write_volatile(0) }
    }
}
