//! What the vectors lead to: the report of a fault of our own, and a guest's exit.
//!
//! Runs a fault's report on a stack that nothing else uses.

// UNSAFETY: assembles the vectors.
#![expect(unsafe_code, reason = "vectors are assembly")]

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::offset_of;
use core::sync::atomic::AtomicU32;

use aarch64_cpu::registers::{ELR_EL2, ESR_EL2, FAR_EL2, Readable};
use paging::VirtAddr;

use super::guest::{self, Context};
use super::syndrome::{Class, Syndrome};
use crate::board::PRIVATE;
use crate::fault::{self, Fault};

/// Enough for one report.
const LAST_STACK_BYTES: usize = 4096;

/// The stack of the last report.
#[repr(C, align(16))]
struct LastStack(UnsafeCell<[u8; LAST_STACK_BYTES]>);

// SAFETY: only the vectors use it, and only for the one CPU that took `TAKEN`.
unsafe impl Sync for LastStack {}

static LAST_STACK: LastStack = LastStack(UnsafeCell::new([0; LAST_STACK_BYTES]));

/// Whether a CPU is reporting.
static TAKEN: AtomicU32 = AtomicU32::new(0);

const _: () = assert!(offset_of!(Context, x) == 0 && offset_of!(Context, counter) == 248);
const _: () = assert!(offset_of!(Context, state) == 256, "vectors.s knows these offsets");
const _: () = assert!(align_of::<Context>() == 16, "SP_EL2 points to one while its vCPU runs");

global_asm!(
    include_str!("vectors.s"),
    taken = sym TAKEN,
    last_stack = sym LAST_STACK,
    last_stack_bytes = const LAST_STACK_BYTES,
    own = sym own_fault,
    exit = sym guest::exit,
    stack = const PRIVATE.stack.get(),
    stack_end = const PRIVATE.stack.get() + PRIVATE.stack_bytes,
);

/// An exception taken from EL2; `vector` counts from the start of the table.
extern "C" fn own_fault(vector: u64) -> ! {
    let class = Syndrome::new(ESR_EL2.get()).class();
    let at = VirtAddr::new(FAR_EL2.get());
    let access = match class {
        Class::DataAbort(abort) | Class::InstructionAbort(abort) if abort.address_valid => Some((abort.attempt, at)),
        _ => None,
    };
    let counter = VirtAddr::new(ELR_EL2.get());
    fault::report(&Fault { class: &Own { vector, class }, access, counter_name: "elr", counter })
}

/// A class, or the kind of vector where that says more.
struct Own {
    vector: u64,
    class: Class,
}

impl fmt::Display for Own {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Within each group of four: synchronous, IRQ, FIQ, SError. Arm ARM, "Exception vectors".
        match self.vector % 4 {
            1 => out.write_str("unexpected interrupt"),
            2 => out.write_str("unexpected fast interrupt"),
            3 => out.write_str("system error"),
            _ => self.class.fmt(out),
        }
    }
}
