//! The map cache: what it keeps and for how long, whom it refuses, and what it counts.
//!
//! On behalf of a domain that is fabricated: its frames are the scratch block's.

use core::mem::ManuallyDrop;

use paging::{Frame, PAGE_BYTES, VirtAddr};

use crate::board::{DIRECTMAP, PRIVATE};
use crate::cpu::CpuIndex;
use crate::mm::entry::Cells;
use crate::mm::mapcache::{self, Context, Figures, Moment, OwnView, Owner, Refused};
use crate::mm::this_cpu::ThisCpu;
use crate::self_test::bench::Bench;
use crate::self_test::job::Job;
use crate::self_test::probe::Probe;
use crate::self_test::row::{Failure, Late, Outcome, Row, When, control, ensure};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::when(When::Sparse, "map cache: a page is mapped once, and gone with its last guard", idle),
    Row::when(When::Strict, "map cache: strict keeps no page of the loaded domain", strict),
    Row::when(When::Lazy, "map cache: lazy keeps a page of the loaded domain until the next one's turn", lazy),
    Row::when(When::Lazy, "map cache: lazy reuses slots after one invalidation for many", recycled),
    Row::new("map cache: who cannot be masked, or is not loaded, is refused", refused),
    Row::new("xsa-494: a switch that fails leaves nobody loaded", failed_switch),
    Row::when(When::Sparse, "imbalance: a guard that is alive is counted", counted),
    Row::when(When::Full, "p14: under full the map cache is passed by", passed_by),
];

/// The last row: what it leaves on the CPU that it stops cannot be taken back.
pub(super) const LAST: &[Row<Late>] =
    &[Row::when(When::Sparse, "imbalance: a guard that is alive stops a domain switch", stops_switch)];

/// The fabricated domain's VMID.
const VMID: u16 = 77;
const SLOTS: usize = PRIVATE.mapcache_slots as usize;

/// A page of the calling CPU's cache.
pub(super) type Page = mapcache::Mapped<'static, ThisCpu, SLOTS>;

/// The calling CPU's cache, for a context that may use it.
pub(super) fn enter(context: Context) -> Result<OwnView, Failure> {
    mapcache::here().enter(context).map_err(|why| Failure::new(format_args!("{context:?} is refused: {why}")))
}

pub(super) fn map(view: OwnView, frame: Frame) -> Result<Page, Failure> {
    view.map(frame).map_err(|why| Failure::new(format_args!("the map cache refuses: {why:?}")))
}

pub(super) fn address(page: &Page) -> VirtAddr {
    match page.cells() {
        Cells::Mapped(at) => at,
        Cells::Table(_) => panic!("a page of the map cache has an address"),
    }
}

/// Runs `work` while the cache takes the fabricated domain for loaded.
fn loaded<R>(work: impl FnOnce(OwnView) -> Result<R, Failure>) -> Result<R, Failure> {
    switch(Owner::Domain(VMID), Ok(()))?;
    let result = enter(Context::Guest { vmid: VMID }).and_then(work);
    switch(Owner::Nobody, Ok(()))?;
    result
}

/// A domain switch whose other half ends in `replaced`.
fn switch(to: Owner, replaced: Result<(), ()>) -> Result<(), Failure> {
    let switched = mapcache::here().switch(to, || replaced);
    switched.map_err(|()| Failure::new(format_args!("the switch to {to} fails")))
}

/// What the cache has done since.
fn since(before: Figures) -> [u64; 5] {
    let now = mapcache::here().figures();
    [
        now.hits - before.hits,
        now.misses - before.misses,
        now.page_flushes - before.page_flushes,
        now.recycles - before.recycles,
        now.flushes - before.flushes,
    ]
}

fn idle(bench: &mut Bench) -> Outcome {
    let frame = bench.scratch().first.add(3);
    let before = mapcache::here().figures();
    let first = map(enter(Context::Idle)?, frame)?;
    let second = map(enter(Context::Idle)?, frame)?;
    let (at, same) = (address(&first), address(&first) == address(&second));
    drop(first);
    let one_left = since(before);
    let during = bench.probe(CpuIndex::BOOT, at);
    let before_last = mapcache::here().figures();
    drop(second);
    let last = since(before_last);
    ensure!(same, "one frame has two addresses");
    ensure!(one_left == [1, 1, 0, 0, 0], "hits, misses, flushes of a page, recycles, flushes: {one_left:?}");
    ensure!(last == [0, 0, 1, 0, 0], "hits, misses, flushes of a page, recycles, flushes: {last:?}");
    let during = during?;
    control!(during.shows(frame), "{at} is {during} while a guard is left");
    is_gone(bench, at)
}

/// Whether nothing is mapped at `at`, nor anywhere in the window, on this CPU.
fn is_gone(bench: &Bench, at: VirtAddr) -> Outcome {
    let probe = bench.probe(CpuIndex::BOOT, at)?;
    ensure!(probe == Probe::NoTranslation, "{at} is {probe} afterwards");
    let bytes = SLOTS as u64 * PAGE_BYTES;
    let first = bench.first_readable(CpuIndex::BOOT, PRIVATE.mapcache, bytes)?;
    ensure!(first.is_none(), "{} is mapped still", first.unwrap_or(at));
    Ok(())
}

fn strict(bench: &mut Bench) -> Outcome {
    let frame = bench.scratch().first.add(4);
    let at = loaded(|view| {
        let page = map(view, frame)?;
        let at = address(&page);
        let during = bench.probe(CpuIndex::BOOT, at)?;
        control!(during.shows(frame), "{at} is {during} while it is mapped");
        drop(page);
        is_gone(bench, at)?;
        Ok(at)
    })?;
    is_gone(bench, at)
}

fn lazy(bench: &mut Bench) -> Outcome {
    let frame = bench.scratch().first.add(4);
    let at = loaded(|view| {
        let at = address(&map(view, frame)?);
        let kept = bench.probe(CpuIndex::BOOT, at)?;
        control!(kept.shows(frame), "{at} is {kept} after its guard is gone");
        let before = mapcache::here().figures();
        let again = address(&map(view, frame)?);
        let did = since(before);
        ensure!(again == at && did == [1, 0, 0, 0, 0], "mapped again at {again}, not {at}: {did:?}");
        for cpu in CpuIndex::secondaries() {
            let probe = bench.probe(cpu, at)?;
            ensure!(probe == Probe::NoTranslation, "cpu {cpu} sees {probe} at {at}");
        }
        Ok(at)
    })?;
    is_gone(bench, at)
}

fn recycled(bench: &mut Bench) -> Outcome {
    const MAPS: u64 = SLOTS as u64 * 3;
    let first = bench.scratch().first;
    let [hits, misses, page_flushes, recycles, flushes] = loaded(|view| {
        let before = mapcache::here().figures();
        for number in 0..MAPS {
            drop(map(view, first.add(number))?);
        }
        Ok(since(before))
    })?;
    ensure!(
        (hits, misses, page_flushes) == (0, MAPS, 0),
        "{hits} hits, {misses} misses, {page_flushes} flushes of a page"
    );
    ensure!(recycles > 0 && recycles == flushes, "{recycles} times no slot was clean, {flushes} invalidations");
    ensure!(flushes * 8 < MAPS, "{flushes} invalidations for {MAPS} maps");
    Ok(())
}

fn refused(_bench: &mut Bench) -> Outcome {
    let asked = |context| mapcache::here().enter(context).map(drop);
    let other = Context::Guest { vmid: VMID + 1 };
    let (own, others) = loaded(|_| Ok((asked(Context::Guest { vmid: VMID }), asked(other))))?;
    control!(own.is_ok(), "the domain that is loaded is refused");
    let refused = Refused::OtherDomain { asked: Owner::Domain(VMID + 1), loaded: Owner::Domain(VMID) };
    ensure!(others == Err(refused), "another domain than the one that is loaded is let in");
    ensure!(asked(other).is_err(), "a domain is let in while none is loaded");
    ensure!(asked(Context::NonMaskable) == Err(Refused::NonMaskable), "a context that cannot be masked is let in");
    control!(asked(Context::Interrupt).is_ok() && asked(Context::Idle).is_ok(), "nobody is let in");
    Ok(())
}

fn failed_switch(bench: &mut Bench) -> Outcome {
    let frame = bench.scratch().first.add(5);
    switch(Owner::Domain(VMID), Ok(()))?;
    let at = enter(Context::Guest { vmid: VMID }).and_then(|view| Ok(address(&map(view, frame)?)));
    let during = mapcache::here().loaded();
    let failed = switch(Owner::Domain(VMID + 1), Err(()));
    let after = mapcache::here().loaded();
    control!(during == Owner::Domain(VMID), "{during} is loaded after a switch that succeeds");
    ensure!(failed.is_err() && after == Owner::Nobody, "{after} is loaded after a switch that fails");
    for vmid in [VMID, VMID + 1] {
        ensure!(enter(Context::Guest { vmid }).is_err(), "domain {vmid} is let in");
    }
    drop(map(enter(Context::Idle)?, frame)?);
    let at = at?;
    if DIRECTMAP_SHOWS_ALL { Ok(()) } else { is_gone(bench, at) }
}

/// Whether a page has an address although nobody maps it.
const DIRECTMAP_SHOWS_ALL: bool = matches!(DIRECTMAP.policy, crate::mm::heap::Policy::Full);

fn counted(bench: &mut Bench) -> Outcome {
    let cache = mapcache::here();
    let moments = [Moment::ReturnToGuest, Moment::DomainSwitch];
    let page = ManuallyDrop::new(map(enter(Context::Idle)?, bench.scratch().first)?);
    let leaked = moments.map(|moment| cache.check_empty(moment).map_err(|leaked| leaked.guards));
    drop(ManuallyDrop::into_inner(page));
    let after = moments.map(|moment| cache.check_empty(moment).is_ok());
    ensure!(leaked == [Err(1), Err(1)], "one guard is alive, counted are {leaked:?}");
    control!(after == [true, true], "guards are counted when none is alive");
    Ok(())
}

fn stops_switch(bench: &mut Bench) -> Outcome {
    let other = CpuIndex::secondaries().last();
    let other = other.ok_or_else(|| Failure::new(format_args!("this row needs two CPUs")))?;
    let frame = bench.scratch().first.number();
    bench.panics(other, Job::SwitchHolding, [frame, 0], "1 guards alive at a domain switch")
}

/// Tries to load a domain with a page mapped.
pub(in crate::self_test) fn switch_holding(frame: Frame) -> u64 {
    let page = enter(Context::Idle).and_then(|view| map(view, frame)).expect("a cache that nobody uses has a slot");
    let switched = switch(Owner::Domain(VMID), Ok(()));
    address(&page).get() | u64::from(switched.is_ok())
}

fn passed_by(bench: &mut Bench) -> Outcome {
    let frame = bench.scratch().first.add(6);
    let before = mapcache::here().figures();
    let page = map(enter(Context::Idle)?, frame)?;
    let (at, did) = (address(&page), since(before));
    drop(page);
    let window = VirtAddr::new(DIRECTMAP.base.get() + frame.number() * PAGE_BYTES);
    ensure!(at == window, "{frame} is mapped at {at}, the window has it at {window}");
    ensure!(did == [0; 5] && since(before) == [0; 5], "the map cache did something: {did:?}");
    for cpu in bench.cpus() {
        let probe = bench.probe(cpu, at)?;
        control!(probe.shows(frame), "cpu {cpu} sees {probe} at {at}");
    }
    Ok(())
}
