//! The other CPUs: they wait for shoot-downs, and leave when they are told.
//!
//! They measure nothing themselves.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::arch::this;
use crate::board::CPUS;
use crate::cpu::CpuIndex;
use crate::{smp, sync};

/// CPUs from this one on are to leave.
static STAYING: AtomicUsize = AtomicUsize::new(CPUS.len());

/// Looks at a CPU that was told to leave before it counts as stuck.
const PATIENCE_ITERATIONS: u32 = 100_000_000;

/// Every CPU but the first, once it has arrived.
pub fn idle(cpu: CpuIndex) -> ! {
    while cpu.get() < STAYING.load(Ordering::Acquire) {
        sync::poll();
        this::cpu::doze();
    }
    smp::leave()
}

/// Goes on once only the first `running` CPUs take part.
pub(super) fn leave_all_but(running: usize) {
    STAYING.store(running, Ordering::Release);
    for cpu in CpuIndex::secondaries().filter(|cpu| cpu.get() >= running) {
        let gone = (0..PATIENCE_ITERATIONS).any(|_| {
            let gone = this::smp::is_off(cpu);
            if !gone {
                this::smp::nudge(cpu);
                this::cpu::relax();
            }
            gone
        });
        assert!(gone, "cpu {cpu} leaves when it is told");
    }
}
