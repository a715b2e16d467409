//! Runs the rows, in order, and counts them.
//!
//! A row that panics is the last one: what it held is not known.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use spin::mutex::TicketMutex;

use crate::arch::this;
use crate::console::last_words;
use crate::cpu::CpuIndex;
use crate::domain::Domains;
use crate::mm::pmap::Pmap;
use crate::mm::system::System;
use crate::self_test::bench::{Bench, EarlyBench};
use crate::self_test::row::Outcome;
use crate::self_test::rows;
use crate::{fault, power, say};

static PASSED: AtomicU32 = AtomicU32::new(0);
static FAILED: AtomicU32 = AtomicU32::new(0);
/// The row that runs.
static RUNNING: TicketMutex<Option<&'static str>> = TicketMutex::new(None);

/// The rows that need PMAP, on the only CPU that runs.
pub fn early(pmap: &Pmap, _memory: &mut System) {
    let bench = EarlyBench { pmap };
    for row in rows::EARLY {
        one(row.name, || (row.test)(&bench));
    }
}

/// The rest, then the end.
pub fn run(_domains: Domains) -> ! {
    let mut bench = Bench::new();
    for row in rows::LATE.iter().copied().flatten() {
        one(row.name, || (row.test)(&mut bench));
    }
    let (passed, failed) = (PASSED.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed));
    say!("{passed} passed, {failed} failed");
    power::off()
}

/// Each other CPU, once it has arrived: sleeps for good.
pub fn idle(_cpu: CpuIndex) -> ! {
    this::cpu::park()
}

fn one(name: &'static str, test: impl FnOnce() -> Outcome) {
    *RUNNING.lock() = Some(name);
    let outcome = test();
    *RUNNING.lock() = None;
    match outcome {
        Ok(()) => {
            PASSED.fetch_add(1, Ordering::Relaxed);
            say!("test {name} ... ok");
        }
        Err(reason) => {
            FAILED.fetch_add(1, Ordering::Relaxed);
            say!("test {name} ... FAILED: {reason}");
        }
    }
}

/// A broken invariant: of the running row, which has failed; of anything else, as in any image.
pub fn panicked(info: &PanicInfo<'_>) -> ! {
    // Held over a store only; a CPU that panics in between does not run a row.
    let running = RUNNING.try_lock().and_then(|name| *name);
    let Some(name) = running else { fault::panicked(info) };
    let (passed, failed) = (PASSED.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed) + 1);
    match info.location() {
        Some(at) => last_words(format_args!("test {name} ... FAILED: panic: {} ({at})", info.message())),
        None => last_words(format_args!("test {name} ... FAILED: panic: {}", info.message())),
    }
    last_words(format_args!("{passed} passed, {failed} failed; the rest was not run"));
    power::off()
}
