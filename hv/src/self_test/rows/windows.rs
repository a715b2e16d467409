//! A CPU's private windows: what one maps is mapped on no other, and nowhere once it is unmapped.

use core::fmt;

use paging::{Frame, FrameRange, Level, PAGE_BYTES, VirtAddr};

use crate::board::PRIVATE;
use crate::cpu::CpuIndex;
use crate::mm::entry::Cells;
use crate::mm::mapcache::{self, Context};
use crate::mm::private;
use crate::mm::this_cpu::ThisCpu;
use crate::self_test::bench::Bench;
use crate::self_test::job::Job;
use crate::self_test::probe::{self, Probe};
use crate::self_test::request::Server;
use crate::self_test::row::{Failure, Late, Outcome, Row, When, control, ensure};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::when(When::Sparse, "p14: a page that the boot cpu maps is seen on no other", boot_maps_page),
    Row::when(When::Sparse, "p14: a page that another cpu maps is seen on no other", other_maps_page),
    Row::when(When::Sparse, "p14: a block that the boot cpu maps is seen on no other", boot_maps_block),
    Row::when(When::Sparse, "p14: a block that another cpu maps is seen on no other", other_maps_block),
];

/// A private window.
#[derive(Clone, Copy)]
struct Window {
    base: VirtAddr,
    bytes: u64,
}

const PAGES: Window = Window { base: PRIVATE.mapcache, bytes: PRIVATE.mapcache_slots as u64 * PAGE_BYTES };
const BLOCK: Window = Window { base: PRIVATE.scrub, bytes: Level::L2.entry_bytes() };

/// A page of the calling CPU's map cache.
type Page = mapcache::Mapped<'static, ThisCpu, { PRIVATE.mapcache_slots as usize }>;

fn map(frame: Frame) -> Result<Page, Failure> {
    let refused = |why: &dyn fmt::Debug| Failure::new(format_args!("the map cache refuses: {why:?}"));
    let cache = mapcache::here().enter(Context::Idle).map_err(|why| refused(&why))?;
    cache.map(frame).map_err(|why| refused(&why))
}

fn address(page: &Page) -> VirtAddr {
    match page.cells() {
        Cells::Mapped(at) => at,
        Cells::Table(_) => panic!("a page of the map cache has an address"),
    }
}

fn boot_maps_page(bench: &mut Bench) -> Outcome {
    let frames = FrameRange::new(bench.scratch().first.add(1), 1);
    let page = map(frames.first)?;
    let at = address(&page);
    let during = seen_on_boot(bench, PAGES, at, frames);
    drop(page);
    during?;
    seen_on_none(bench, bench.cpus(), PAGES, at, frames)
}

fn boot_maps_block(bench: &mut Bench) -> Outcome {
    let frames = bench.scratch();
    let (cpu, mut window) = (ThisCpu::new(), private::scrub_window());
    let block = window.show(&cpu, frames.first);
    let at = block.at();
    let during = seen_on_boot(bench, BLOCK, at, frames);
    drop(block);
    during?;
    seen_on_none(bench, bench.cpus(), BLOCK, at, frames)
}

fn other_maps_page(bench: &mut Bench) -> Outcome {
    let frames = FrameRange::new(bench.scratch().first.add(2), 1);
    other_maps(bench, Job::HoldPage, PAGES, frames)
}

fn other_maps_block(bench: &mut Bench) -> Outcome {
    other_maps(bench, Job::HoldBlock, BLOCK, bench.scratch())
}

/// Another CPU cannot be asked while it holds something: it says what it sees when it is released.
fn other_maps(bench: &Bench, job: Job, window: Window, frames: FrameRange) -> Outcome {
    let holder = bench.other()?;
    let at = VirtAddr::new(bench.ask(holder, job, [frames.first.number(), 0])?);
    let during = seen_on_none(bench, bench.cpus().filter(|cpu| *cpu != holder), window, at, frames);
    let held = Probe::decode(bench.ask(holder, Job::Release, [0; 2])?);
    control!(held.shows(frames.first), "cpu {holder} sees {held} at {at} itself");
    during?;
    seen_on_none(bench, bench.cpus(), window, at, frames)
}

/// Whether the boot CPU sees `frames` at `at`, nothing beside them, and the others nothing at all.
fn seen_on_boot(bench: &Bench, window: Window, at: VirtAddr, frames: FrameRange) -> Outcome {
    let boot = CpuIndex::BOOT;
    let probe = bench.probe(boot, at)?;
    control!(probe.shows(frames.first), "cpu {boot} sees {probe} at {at} itself");
    let leaves = bench.leading_to(boot, frames)?;
    ensure!(leaves == 1, "cpu {boot} has {leaves} leaves to {frames}");
    let (end, behind) = (window.base.get() + window.bytes, VirtAddr::new(at.get() + frames.bytes()));
    for (base, bytes) in [(window.base, at.get() - window.base.get()), (behind, end - behind.get())] {
        let first = bench.first_readable(boot, base, bytes)?;
        ensure!(first.is_none(), "cpu {boot} reads {} beside {at}", first.unwrap_or(base));
    }
    seen_on_none(bench, CpuIndex::secondaries(), window, at, frames)
}

/// Whether these CPUs see nothing at `at`, nothing else in the window, and nowhere one of `frames`.
fn seen_on_none(
    bench: &Bench,
    cpus: impl Iterator<Item = CpuIndex>,
    window: Window,
    at: VirtAddr,
    frames: FrameRange,
) -> Outcome {
    for cpu in cpus {
        let probe = bench.probe(cpu, at)?;
        ensure!(probe == Probe::NoTranslation, "cpu {cpu} sees {probe} at {at}");
        let first = bench.first_readable(cpu, window.base, window.bytes)?;
        ensure!(first.is_none(), "cpu {cpu} reads {}", first.unwrap_or(window.base));
        let leaves = bench.leading_to(cpu, frames)?;
        ensure!(leaves == 0, "cpu {cpu} has {leaves} leaves to {frames}");
    }
    Ok(())
}

/// Maps a page of the calling CPU's map cache until released; answers first with its address, then with a probe of it.
pub(in crate::self_test) fn hold_page(frame: Frame, server: &Server) -> u64 {
    let page = map(frame).expect("a cache that nobody uses has a slot");
    server.hold(address(&page).get());
    probe::here(address(&page)).encode()
}

/// The same for a block in the scrub window.
pub(in crate::self_test) fn hold_block(frame: Frame, server: &Server) -> u64 {
    let (cpu, mut window) = (ThisCpu::new(), private::scrub_window());
    let block = window.show(&cpu, frame);
    server.hold(block.at().get());
    probe::here(block.at()).encode()
}
