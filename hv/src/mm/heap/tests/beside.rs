//! Other CPUs use the objects of a block while it becomes a block, and pages again.
//!
//! They run between any two things that the allocating CPU does. Controls: without the rendezvous, without the break,
//! without the invalidation elsewhere.

use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use paging::{El2, LongMode, VirtAddr};
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::hostile::machine_of;
use super::{ANY, by_page, order};
use crate::machine::Machine;
use crate::mm::buddy::Counts;
use crate::mm::checker::{Verdict, Wrong};
use crate::mm::frames::Order;
use crate::mm::heap::HeapPages;
use crate::mm::here::Here;
use crate::mm::rig::{BLOCK, Choice, Direct, Faulty, Loses, System};
use crate::mm::space::{SizeChange, SizeChanges};
use crate::sim::{Cpu, HostFormat, Setup, Sim};

const CPUS: usize = 3;
const BOTH: [SizeChange; 2] = [SizeChange::UnderRendezvous, SizeChange::InPlace];

/// Seeds of which one must show what a control leaves out.
const SEEDS_MAX: u64 = 60;

/// What all CPUs know: which pages are whose, and what is in them.
#[derive(Default)]
struct Shared {
    pages: Vec<(VirtAddr, u64)>,
    next: usize,
    used: u64,
    /// What other CPUs found that may not be.
    found: BTreeSet<String>,
}

impl Shared {
    /// Another CPU reads one page, and writes it.
    fn use_one<F: HostFormat>(&mut self, cpu: &Cpu<'_, F>) {
        let Some(number) = self.next.checked_rem(self.pages.len()) else { return };
        self.next += 1;
        self.used += 1;
        let (at, expected) = &mut self.pages[number];
        match cpu.try_load(*at) {
            Ok(value) if value == *expected => {}
            Ok(_) => drop(self.found.insert("the wrong page".to_string())),
            Err(fault) => drop(self.found.insert(fault.to_string())),
        }
        match cpu.try_store(*at, *expected + 1) {
            Ok(()) => *expected += 1,
            Err(fault) => drop(self.found.insert(fault.to_string())),
        }
    }
}

/// A machine whose first CPU allocates while the others use what it has allocated.
struct Story<'s, F: HostFormat> {
    sim: &'s Sim<F>,
    driver: Faulty<Cpu<'s, F>>,
    system: System,
    shared: Arc<Mutex<Shared>>,
    live: Vec<HeapPages>,
}

impl<'s, F: HostFormat> Story<'s, F> {
    fn new(sim: &'s Sim<F>, system: System, loses: Loses) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        for cpu in 1..CPUS {
            let shared = Arc::clone(&shared);
            sim.run_beside(cpu, move |cpu| shared.lock().expect("no step panics").use_one(cpu));
        }
        Self { sim, driver: Faulty { machine: sim.cpu(0), loses }, system, shared, live: Vec::new() }
    }

    fn with_shared<R>(&self, change: impl FnOnce(&mut Shared) -> R) -> R {
        change(&mut self.shared.lock().expect("no step panics"))
    }

    fn allocate(&mut self, order: Order) {
        let mut reach = Direct(self.sim);
        let mut here = Here::new(&self.driver, &mut reach);
        let Ok(pages) = self.system.heap.allocate(&mut here, &mut self.system.domain, order, ANY) else { return };
        let (at, value) = (pages.at(), pages.frames().first.number() << 20);
        self.driver.store(at, value);
        self.with_shared(|shared| shared.pages.push((at, value)));
        self.live.push(pages);
    }

    fn free(&mut self, which: usize) {
        let Some(which) = which.checked_rem(self.live.len()) else { return };
        let pages = self.live.swap_remove(which);
        self.with_shared(|shared| shared.pages.retain(|(at, _)| *at != pages.at()));
        let mut reach = Direct(self.sim);
        let mut here = Here::new(&self.driver, &mut reach);
        assert_eq!(self.system.heap.free(&mut here, &mut self.system.domain, pages), Ok(()));
    }

    /// A pool becomes a block, loses a page, gets it back, is emptied.
    fn fill_break_and_empty(&mut self) {
        (0..BLOCK - 1).for_each(|_| self.allocate(Order::FRAME));
        self.free(200);
        self.allocate(Order::FRAME);
        (0..BLOCK - 1).for_each(|_| self.free(0));
    }

    fn found(&self) -> BTreeSet<String> {
        self.with_shared(|shared| shared.found.clone())
    }

    fn end(self) -> (SizeChanges, Counts) {
        assert_eq!(self.found(), BTreeSet::new());
        assert!(self.with_shared(|shared| shared.used) > 0, "other CPUs have used the pages");
        let checker = self.sim.watch.checker();
        assert_eq!((checker.violations(), checker.zapped(), checker.lost()), (0, 0, 0));
        (self.system.heap.size_changes(), self.system.domain.counts())
    }
}

fn setup(seed: u64, size_change: SizeChange) -> Setup {
    Setup { cpus: CPUS, seed, size_change, ..Setup::SMALL }
}

fn never_a_fault<F: HostFormat>(choice: Choice, setup: Setup) {
    let (sim, system) = machine_of::<F>(choice, setup, setup.size_change);
    let before = system.domain.counts();
    let mut story = Story::new(&sim, system, Loses::Nothing);
    story.fill_break_and_empty();
    assert_eq!(story.end(), (SizeChanges { merged: 1, split: 1 }, before));
    let stops = sim.watch.counts().rendezvous;
    assert_eq!(stops, if setup.size_change == SizeChange::InPlace { 0 } else { 2 });
}

#[test]
fn cpus_that_use_a_block_throughout_never_fault() {
    for (choice, size_change) in by_page().flat_map(|choice| BOTH.map(|size_change| (choice, size_change))) {
        for seed in 0..3 {
            never_a_fault::<El2>(choice, setup(seed, size_change));
            never_a_fault::<LongMode>(choice, setup(seed, size_change));
        }
    }
}

/// Whether other CPUs find this, on some seed, when the allocating one leaves something out.
fn is_found_without(loses: Loses, what: &str) -> bool {
    let mut seeds = (0..SEEDS_MAX).flat_map(|seed| by_page().map(move |choice| (choice, seed)));
    seeds.any(|(choice, seed)| {
        let setup = Setup { verdict: Verdict::Record, ..setup(seed, SizeChange::UnderRendezvous) };
        let (sim, system) = machine_of::<El2>(choice, setup, setup.size_change);
        let mut story = Story::new(&sim, system, loses);
        story.fill_break_and_empty();
        story.found().contains(what)
    })
}

#[test]
fn control_without_the_rendezvous_other_cpus_fault() {
    assert!(is_found_without(Loses::Stops, "no translation at L2"));
}

#[test]
fn control_without_the_invalidation_elsewhere_other_cpus_meet_two_sizes() {
    assert!(is_found_without(Loses::FlushesElsewhere, "two translations at once"));
}

#[test]
fn control_in_place_on_cores_that_do_not_allow_it_is_found_twice() {
    let mut seeds = (0..SEEDS_MAX).flat_map(|seed| by_page().map(move |choice| (choice, seed)));
    let conflict = seeds.any(|(choice, seed)| {
        let verdict = Verdict::Record;
        let needs = Setup { verdict, ..setup(seed, SizeChange::UnderRendezvous) };
        let (sim, system) = machine_of::<El2>(choice, needs, SizeChange::InPlace);
        let mut story = Story::new(&sim, system, Loses::Nothing);
        story.fill_break_and_empty();
        let first = sim.watch.checker().first().map(|violation| violation.wrong);
        assert_eq!(first, Some(Wrong::SizeChanged), "the checker finds it every time");
        story.found().contains("two translations at once")
    });
    assert!(conflict, "some CPU meets both sizes");
}

proptest! {
    #![proptest_config(Config { cases: 12, failure_persistence: None, ..Config::default() })]

    #[test]
    fn random_chunks_come_and_go_while_other_cpus_use_them(
        seed in any::<u64>(),
        choice in proptest::sample::select(by_page().collect::<Vec<_>>()),
        in_place in any::<bool>(),
        fill in 300_usize..900,
        steps in proptest::collection::vec(prop_oneof![order().prop_map(Ok), any::<usize>().prop_map(Err)], 1..200),
    ) {
        let size_change = BOTH[usize::from(in_place)];
        let (sim, system) = machine_of::<El2>(choice, setup(seed, size_change), size_change);
        let before = system.domain.counts();
        let mut story = Story::new(&sim, system, Loses::Nothing);
        // So that most steps meet pools that are about to be full.
        (0..fill).for_each(|_| story.allocate(Order::FRAME));
        for step in steps {
            match step {
                Ok(order) => story.allocate(order),
                Err(which) => story.free(which),
            }
        }
        while !story.live.is_empty() {
            story.free(0);
        }
        let (changes, after) = story.end();
        prop_assert_eq!(after, before);
        prop_assert_eq!(changes.merged, changes.split);
        prop_assert!(changes.merged > 0 || fill < BLOCK as usize - 1);
    }
}
