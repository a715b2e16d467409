//! The other CPUs: a root each, then a start each.
//!
//! Roots are complete before the first start; none is written here afterwards.

use core::convert::Infallible;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::arch::this;
use crate::board::types::CpuFrames;
use crate::board::{self, Place, tables};
use crate::cpu::CpuIndex;
use crate::mm::mapcache::{self, Owner, Ready};
use crate::mm::pmap::Pmap;
use crate::{say, sync};

/// Why a CPU did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The firmware or the interrupt controller refused, with its own code.
    Refused(i64),
    /// It never arrived.
    Silent,
}

/// Proof that every planned root exists.
#[derive(Debug)]
pub struct Roots(());

static ARRIVED: [AtomicBool; board::CPUS.len()] = [const { AtomicBool::new(false) }; board::CPUS.len()];

/// Looks at an arrival flag before a CPU is given up.
const PATIENCE_ITERATIONS: u32 = 100_000_000;

/// Writes the root and the private tables of each other CPU.
pub fn build_roots(pmap: &Pmap) -> Roots {
    for cpu in CpuIndex::secondaries() {
        let frames = &board::CPU_FRAMES[cpu.get()];
        type Builder = fn(&paging::Table, &CpuFrames);
        let parts: [(_, Builder); 4] = [
            (frames.private_l3, tables::cpu_private_l3),
            (frames.private_l2, tables::cpu_private_l2),
            (frames.private_l1, tables::cpu_private_l1),
            (frames.root, tables::cpu_root),
        ];
        for (frame, build) in parts {
            build(pmap.map_zeroed(frame).table(), frames);
        }
    }
    Roots(())
}

/// Starts each other CPU and waits until it has arrived. PMAP is gone, so nobody maps for two.
pub fn start_all(_roots: Roots, _cache: Ready) -> Result<(), (CpuIndex, StartError)> {
    CpuIndex::secondaries().try_for_each(|cpu| start(cpu).map_err(|error| (cpu, error)))
}

/// Waits until a CPU that was told to leave has left, then starts it again: on the same root, with the same stack, and an
/// empty map cache. Nothing was allocated for it, so there is nothing to give back.
pub fn restart(cpu: CpuIndex) -> Result<(), StartError> {
    if !(0..PATIENCE_ITERATIONS).any(|_| this::smp::is_off(cpu)) {
        return Err(StartError::Silent);
    }
    ARRIVED[cpu.get()].store(false, Ordering::Relaxed);
    start(cpu)
}

/// The calling CPU leaves. Its map cache holds nothing of anybody then, and its stack nothing but this.
pub fn leave() -> ! {
    let Ok(()) = mapcache::here().switch(Owner::Nobody, || Ok::<(), Infallible>(()));
    sync::leave();
    this::stack::wipe();
    this::smp::leave()
}

fn start(cpu: CpuIndex) -> Result<(), StartError> {
    this::smp::start(cpu)?;
    for _ in 0..PATIENCE_ITERATIONS {
        if ARRIVED[cpu.get()].load(Ordering::Acquire) {
            return Ok(());
        }
        this::cpu::relax();
    }
    Err(StartError::Silent)
}

/// Says that this CPU runs on its own root.
pub fn arrived(cpu: CpuIndex) {
    say!("cpu {cpu} up, root {}", board::CPU_FRAMES[cpu.get()].root);
    ARRIVED[cpu.get()].store(true, Ordering::Release);
}

/// Explains a CPU that did not start.
pub struct Missing(pub CpuIndex, pub StartError);

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = &board::CPUS[self.0.get()];
        write!(out, "cpu.core ({}): CPU {} with id {:#x} ", Place(cpu.from), self.0, cpu.id)?;
        match self.1 {
            StartError::Refused(code) => write!(out, "was refused a start (code {code})"),
            StartError::Silent => out.write_str("was started and never arrived"),
        }
    }
}
