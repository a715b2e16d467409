//! PMAP: its slots are enough, no more than there are, and gone with its stage.
//!
//! That nobody can use it later does not compile: `Pmap::retire` has the tests of that.

use paging::{Frame, HostAccess, HostAttributes, Memory, PAGE_BYTES, VirtAddr};

use crate::arch::this;
use crate::board::PMAP;
use crate::mm::leaves::Leaves;
use crate::mm::pmap::Full;
use crate::self_test::bench::{Bench, EarlyBench};
use crate::self_test::job::Job;
use crate::self_test::probe::{self, Probe};
use crate::self_test::row::{Early, Late, Outcome, Row, control, ensure};
use crate::{console, mm};

pub(super) const EARLY: &[Row<Early>] = &[
    Row::new("p6: boot stays below the slots of pmap", high_water),
    Row::new("p6: pmap refuses one more page than it has slots", slot_limit),
    Row::new("p6: a page in pmap is seen while it is mapped", seen_while_mapped),
];

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("p6: every slot of pmap is empty at hand-over", empty_at_hand_over),
    Row::new("p6: pmap cannot be brought up again", not_again),
];

const SLOTS: usize = PMAP.slots as usize;

/// The first row: nobody but boot has mapped anything.
fn high_water(bench: &EarlyBench<'_>) -> Outcome {
    let most = bench.pmap.high_water();
    ensure!(most > 0, "boot builds roots through pmap, and it counted no page");
    ensure!(most < PMAP.slots, "boot had {most} pages mapped at once, of {} slots", PMAP.slots);
    Ok(())
}

fn slot_limit(bench: &EarlyBench<'_>) -> Outcome {
    let pmap = bench.pmap;
    let map = |at: usize| pmap.try_map(bench.scratch.first.add(at as u64));
    let mut pages = [const { None }; SLOTS];
    for (at, page) in pages.iter_mut().enumerate() {
        *page = map(at).ok();
        control!(page.is_some(), "page {at} of {SLOTS} is refused");
    }
    ensure!(matches!(map(SLOTS), Err(Full)), "a page more than slots is mapped");
    ensure!(pmap.high_water() == PMAP.slots, "{} pages are counted", pmap.high_water());
    pages[SLOTS - 1] = None;
    ensure!(map(SLOTS).is_ok(), "a slot that is free again is refused");
    Ok(())
}

fn seen_while_mapped(bench: &EarlyBench<'_>) -> Outcome {
    let frame = bench.scratch.first;
    let page = bench.pmap.map(frame);
    let at = VirtAddr::new(page.table() as *const paging::Table as u64);
    let mapped = probe::here(at);
    ensure!(mapped.shows(frame), "{at} is {mapped} while {frame} is mapped");
    drop(page);
    let after = probe::here(at);
    ensure!(after == Probe::NoTranslation, "{at} is {after} after it was unmapped");
    Ok(())
}

fn empty_at_hand_over(bench: &mut Bench) -> Outcome {
    let bytes = u64::from(PMAP.slots) * PAGE_BYTES;
    let leaves = Leaves::of(&PMAP, "self-test");
    ensure!((0..SLOTS).all(|slot| leaves.is_empty(slot)), "an entry of pmap is left");
    for cpu in bench.cpus() {
        let first = bench.first_readable(cpu, PMAP.base, bytes)?;
        ensure!(first.is_none(), "cpu {cpu} reads {}", first.unwrap_or(PMAP.base));
    }
    let frame = bench.scratch().first;
    let last = SLOTS - 1;
    let at = leaves.set(last, frame, HostAttributes::new(HostAccess::Read, Memory::Normal));
    let seen = on_every_cpu(bench, at, |probe| probe.shows(frame));
    leaves.clear(last);
    this::tlb::flush_page_all(at);
    seen?;
    on_every_cpu(bench, at, |probe| probe == Probe::NoTranslation)
}

/// Whether every CPU's probe of `at` is as it must be.
fn on_every_cpu(bench: &Bench, at: VirtAddr, is: impl Fn(Probe) -> bool) -> Outcome {
    for cpu in bench.cpus() {
        let probe = bench.probe(cpu, at)?;
        control!(is(probe), "cpu {cpu} sees {probe} at {at}");
    }
    Ok(())
}

fn not_again(bench: &mut Bench) -> Outcome {
    bench.panics(bench.other()?, Job::ReopenFixmap, [0; 2], "boot runs once")
}

/// The only way to another `Pmap` leads through the fixmap's stage.
pub(in crate::self_test) fn reopen() -> u64 {
    let fixmap = mm::fixmap::init(console::init());
    mm::pmap::init(&fixmap).map(Frame::new(1)).table().load(paging::Index::new(0)).get()
}
