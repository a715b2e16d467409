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
pub unsafe fn zero(at: VirtAddr, bytes: u64) {
    let (start, end) = (at.get(), at.get() + bytes);
    let body = match registers::zero_block_bytes() {
        Some(block) => Blocks::within(start, end, block),
        None => Blocks { first: end, end, bytes: 1 },
    };
    let line = registers::cache_line_bytes();
    // SAFETY: the three parts together are the caller's range.
    unsafe { scrub(start, &body, end, line) }
}

/// Whole blocks of DC ZVA.
struct Blocks {
    first: u64,
    end: u64,
    bytes: u64,
}

impl Blocks {
    fn within(start: u64, end: u64, bytes: u64) -> Self {
        let first = start.next_multiple_of(bytes).min(end);
        Self { first, end: first.max(end - end % bytes), bytes }
    }
}

/// Stores of zeroes up to `body`, blocks in it, stores behind it, then a clean of all lines.
///
/// A symbol of its own: the boot benchmark counts its instructions apart.
///
/// # Safety
///
/// - `start..end` is mapped as Normal memory for writing, and nobody else uses it;
/// - `body` lies in it.
#[unsafe(export_name = "tabula_scrub")]
#[inline(never)]
unsafe extern "C" fn scrub(start: u64, body: &Blocks, end: u64, line: u64) {
    for at in (start..body.first).chain(body.end..end) {
        // SAFETY: one byte of the caller's range.
        unsafe { (at as *mut u8).write_volatile(0) }
    }
    for at in (body.first..body.end).step_by(body.bytes as usize) {
        // SAFETY: the block lies in the caller's range, which is Normal memory.
        unsafe { asm!("dc zva, {}", in(reg) at, options(nostack, preserves_flags)) }
    }
    // SAFETY: the caller's range is mapped.
    unsafe { clean(start, end, line) }
}

/// Cleans and invalidates `bytes` from `at` to the point of coherency.
///
/// # Safety
///
/// - the range is mapped.
pub unsafe fn flush(at: VirtAddr, bytes: u64) {
    // SAFETY: the caller's range.
    unsafe { clean(at.get(), at.get() + bytes, registers::cache_line_bytes()) }
}

/// # Safety
///
/// - the range is mapped.
#[inline(always)]
unsafe fn clean(start: u64, end: u64, line: u64) {
    let mut at = start - start % line;
    while at < end {
        // SAFETY: the line holds bytes of a mapped range; cleaning it loses nothing.
        unsafe { asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags)) }
        at += line;
    }
    barrier::dsb(barrier::SY);
}
