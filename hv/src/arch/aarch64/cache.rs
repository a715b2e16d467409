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
    let (by, block) = match registers::zero_block_bytes() {
        Some(block) => (By::Zva, block),
        None => (By::Stores, STORED_BYTES),
    };
    let body = Blocks::within(start, end, block);
    // SAFETY: the three parts together are the caller's range; `body` is made of blocks of DC ZVA where there is one.
    unsafe { scrub(start, &body, end, registers::cache_line_bytes(), by) }
}

/// What [`store_blocks`] zeroes at once where DC ZVA is prohibited.
const STORED_BYTES: u64 = 64;

/// Blocks that one loop goes through without a branch.
const UNROLLED: u64 = 16;

/// Whole blocks of one size.
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

/// How blocks are zeroed.
#[repr(u32)]
#[derive(Clone, Copy)]
enum By {
    /// Stores: DC ZVA is prohibited.
    Stores,
    /// DC ZVA.
    Zva,
}

/// Stores of zeroes up to `body`, blocks in it, stores behind it, and a clean of all lines.
///
/// Where a block is a line each is cleaned as soon as it is zero: cleaning by address stays in order with the stores of
/// the same line, and DC ZVA is a set of stores. Arm ARM, "Ordering and completion of data and instruction cache
/// instructions". A symbol of its own: the boot benchmark counts its instructions apart.
///
/// # Safety
///
/// - `start..end` is mapped as Normal memory for writing, and nobody else uses it;
/// - `body` lies in it, and is made of DC ZVA's blocks where `by` says so, of [`STORED_BYTES`] otherwise.
#[unsafe(export_name = "tabula_scrub")]
#[inline(never)]
unsafe extern "C" fn scrub(start: u64, body: &Blocks, end: u64, line: u64, by: By) {
    for at in (start..body.first).chain(body.end..end) {
        // SAFETY: one byte of the caller's range.
        unsafe { (at as *mut u8).write_volatile(0) }
    }
    let (cleaned_from, cleaned_to) = match by {
        By::Zva if body.bytes == line => {
            // SAFETY: the blocks lie in the caller's range, which is Normal memory; each is a line.
            unsafe { zero_and_clean_lines(body) }
            (body.first, body.end)
        }
        By::Zva => {
            // SAFETY: the blocks lie in the caller's range, which is Normal memory.
            unsafe { zero_blocks(body) }
            (end, end)
        }
        By::Stores => {
            // SAFETY: the blocks lie in the caller's range.
            unsafe { store_blocks(body) }
            (end, end)
        }
    };
    for (from, to) in [(start, cleaned_from), (cleaned_to, end)] {
        // SAFETY: parts of the caller's range, which is mapped.
        unsafe { clean_lines(from, to, line) }
    }
    barrier::dsb(barrier::SY);
}

/// The instructions for each of `$blocks`, whose address is `at`: [`UNROLLED`] blocks at a time, then one by one.
macro_rules! for_each_block {
    ($blocks:expr, $($instruction:literal),+) => {{
        let blocks: &Blocks = $blocks;
        let count = (blocks.end - blocks.first) / blocks.bytes;
        let mut at = blocks.first;
        let runs = count / UNROLLED;
        if runs > 0 {
            asm!(
                "2:",
                ".rept {unrolled}",
                $($instruction,)+
                "add {at}, {at}, {bytes}",
                ".endr",
                "subs {runs}, {runs}, #1",
                "b.ne 2b",
                at = inout(reg) at,
                bytes = in(reg) blocks.bytes,
                runs = inout(reg) runs => _,
                unrolled = const UNROLLED,
                options(nostack)
            );
        }
        while at < blocks.end {
            asm!($($instruction,)+ at = in(reg) at, options(nostack, preserves_flags));
            at += blocks.bytes;
        }
    }};
}

/// # Safety
///
/// - the blocks are Normal memory, mapped for writing, nobody else's;
/// - each is a block of DC ZVA, and a cache line.
#[inline(always)]
unsafe fn zero_and_clean_lines(blocks: &Blocks) {
    // SAFETY: the contract.
    unsafe { for_each_block!(blocks, "dc zva, {at}", "dc civac, {at}") }
}

/// # Safety
///
/// - the blocks are Normal memory, mapped for writing, nobody else's;
/// - each is a block of DC ZVA.
#[inline(always)]
unsafe fn zero_blocks(blocks: &Blocks) {
    // SAFETY: the contract.
    unsafe { for_each_block!(blocks, "dc zva, {at}") }
}

/// # Safety
///
/// - the blocks are mapped for writing, nobody else's;
/// - each has [`STORED_BYTES`].
#[inline(always)]
unsafe fn store_blocks(blocks: &Blocks) {
    // SAFETY: the contract; four pairs of words are a block.
    unsafe {
        for_each_block!(
            blocks,
            "stp xzr, xzr, [{at}]",
            "stp xzr, xzr, [{at}, #16]",
            "stp xzr, xzr, [{at}, #32]",
            "stp xzr, xzr, [{at}, #48]"
        )
    }
}

/// Cleans and invalidates `bytes` from `at` to the point of coherency.
///
/// # Safety
///
/// - the range is mapped.
pub unsafe fn flush(at: VirtAddr, bytes: u64) {
    // SAFETY: the caller's range.
    unsafe { clean_lines(at.get(), at.get() + bytes, registers::cache_line_bytes()) }
    barrier::dsb(barrier::SY);
}

/// Cleans and invalidates the lines of `start..end`; completion is the caller's barrier.
///
/// # Safety
///
/// - the range is mapped.
#[inline(always)]
unsafe fn clean_lines(start: u64, end: u64, line: u64) {
    if start < end {
        let lines = Blocks { first: start - start % line, end: end.next_multiple_of(line), bytes: line };
        // SAFETY: each line holds bytes of a mapped range; cleaning it loses nothing.
        unsafe { for_each_block!(&lines, "dc civac, {at}") }
    }
}
