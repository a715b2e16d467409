//! Global maps: seen on every CPU while they last, and on none afterwards.

use paging::{FrameRange, PAGE_BYTES, VirtAddr};

use crate::mm::frames::{Order, Owner, READ_WRITE};
use crate::mm::system;
use crate::mm::vmap::Mapping;
use crate::self_test::bench::Bench;
use crate::self_test::job::{Job, NOWHERE};
use crate::self_test::memory::{self, ANY, State};
use crate::self_test::probe::Probe;
use crate::self_test::row::{Failure, Late, Outcome, Row, control, ensure};
use crate::self_test::rows::tables::is_remembered;

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("vmap: a run of frames is seen on every cpu, with nothing behind it", seen_everywhere),
    Row::new("vmap: an unmapped run is seen on no cpu, not even by one that has just used it", seen_nowhere),
    Row::new("vmap: whichever frame is refused, a run leaves nothing mapped", refused),
];

/// Pages of a run.
const RUN: Order = Order::new(2);

fn map() -> Result<Mapping, Failure> {
    system::with(|memory, here| {
        let first = memory.domain.allocate(here, RUN, Owner::HYPERVISOR, ANY).map_err(|why| failed(&why))?;
        let frames = FrameRange::new(first, RUN.frames());
        memory.vmap.map(here, &mut memory.domain, frames, READ_WRITE).map_err(|why| failed(&why))
    })
}

fn unmap(run: Mapping) -> Outcome {
    system::with(|memory, here| {
        let frames = memory.vmap.unmap(here, &mut memory.domain, run).map_err(|why| failed(&why))?;
        memory.domain.free(here, frames.first, RUN, Owner::HYPERVISOR).map_err(|why| failed(&why))
    })
}

fn failed(why: &dyn core::fmt::Display) -> Failure {
    Failure::new(format_args!("{why}"))
}

fn seen_everywhere(bench: &mut Bench) -> Outcome {
    let before = State::now();
    let run = map()?;
    let seen = is_everywhere(bench, &run);
    unmap(run)?;
    seen?;
    before.ensure_back(format_args!("after the run"))
}

fn is_everywhere(bench: &Bench, run: &Mapping) -> Outcome {
    let at = |page: u64| VirtAddr::new(run.at().get() + page * PAGE_BYTES);
    for cpu in bench.cpus() {
        for page in 0..RUN.frames() {
            let (probe, frame) = (bench.probe(cpu, at(page))?, run.frames().first.add(page));
            ensure!(probe.shows(frame), "cpu {cpu} sees {probe} at {}, not {frame}", at(page));
        }
        let behind = bench.probe(cpu, at(RUN.frames()))?;
        control!(behind == Probe::NoTranslation, "cpu {cpu} sees {behind} behind the run");
    }
    Ok(())
}

fn seen_nowhere(bench: &mut Bench) -> Outcome {
    let other = bench.other()?;
    let run = map()?;
    let at = VirtAddr::new(run.at().get() + (RUN.frames() - 1) * PAGE_BYTES);
    let used = bench.ask(other, Job::HoldUsed, [at.get(), 0]);
    unmap(run)?;
    let still = bench.ask(other, Job::Release, [0; 2])?;
    control!(used? != NOWHERE, "cpu {other} does not read the run before it is unmapped");
    ensure!(still == 0, "cpu {other} reads {at} after it was unmapped");
    for cpu in bench.cpus() {
        let probe = bench.probe(cpu, at)?;
        ensure!(probe == Probe::NoTranslation, "cpu {cpu} sees {probe} at {at}");
    }
    let remembered = is_remembered(bench, other)?;
    control!(remembered, "cpu {other} forgets a page that nobody asks it to forget");
    Ok(())
}

fn refused(bench: &mut Bench) -> Outcome {
    // Too many pages for the tables that are there.
    let frames = FrameRange::new(bench.scratch().first.add(1), Order::BLOCK.frames() - 1);
    let asked = memory::refuse_each(
        |memory, here| memory.vmap.map(here, &mut memory.domain, frames, READ_WRITE),
        |run| {
            let unmapped = system::with(|memory, here| memory.vmap.unmap(here, &mut memory.domain, run));
            unmapped.map(drop).map_err(|why| failed(&why))
        },
    )?;
    ensure!(asked > 0, "the run asks for no table");
    Ok(())
}
