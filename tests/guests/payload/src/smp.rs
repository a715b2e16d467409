//! More than one processor: all switched on, all at work until each has seen the others work, all but the first off again.
//!
//! Needs no interrupt: whoever has no processor of the machine gets one when another's turn is over.

// UNSAFETY: an entry point, registers that nothing else uses.
#![expect(unsafe_code, reason = "starts processors, keeps values in registers")]

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU64, Ordering};

use crate::{machine, mmu, say, xen};

/// Processors at most.
const MOST: usize = 8;
/// Steps that each does at least.
const STEPS: u64 = 1000;
/// Part of a second for which all of them work at least.
const PART: u64 = 20;
/// Bytes of a stack, a power of two.
const STACK_BYTES: usize = 4096;

#[repr(C, align(16))]
struct Stacks([[AtomicU64; STACK_BYTES / 8]; MOST - 1]);

static STACKS: Stacks = Stacks([const { [const { AtomicU64::new(0) }; STACK_BYTES / 8] }; MOST - 1]);

/// Steps of each.
static DONE: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];
/// How many there are, once all are on.
static COUNT: AtomicU64 = AtomicU64::new(0);
/// What the second one does instead of work.
static SECOND: AtomicU64 = AtomicU64::new(WORK);
const WORK: u64 = 0;
const YIELD: u64 = 1;
const STOP: u64 = 2;
/// Those that found a register changed.
static WRONG: AtomicU64 = AtomicU64::new(0);

global_asm!(
    ".section .text.secondary, \"ax\"",
    // x0: the number, from 1 on.
    "tabula_secondary:",
    "adrp x1, {stacks}",
    "add x1, x1, :lo12:{stacks}",
    "add x1, x1, x0, lsl #12",
    "mov sp, x1",
    "b {second}",
    stacks = sym STACKS,
    second = sym second,
);

unsafe extern "C" {
    fn tabula_secondary();
}

/// What the first processor does, its MMU on.
pub(crate) fn run() {
    let entry = (tabula_secondary as *const ()).addr() as u64;
    let mut count = 1;
    while count < MOST as u64 && machine::cpu_on(count, entry) {
        count += 1;
    }
    if count == 1 {
        return;
    }
    COUNT.store(count, Ordering::Release);
    work(0, count);
    while !(1..count).all(machine::is_off) {
        core::hint::spin_loop();
    }
    let wrong = WRONG.load(Ordering::Relaxed);
    say(format_args!("{count} processors worked, {wrong} lost a register, all but one are off"));
}

/// Switches the second processor on for nothing but letting others go first; says whether there is one.
pub(crate) fn let_second_yield() -> bool {
    SECOND.store(YIELD, Ordering::Release);
    machine::cpu_on(1, (tabula_secondary as *const ()).addr() as u64)
}

/// Waits until it is off again.
pub(crate) fn stop_second() {
    SECOND.store(STOP, Ordering::Release);
    while !machine::is_off(1) {
        core::hint::spin_loop();
    }
}

/// Each other one, its MMU off.
extern "C" fn second(number: u64) -> ! {
    mmu::join();
    while SECOND.load(Ordering::Acquire) == YIELD {
        if xen::let_others_go_first().is_err() {
            machine::cpu_off()
        }
    }
    if SECOND.load(Ordering::Acquire) == STOP {
        machine::cpu_off()
    }
    let count = loop {
        match COUNT.load(Ordering::Acquire) {
            0 => core::hint::spin_loop(),
            count => break count,
        }
    };
    work(number, count);
    machine::cpu_off()
}

/// What this domain keeps in its SIMD registers; hostile guests look for it in theirs.
const CANARY: u64 = 0x5ec7_e75e_c7e7_5ec7;

/// Puts the canary into every SIMD register, lets others go first, and says whether it is there still.
pub(crate) fn keeps_canary() -> bool {
    // SAFETY: this program uses no SIMD register; CPACR_EL1.FPEN, bits [21:20], lets it. Arm ARM, CPACR_EL1.
    unsafe {
        asm!(".arch_extension fp", "msr cpacr_el1, {on}", "isb",
            ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
            "fmov d\\n, {canary}", ".endr",
            on = in(reg) 0b11_u64 << 20, canary = in(reg) CANARY, options(nostack));
    }
    let went = xen::let_others_go_first().is_ok();
    let (first, last): (u64, u64);
    // SAFETY: as above.
    unsafe {
        asm!(".arch_extension fp", "fmov {first}, d0", "fmov {last}, d31", first = out(reg) first, last = out(reg) last,
            options(nostack));
    }
    went && (first, last) == (CANARY, CANARY)
}

/// Counts until all have, and keeps a number of its own in a SIMD register and in one of EL1 meanwhile.
fn work(number: u64, count: u64) {
    let own = 0x5eed_0000 + number;
    // SAFETY: this program uses neither register; CPACR_EL1.FPEN, bits [21:20], lets it use SIMD. Arm ARM, CPACR_EL1.
    unsafe {
        asm!(".arch_extension fp", "msr cpacr_el1, {on}", "isb", "fmov d9, {own}", "msr tpidr_el1, {own}",
            on = in(reg) 0b11_u64 << 20, own = in(reg) own, options(nostack));
    }
    let end = machine::ticks() + machine::ticks_hz() / PART;
    let done = |number: u64| &DONE[number as usize % MOST];
    while machine::ticks() < end || !(0..count).all(|other| done(other).load(Ordering::Relaxed) >= STEPS) {
        done(number).fetch_add(1, Ordering::Relaxed);
        core::hint::spin_loop();
    }
    let (simd, system): (u64, u64);
    // SAFETY: as above.
    unsafe {
        asm!(".arch_extension fp", "fmov {simd}, d9", "mrs {system}, tpidr_el1", simd = out(reg) simd,
            system = out(reg) system, options(nostack));
    }
    if (simd, system) != (own, own) {
        WRONG.fetch_add(1, Ordering::Relaxed);
    }
}
