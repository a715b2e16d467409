//! The machine is as hostile as it claims to be, and no more.

use std::collections::BTreeSet;
use std::vec::Vec;

use paging::{El2, Entry, Frame, HostAccess, HostAttributes, Index, Level, LongMode, Memory as Kind, VirtAddr};

use super::{Cpu, Fault, HostFormat, Memory, Setup, Sim};
use crate::machine::Machine;
use crate::mm::checker::Verdict;
use crate::mm::entry::{Cells, Input, Place, SeenBy, Writer};

const AT: VirtAddr = VirtAddr::new(0x7f80_0000_9000);
const SEEDS: u64 = 40;

/// One page of one CPU, mapped and unmapped by the one writer.
struct Page<'s, F: HostFormat> {
    cpu: Cpu<'s, F>,
    place: Place,
}

impl<'s, F: HostFormat> Page<'s, F> {
    fn new(sim: &'s Sim<F>, number: usize) -> Self {
        let cpu = sim.cpu(number);
        let table = sim.private_leaves(cpu.cpu(), AT);
        let (level, index) = (Level::L3, AT.index(Level::L3));
        Self { place: Place { table, index, level, input: Input::Host(AT), seen: SeenBy::Cpu(cpu.cpu()) }, cpu }
    }

    fn write(&self, entry: Entry) {
        let cells = Cells::Table(self.cpu.sim().table(self.place.table));
        Writer::new(&self.cpu, "test").write::<F>(cells, self.place, entry);
    }

    fn map(&self, frame: Frame, access: HostAccess) {
        self.write(F::leaf(Level::L3, frame, HostAttributes::new(access, Kind::Normal)));
    }
}

/// What the first load after `story` finds, over all seeds.
fn outcomes<F: HostFormat>(story: impl Fn(&Sim<F>, &Page<'_, F>)) -> BTreeSet<Result<u64, &'static str>> {
    let outcome = |seed| {
        let sim = Sim::<F>::new(Setup { seed, verdict: Verdict::Record, ..Setup::SMALL });
        let page = Page::new(&sim, 0);
        story(&sim, &page);
        page.cpu.try_load(AT).map_err(|fault| match fault {
            Fault::Translation(_) => "none",
            Fault::Conflict => "conflict",
            Fault::Permission | Fault::Bus | Fault::Address => "other",
        })
    };
    (0..SEEDS).map(outcome).collect()
}

fn canary(frame: Frame) -> u64 {
    Memory::canary(frame, Index::new(0))
}

const A: Frame = Frame::new(0x4_0020);
const B: Frame = Frame::new(0x4_0021);

fn a_published_page_is_seen<F: HostFormat>() {
    let found = outcomes::<F>(|_, page| {
        page.map(A, HostAccess::ReadWrite);
        page.cpu.publish();
    });
    assert_eq!(found, BTreeSet::from([Ok(canary(A))]));
}

#[test]
fn a_published_page_is_seen_in_both_formats() {
    a_published_page_is_seen::<El2>();
    a_published_page_is_seen::<LongMode>();
}

#[test]
fn a_page_that_was_not_published_may_be_missing() {
    let found = outcomes::<El2>(|_, page| page.map(A, HostAccess::ReadWrite));
    assert_eq!(found, BTreeSet::from([Ok(canary(A)), Err("none")]));
}

fn map_and_zap<F: HostFormat>(page: &Page<'_, F>) {
    page.map(A, HostAccess::ReadWrite);
    page.cpu.publish();
    page.cpu.load(AT);
    page.write(Entry::INVALID);
    page.cpu.publish();
}

#[test]
fn an_unmapped_page_may_stay_in_reach_until_it_is_invalidated() {
    let stale = outcomes::<El2>(|_, page| map_and_zap(page));
    assert_eq!(stale, BTreeSet::from([Ok(canary(A)), Err("none")]));
    let flushes: [fn(&Cpu<'_, El2>); 3] =
        [|cpu| cpu.flush_page_local(AT), |cpu| cpu.flush_local(), |cpu| cpu.flush_all()];
    for flush in flushes {
        let gone = outcomes::<El2>(|_, page| {
            map_and_zap(page);
            flush(&page.cpu);
        });
        assert_eq!(gone, BTreeSet::from([Err("none")]));
    }
    let elsewhere = outcomes::<El2>(|_, page| {
        map_and_zap(page);
        page.cpu.flush_page_local(VirtAddr::new(AT.get() + 4096));
    });
    assert_eq!(elsewhere, stale);
}

#[test]
fn another_cpus_invalidation_does_not_help_unless_it_is_for_all() {
    let other = |flush: fn(&Cpu<'_, El2>)| {
        outcomes::<El2>(move |sim, page| {
            map_and_zap(page);
            flush(&sim.cpu(1));
        })
    };
    let stale = BTreeSet::from([Ok(canary(A)), Err("none")]);
    assert_eq!(other(|cpu| cpu.flush_page_local(AT)), stale);
    assert_eq!(other(|cpu| cpu.flush_local()), stale);
    assert_eq!(other(|cpu| cpu.flush_page_all(AT)), BTreeSet::from([Err("none")]));
}

#[test]
fn reuse_without_invalidation_reads_the_wrong_page_or_conflicts() {
    let found = outcomes::<El2>(|_, page| {
        map_and_zap(page);
        page.map(B, HostAccess::ReadWrite);
        page.cpu.publish();
        for _ in 0..3 {
            // Fills the translation cache with both, where the seed allows.
            page.cpu.try_load(AT).ok();
        }
    });
    assert_eq!(found, BTreeSet::from([Ok(canary(A)), Ok(canary(B)), Err("conflict")]));
}

#[test]
fn an_unlinked_table_stays_in_reach_through_a_remembered_link() {
    let unlink = |flush: fn(&Cpu<'_, El2>)| {
        outcomes::<El2>(move |sim, page| {
            let neighbour = VirtAddr::new(AT.get() + 4096);
            let leaf = El2::leaf(Level::L3, A, HostAttributes::new(HostAccess::Read, Kind::Normal));
            sim.table(page.place.table).store(neighbour.index(Level::L3), leaf);
            page.cpu.load(neighbour);
            let above = Frame::new(page.place.table.number() - 1);
            sim.table(above).store(AT.index(Level::L2), Entry::INVALID);
            flush(&page.cpu);
            page.map(B, HostAccess::Read);
            page.cpu.publish();
        })
    };
    assert_eq!(unlink(|_| ()), BTreeSet::from([Ok(canary(B)), Err("none")]));
    assert_eq!(unlink(|cpu| cpu.flush_page_local(AT)), BTreeSet::from([Err("none")]));
}

#[test]
fn permissions_roots_and_memory_are_checked() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let page = Page::new(&sim, 0);
    page.map(A, HostAccess::Read);
    page.cpu.publish();
    assert_eq!(page.cpu.try_load(AT), Ok(canary(A)));
    assert_eq!(page.cpu.try_store(AT, 1), Err(Fault::Permission));
    assert_eq!(page.cpu.try_load(VirtAddr::new(AT.get() + 4)), Err(Fault::Address));
    assert_eq!(page.cpu.try_load(VirtAddr::new(1 << 60)), Err(Fault::Address));
    assert_eq!(sim.cpu(1).try_load(AT), Err(Fault::Address));
    let elsewhere = Page::new(&sim, 1);
    elsewhere.map(Frame::new(1), HostAccess::Read);
    elsewhere.cpu.publish();
    assert_eq!(elsewhere.cpu.try_load(AT), Err(Fault::Bus));
}

#[test]
fn an_uncached_reader_sees_zeroes_only_after_a_clean() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let sim = Sim::<El2>::new(Setup { seed, ..Setup::SMALL });
        let page = Page::new(&sim, 0);
        page.map(A, HostAccess::ReadWrite);
        page.cpu.publish();
        page.cpu.zero(AT, 4096);
        let words: Vec<_> = (0..4096)
            .step_by(8)
            .filter_map(|offset| sim.memory.load_uncached(A.address().checked_add(offset)?))
            .collect();
        seen.extend(words.iter().map(|&word| word == 0));
        page.cpu.clean(AT, 4096);
        let uncached = |offset| sim.memory.load_uncached(A.address().checked_add(offset)?);
        assert!((0..4096).step_by(8).all(|offset| uncached(offset) == Some(0)));
    }
    assert_eq!(seen, BTreeSet::from([false, true]), "some lines are evicted, some are not");
}

#[test]
fn copies_have_any_alignment() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let page = Page::new(&sim, 0);
    page.map(A, HostAccess::ReadWrite);
    page.cpu.publish();
    let text = b"neither the start nor the end is aligned";
    page.cpu.copy_in(VirtAddr::new(AT.get() + 13), text);
    let mut back = [0; 40];
    page.cpu.copy_out(VirtAddr::new(AT.get() + 13), &mut back);
    assert_eq!(&back, text);
    assert_eq!(page.cpu.load(AT), canary(A));
}

#[test]
fn operations_are_counted() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let page = Page::new(&sim, 0);
    page.map(A, HostAccess::ReadWrite);
    page.cpu.publish();
    page.cpu.flush_local();
    page.cpu.flush_page_local(AT);
    page.cpu.flush_page_all(AT);
    let counts = sim.watch.counts();
    assert_eq!((counts.entry_writes, counts.publishes, counts.local_flushes), (1, 1, 1));
    assert_eq!((counts.local_page_flushes, counts.page_flushes, counts.flushes), (1, 1, 0));
}
