//! CPUs that are threads, share the heap by its lock, and ask each other to forget and to wait: all of it as at run time.
//!
//! A seed decides who goes on before each step. Each CPU uses its own pages, which share blocks with the others'.

use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;

use paging::{El2, LongMode};

use super::hostile::machine_of;
use super::{ANY, by_page};
use crate::machine::Machine;
use crate::mm::frames::Order;
use crate::mm::heap::HeapPages;
use crate::mm::here::Here;
use crate::mm::rig::asked::{Asked, CPUS};
use crate::mm::rig::{BLOCK, Choice, Direct, Faulty, Loses, System};
use crate::mm::space::{SizeChange, SizeChanges};
use crate::sim::schedule::{self, Failed};
use crate::sim::{HostFormat, Setup, Sim};
use crate::sync::{Mailboxes, PolledLock};

const SEEDS: u64 = 6;
/// More than any run takes that makes progress.
const STEPS_MAX: u64 = 2_000_000;
/// Pages that each CPU allocates and frees while the others do.
const ROUNDS: usize = 8;

/// What the CPUs share.
struct Shared<'s, F: HostFormat> {
    sim: &'s Sim<F>,
    mailboxes: &'s Mailboxes<CPUS>,
    system: PolledLock<System>,
    /// Pages of the CPUs that have ended.
    left: Mutex<Pages>,
    loses: Loses,
}

/// One CPU's pages, and what it wrote there.
type Pages = Vec<(HeapPages, u64)>;

impl<F: HostFormat> Shared<'_, F> {
    fn machine(&self, number: usize) -> Faulty<Asked<'_, F>> {
        Faulty { machine: Asked { cpu: self.sim.cpu(number), mailboxes: self.mailboxes }, loses: self.loses }
    }

    fn allocate(&self, machine: &Faulty<Asked<'_, F>>, pages: &mut Pages) {
        let mut system = self.system.lock(self.mailboxes.waiting(&machine.machine));
        let system = &mut *system;
        let mut reach = Direct(self.sim);
        let mut here = Here::new(machine, &mut reach);
        let page = system.heap.allocate(&mut here, &mut system.domain, Order::FRAME, ANY).expect("there is plenty");
        let value = page.frames().first.number();
        machine.store(page.at(), value);
        pages.push((page, value));
    }

    fn free(&self, machine: &Faulty<Asked<'_, F>>, pages: &mut Pages, which: usize) {
        let (page, _) = pages.swap_remove(which % pages.len());
        let mut system = self.system.lock(self.mailboxes.waiting(&machine.machine));
        let system = &mut *system;
        let mut reach = Direct(self.sim);
        let mut here = Here::new(machine, &mut reach);
        assert_eq!(system.heap.free(&mut here, &mut system.domain, page), Ok(()));
    }

    /// A CPU's program: its pages come and go, and are what they were in between.
    fn work(&self, number: usize, mut pages: Pages) {
        let machine = self.machine(number);
        for round in 0..ROUNDS {
            if round % 3 == 2 {
                self.free(&machine, &mut pages, round * 7);
            } else {
                self.allocate(&machine, &mut pages);
            }
            for (page, value) in pages.iter().rev().take(12) {
                assert_eq!(machine.machine.poll_and_load(page.at()), Ok(*value), "CPU {number} uses its own page");
            }
        }
        self.mailboxes.leave(&machine.machine);
        self.left.lock().expect("who panics holds no lock").append(&mut pages);
    }
}

/// Fills a pool but for a few pages, deals them out, and lets all CPUs go on.
fn run<F: HostFormat>(choice: Choice, seed: u64, loses: Loses) -> Result<SizeChanges, Failed> {
    let size_change = SizeChange::UnderRendezvous;
    let (sim, system) = machine_of::<F>(choice, Setup { cpus: CPUS, seed, ..Setup::SMALL }, size_change);
    let (mailboxes, before) = (Mailboxes::new(), system.domain.counts());
    let shared =
        Shared { sim: &sim, mailboxes: &mailboxes, system: PolledLock::new(system), left: Mutex::default(), loses };
    let mut pages: [Pages; CPUS] = Default::default();
    let first = shared.machine(0);
    for number in 0..BLOCK as usize - 6 {
        shared.allocate(&first, &mut pages[number % CPUS]);
    }
    (0..CPUS).for_each(|number| mailboxes.join(&shared.machine(number).machine));
    let shared_by_all = &shared;
    let start = |(number, pages): (usize, Pages)| -> Box<dyn FnOnce() + Send + '_> {
        Box::new(move || shared_by_all.work(number, pages))
    };
    schedule::run(seed, STEPS_MAX, pages.into_iter().enumerate().map(start).collect())?;
    let mut left = core::mem::take(&mut *shared.left.lock().expect("all have ended"));
    while !left.is_empty() {
        shared.free(&first, &mut left, 0);
    }
    let system = shared.system.lock(core::hint::spin_loop);
    assert_eq!(system.domain.counts(), before);
    let checker = sim.watch.checker();
    assert_eq!((checker.violations(), checker.zapped(), checker.lost()), (0, 0, 0));
    Ok(system.heap.size_changes())
}

#[test]
fn cpus_share_the_heap_and_nobody_faults_or_waits_for_ever() {
    for (choice, seed) in by_page().flat_map(|choice| (0..SEEDS).map(move |seed| (choice, seed))) {
        for changes in [run::<El2>(choice, seed, Loses::Nothing), run::<LongMode>(choice, seed, Loses::Nothing)] {
            let changes = changes.expect("it ends, and every load was right");
            assert!(changes.merged > 0 && changes.merged == changes.split, "{choice:?}, seed {seed}: {changes:?}");
        }
    }
}

#[test]
fn control_without_the_rendezvous_somebody_faults() {
    let failed = by_page().any(|choice| (0..SEEDS).any(|seed| run::<El2>(choice, seed, Loses::Stops).is_err()));
    assert!(failed);
}
