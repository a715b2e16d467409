//! The guest's own stage 1: one table, the gigabytes of its memory and its UART at their own addresses.
//!
//! Sources: Arm ARM (DDI 0487), "VMSAv8-64 translation table format descriptors", TCR_EL1, MAIR_EL1, SCTLR_EL1.

// UNSAFETY: writes translation registers.
#![expect(unsafe_code, reason = "system registers")]

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

/// A level-1 entry spans 1 GiB.
const BLOCK_SHIFT: u32 = 30;
/// Block descriptor: valid (bit 0), not a table; AttrIndx 0; SH inner (bits [9:8]); AF (bit 10).
const BLOCK: u64 = 1 | 0b11 << 8 | 1 << 10;
/// The same for registers: AttrIndx 1 (bits [4:2]), XN (bit 54).
const REGISTERS: u64 = 1 | 1 << 2 | 1 << 10 | 1 << 54;
/// MAIR_EL1 attribute 0: Normal, write-back, read and write allocate, non-transient; attribute 1: Device-nGnRnE.
const MAIR: u64 = 0xff;
/// TCR_EL1: T0SZ 25 (39 bits, start at level 1), IRGN0 and ORGN0 write-back, SH0 inner, TG0 4 KiB, EPD1, IPS 40 bits.
const TCR: u64 = 25 | 0b01 << 8 | 0b01 << 10 | 0b11 << 12 | 1 << 23 | 0b010 << 32;
/// SCTLR_EL1: M (bit 0), C (bit 2), I (bit 12).
const SCTLR_SET: u64 = 1 | 1 << 2 | 1 << 12;

#[repr(C, align(4096))]
struct Table([AtomicU64; 512]);

static ROOT: Table = Table([const { AtomicU64::new(0) }; 512]);

/// Maps the gigabyte around `memory` at its own address, and the one around a UART that is not in it, and turns MMU and
/// caches on.
pub(crate) fn enable(memory: u64, uart: Option<u64>) {
    uart.into_iter().for_each(|uart| map(uart, REGISTERS));
    map(memory, BLOCK);
    join();
}

/// Maps the gigabyte around an address.
fn map(at: u64, attributes: u64) {
    let index = at >> BLOCK_SHIFT;
    let entry = index << BLOCK_SHIFT | attributes;
    ROOT.0[usize::try_from(index & 511).unwrap_or(0)].store(entry, Ordering::Relaxed);
}

/// Turns MMU and caches of this processor on, with the table that the first one has written.
pub(crate) fn join() {
    let root = core::ptr::from_ref(&ROOT).expose_provenance();
    // SAFETY: the table maps all code, data and stack of this guest at the addresses they already have, so the
    // fetch after the write to SCTLR_EL1 continues; the table was written with the MMU off, past the caches.
    unsafe {
        asm!(
            "dsb sy",
            "msr mair_el1, {mair}",
            "msr tcr_el1, {tcr}",
            "msr ttbr0_el1, {root}",
            "isb",
            "tlbi vmalle1",
            "ic iallu",
            "dsb nsh",
            "isb",
            "mrs {value}, sctlr_el1",
            "orr {value}, {value}, {set}",
            "msr sctlr_el1, {value}",
            "isb",
            mair = in(reg) MAIR, tcr = in(reg) TCR, root = in(reg) root, set = in(reg) SCTLR_SET,
            value = out(reg) _, options(nostack),
        );
    }
}
