//! The interrupt descriptor table, and what happens when an exception is taken.
//!
//! Interrupts stay masked: a vector below 32 is a fault to report, or another processor's request to forget
//! translations (NMI). Fault reports are common code's.

// UNSAFETY: assembles the exception stubs, loads the table.
#![expect(unsafe_code, reason = "exception stubs are assembly")]

use core::arch::global_asm;
use core::fmt;

use paging::VirtAddr;
use spin::Once;
use x86_64::instructions::tables::lidt;
use x86_64::registers::control::Cr2;
use x86_64::structures::DescriptorTablePointer;

use super::descriptor::{Gate, InterruptStack};
use super::exception::{EXCEPTIONS, ErrorCode, PageFault, Vector};
use super::{port, shootdown};
use crate::board::PRIVATE;
use crate::board::types::Width;
use crate::fault::{self, Attempt, Fault};

/// Bytes at the top of a CPU's private stack that exceptions run on, so that a full stack can still be reported.
const EXCEPTION_BYTES: u64 = 4096;

/// Top of the stack for [`InterruptStack::Fault`]: the private area's.
pub(super) const FAULT_STACK_TOP: VirtAddr = VirtAddr::new(PRIVATE.stack.get() + PRIVATE.stack_bytes);
/// Top of the stack for [`InterruptStack::Critical`].
pub(super) const CRITICAL_STACK_TOP: VirtAddr = VirtAddr::new(FAULT_STACK_TOP.get() - EXCEPTION_BYTES * 3 / 4);
/// Where a CPU's own stack starts.
pub(super) const STACK_TOP: VirtAddr = VirtAddr::new(FAULT_STACK_TOP.get() - EXCEPTION_BYTES);
const _: () = assert!(PRIVATE.stack_bytes >= 2 * EXCEPTION_BYTES, "layout.stack.size");

/// Vectors of the table.
pub(super) const VECTORS: usize = 256;

/// The mask of vectors whose error code the processor pushes.
const ERROR_CODES: u32 = {
    let mut mask = 0;
    let mut vector = 0;
    while vector < EXCEPTIONS {
        if matches!(Vector(vector as u8).error_code(), ErrorCode::Pushed) {
            mask |= 1 << vector;
        }
        vector += 1;
    }
    mask
};

global_asm!(
    include_str!("vectors.s"),
    exceptions = const EXCEPTIONS,
    error_codes = const ERROR_CODES,
    taken = sym taken,
);

unsafe extern "C" {
    /// First of the stubs, `STUB_BYTES` each.
    safe static exception_stubs: u8;
    safe static spurious_stub: u8;
}

/// Distance of two stubs in `vectors.s`.
const STUB_BYTES: u64 = 16;

/// What the stubs and the processor push, lowest address first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Frame {
    r15_to_r8: [u64; 8],
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rcx: u64,
    rax: u64,
    vector: u64,
    error_code: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

static TABLE: Once<[Gate; VECTORS]> = Once::new();

/// Spurious vectors: 8259 IRQ 7 and 15 after [`mask_8259`], and the local APIC's (SVR bits 7..0 after reset).
const SPURIOUS: [usize; 3] = [0x27, 0x2f, 0xff];

/// Loads the table on the calling processor; the first one fills it in and silences the 8259s.
pub(super) fn load() {
    let table = TABLE.call_once(|| {
        mask_8259();
        gates()
    });
    let pointer = DescriptorTablePointer {
        limit: size_of_val(table) as u16 - 1,
        base: x86_64::VirtAddr::new(table.as_ptr() as u64),
    };
    // SAFETY: the table is a static; each present gate leads to a stub of `vectors.s` and a stack that `per_cpu::load`
    // has put in the task state segment.
    unsafe { lidt(&pointer) };
}

fn gates() -> [Gate; VECTORS] {
    let mut gates = [Gate::ABSENT; VECTORS];
    let first = &raw const exception_stubs as u64;
    for (vector, gate) in gates.iter_mut().take(EXCEPTIONS).enumerate() {
        let stack = match Vector(vector as u8) {
            Vector::DOUBLE_FAULT | Vector::NMI | Vector::MACHINE_CHECK => InterruptStack::Critical,
            _ => InterruptStack::Fault,
        };
        *gate = Gate::new(VirtAddr::new(first + vector as u64 * STUB_BYTES), stack);
    }
    for vector in SPURIOUS {
        gates[vector] = Gate::new(VirtAddr::new(&raw const spurious_stub as u64), InterruptStack::Fault);
    }
    gates
}

/// Moves the two 8259s off the exceptions' vectors and masks every line of both.
///
/// Intel 8259A data sheet, "Initialization Command Words": ICW1 edge, cascade, ICW4 needed; ICW2 vector; ICW3 cascade
/// on line 2; ICW4 8086 mode. Then OCW1, all lines masked. A machine without them ignores the writes.
fn mask_8259() {
    const MASTER: u16 = 0x20;
    const SLAVE: u16 = 0xa0;
    for (base, vector, cascade) in [(MASTER, 0x20, 1 << 2), (SLAVE, 0x28, 2)] {
        port::write(base, Width::Byte, 0x11);
        for word in [vector, cascade, 0x01, 0xff] {
            port::write(base + 1, Width::Byte, word);
        }
    }
}

/// What the stubs call; returns only from a request of another processor.
extern "C" fn taken(frame: &Frame) {
    let vector = Vector(frame.vector as u8);
    if vector == Vector::NMI && (shootdown::answer() || shootdown::was_nudged()) {
        return;
    }
    let class = Class { vector, error_code: frame.error_code };
    let access = match vector {
        Vector::PAGE_FAULT => Some((PageFault(frame.error_code).attempt(), VirtAddr::new(Cr2::read_raw()))),
        // What could not be pushed is what the fault before it was about: CR2 still has it.
        Vector::DOUBLE_FAULT => Some((Attempt::Write, VirtAddr::new(Cr2::read_raw()))),
        _ => None,
    };
    fault::report(&Fault { class: &class, access, counter_name: "rip", counter: VirtAddr::new(frame.rip) })
}

/// An exception as a report names it.
struct Class {
    vector: Vector,
    error_code: u64,
}

impl fmt::Display for Class {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.vector.name())?;
        match (self.vector, self.vector.error_code()) {
            (Vector::PAGE_FAULT, _) => write!(out, " ({})", PageFault(self.error_code).reason()),
            (Vector::DOUBLE_FAULT, _) | (_, ErrorCode::None) => Ok(()),
            (_, ErrorCode::Pushed) => write!(out, " (error code {:#x})", self.error_code),
        }
    }
}
