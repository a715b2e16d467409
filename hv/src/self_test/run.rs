//! Runs the rows, in order, and counts them.
//!
//! A row that panics on the boot CPU is the last one: what it held is not known. One that makes another CPU panic goes on.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use spin::mutex::TicketMutex;

use crate::arch::this;
use crate::console::last_words;
use crate::cpu::CpuIndex;
use crate::domain::Domains;
use crate::mm::here::Here;
use crate::mm::pmap::Pmap;
use crate::mm::system::System;
use crate::mm::this_cpu::ThisCpu;
use crate::self_test::bench::{self, Bench, EarlyBench};
use crate::self_test::row::Outcome;
use crate::self_test::{request, rows};
use crate::{fault, power, say};

static PASSED: AtomicU32 = AtomicU32::new(0);
static FAILED: AtomicU32 = AtomicU32::new(0);
/// The row that runs.
static RUNNING: TicketMutex<Option<&'static str>> = TicketMutex::new(None);

/// The rows that need PMAP, on the only CPU that runs.
pub fn early(pmap: &Pmap, memory: &mut System) {
    say!("boot is handed {} frames", memory.domain.ration.taken());
    memory.domain.ration.lift();
    let cpu = ThisCpu::new();
    let mut reach = pmap;
    let here = &mut Here::new(&cpu, &mut reach);
    let bench = EarlyBench { pmap, scratch: bench::take_block(memory, here) };
    for row in rows::EARLY.iter().filter(|row| row.is_due()) {
        one(row.name, || (row.test)(&bench));
    }
    bench::give_block(memory, here, bench.scratch);
}

/// The rest, then the end.
pub fn run(_domains: Domains) -> ! {
    this::probe::restart(late)
}

/// On an empty stack: nobody needs what boot has left on it.
extern "C" fn late() -> ! {
    let mut bench = Bench::new();
    for row in rows::LATE.iter().copied().flatten().filter(|row| row.is_due()) {
        one(row.name, || (row.test)(&mut bench));
    }
    let (passed, failed) = (PASSED.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed));
    say!("{passed} passed, {failed} failed");
    power::off()
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

/// A broken invariant: of a job, which is told; of the running row, which has failed; of anything else, as in any image.
pub fn panicked(info: &PanicInfo<'_>) -> ! {
    // Held over a store only; a CPU that panics in between does not run a row.
    let running = RUNNING.try_lock().and_then(|name| *name);
    let Some(name) = running else { fault::panicked(info) };
    let cpu = this::cpu::index();
    if cpu != CpuIndex::BOOT {
        request::panicked(cpu, info);
        fault::panicked(info)
    }
    let (passed, failed) = (PASSED.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed) + 1);
    match info.location() {
        Some(at) => last_words(format_args!("test {name} ... FAILED: panic: {} ({at})", info.message())),
        None => last_words(format_args!("test {name} ... FAILED: panic: {}", info.message())),
    }
    last_words(format_args!("{passed} passed, {failed} failed; the rest was not run"));
    power::off()
}
