//! CPUs that leave and come back: on the same root, with nothing taken and nothing left.

use paging::PAGE_BYTES;

use crate::arch::this;
use crate::board::PRIVATE;
use crate::cpu::CpuIndex;
use crate::self_test::bench::Bench;
use crate::self_test::job::Job;
use crate::self_test::memory::State;
use crate::self_test::row::{Failure, Late, Outcome, Row, control, ensure};
use crate::smp;

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("p13: a cpu goes off and on again and again, and every page is where it was", off_and_on),
    Row::new("p13: while a cpu is off the others allocate, free and forget without it", without_one),
];

/// Times that each CPU leaves.
const CYCLES: u32 = 8;

fn off_and_on(bench: &mut Bench) -> Outcome {
    let before = State::now();
    for cpu in CpuIndex::secondaries() {
        let root = bench.root(cpu)?;
        for _ in 0..CYCLES {
            control!(!this::smp::is_off(cpu), "cpu {cpu} is off before it leaves");
            bench.ask(cpu, Job::Leave, [0; 2])?;
            restart(cpu)?;
            let who = bench.ask(cpu, Job::WhoAmI, [0; 2])?;
            ensure!(who == cpu.get() as u64, "cpu {who} answers for cpu {cpu}");
            let again = bench.root(cpu)?;
            ensure!(again == root, "cpu {cpu} comes back on {again}, left {root}");
            let bytes = u64::from(PRIVATE.mapcache_slots) * PAGE_BYTES;
            let first = bench.first_readable(cpu, PRIVATE.mapcache, bytes)?;
            ensure!(first.is_none(), "cpu {cpu} comes back with {} mapped", first.unwrap_or(PRIVATE.mapcache));
        }
    }
    bench.other()?;
    before.ensure_back(format_args!("after {CYCLES} times off and on"))
}

fn restart(cpu: CpuIndex) -> Outcome {
    smp::restart(cpu).map_err(|why| Failure::new(format_args!("cpu {cpu} does not come back: {why:?}")))
}

/// Looks at a CPU that leaves before it counts as stuck.
const PATIENCE_LOOKS: u32 = 10_000_000;

fn without_one(bench: &mut Bench) -> Outcome {
    let cpu = bench.other()?;
    let before = State::now();
    bench.ask(cpu, Job::Leave, [0; 2])?;
    let is_off = (0..PATIENCE_LOOKS).any(|_| this::smp::is_off(cpu));
    let churned = super::heap::churn(5, 500);
    restart(cpu)?;
    control!(is_off, "cpu {cpu} does not leave");
    churned?;
    let who = bench.ask(cpu, Job::WhoAmI, [0; 2])?;
    ensure!(who == cpu.get() as u64, "cpu {who} answers for cpu {cpu}");
    before.ensure_back(format_args!("without cpu {cpu}"))
}
