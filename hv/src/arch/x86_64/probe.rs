//! What tests ask of the processor: loads and stores that may fault, the loaded root.
//!
//! Part of the self-test image only. While such an access is made, an interrupt table is loaded whose page-fault gate
//! leads to a look-up of the access; every other gate is the usual one's, and so is the table afterwards.

// UNSAFETY: loads an interrupt table, accesses any address, sets the stack pointer.
#![expect(unsafe_code, reason = "accesses any address behind a handler of its own")]

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU64, Ordering};

use paging::{Frame, PhysAddr, VirtAddr};
use spin::Once;
use x86_64::instructions::tables::{lidt, sidt};
use x86_64::registers::control::Cr3;
use x86_64::structures::DescriptorTablePointer;

use super::descriptor::{Gate, InterruptStack};
use super::exception::Vector;
use super::interrupts::{STACK_TOP, VECTORS};
use crate::self_test::{GuestWalk, Sight};

global_asm!(include_str!("probe.s"), page_fault = const Vector::PAGE_FAULT.0);

unsafe extern "C" {
    /// Loads the 8 bytes at `at` into `into`; 0 where the load faulted.
    fn tabula_probe_load(at: u64, into: *mut u64) -> u32;
    /// Stores what the 8 bytes at `at` hold, in one locked access; 0 where that faulted.
    fn tabula_probe_store(at: u64) -> u32;
    /// Where the page-fault gate leads.
    safe static tabula_probe_fault: u8;
}

/// Words of a gate.
const GATE_WORDS: usize = size_of::<Gate>() / size_of::<u64>();

/// The usual gates, but for page faults; filled in place, as a stack has little room for two of them.
static TABLE: [AtomicU64; VECTORS * GATE_WORDS] = [const { AtomicU64::new(0) }; VECTORS * GATE_WORDS];
static FILLED: Once = Once::new();

/// What this CPU makes of `at`, which is no device's: by a load and a store. No instruction tells the frame.
pub fn look(at: VirtAddr) -> Sight {
    let readable = load(at).is_some();
    Sight { readable, writable: readable && store(at), frame: None }
}

/// Reads the 8 bytes at `at`, aligned; `None` where that faults.
pub fn load(at: VirtAddr) -> Option<u64> {
    assert!(at.is_aligned_to(8), "one access reads an aligned word");
    let mut word = 0;
    let loaded = with_table(|| {
        // SAFETY: the routine reads `at` with one instruction and ends when that faults; it writes `word`, whose
        // pointer is this function's own.
        unsafe { tabula_probe_load(at.get(), &raw mut word) }
    });
    (loaded != 0).then_some(word)
}

/// Whether the 8 bytes at `at` can be written. They keep their value, whoever else writes them.
fn store(at: VirtAddr) -> bool {
    // SAFETY: a locked OR with zero changes nothing; the routine ends when it faults.
    with_table(|| unsafe { tabula_probe_store(at.get()) }) != 0
}

/// Makes an access with [`TABLE`] loaded. Interrupts are masked at all times; an NMI finds its usual gate.
fn with_table(access: impl FnOnce() -> u32) -> u32 {
    let usual = sidt();
    FILLED.call_once(|| fill(usual.base));
    let own = DescriptorTablePointer { limit: usual.limit, base: x86_64::VirtAddr::new(TABLE.as_ptr() as u64) };
    // SAFETY: the table is a static and differs from the loaded one in a gate to a stub of `probe.s`.
    unsafe { lidt(&own) };
    let done = access();
    // SAFETY: the table that was loaded before, a static.
    unsafe { lidt(&usual) };
    done
}

fn fill(usual: x86_64::VirtAddr) {
    let handler = VirtAddr::new(&raw const tabula_probe_fault as u64);
    let own = Gate::new(handler, InterruptStack::Fault).words();
    for (number, word) in TABLE.iter().enumerate() {
        let gate = number / GATE_WORDS;
        // SAFETY: `interrupts::load` loaded a static of `VECTORS` gates on every processor, filled before and never
        // written again.
        let usual = unsafe { (usual.as_u64() as *const u64).add(number).read() };
        let is_own = gate == usize::from(Vector::PAGE_FAULT.0);
        word.store(if is_own { own[number % GATE_WORDS] } else { usual }, Ordering::Relaxed);
    }
}

/// The root that CR3 holds: bits 51..12. Intel SDM vol. 3A, "Control Registers".
pub fn root() -> Frame {
    let (root, _) = Cr3::read_raw();
    Frame::containing(PhysAddr::new(root.start_address().as_u64()))
}

/// The other format of guests' tables: EPT beside NPT.
pub type OtherGuestFormat = paging::Ept;

/// No instruction translates a guest's addresses.
pub const GUEST_WALK: Option<GuestWalk> = None;

/// Empties this CPU's stack and goes on with `then`.
pub fn restart(then: extern "C" fn() -> !) -> ! {
    // SAFETY: `then` is all that runs on this CPU from now on; nobody else has a pointer into its stack, since requests
    // between CPUs are values. The call aligns the stack as the calling convention asks.
    unsafe {
        asm!("mov rsp, {top}", "call {then}", "ud2", top = in(reg) STACK_TOP.get(), then = in(reg) then, options(noreturn))
    }
}
