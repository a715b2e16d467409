//! Random work on several CPUs, each load compared with a model of memory, each CPU's sight with what it may see.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use paging::{El2, Frame, Index, LongMode};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::proptest;
use proptest::test_runner::Config;

use super::{Cache, Exhaustion, Owner, Retention, SLOTS, cache, frame, load, visible};
use crate::mm::entry::Cells;
use crate::mm::mapcache::{Context, Mapped, Moment};
use crate::sim::{Cpu, HostFormat, Memory, Setup, Sim};

/// Domains, and frames that each of them has.
const DOMAINS: u64 = 3;
const DOMAIN_FRAMES: u64 = 7;

/// One thing that happens on one CPU.
#[derive(Clone, Debug)]
enum Step {
    /// The loaded domain's code maps one of its frames, or another domain's.
    Map { number: u64, context: Asked },
    /// A guard is dropped; which one, modulo those alive.
    Unmap(usize),
    /// A word is read through a guard.
    Load(usize, usize),
    /// A word is written through a guard.
    Store(usize, usize, u64),
    /// An interrupt's handler maps, writes, reads and unmaps.
    Interrupt { number: u64, value: u64 },
    /// All guards are dropped and another domain is loaded.
    Switch(u64),
    /// All guards are dropped and the guest runs.
    Return,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Guest,
    Foreign,
    Idle,
}

fn steps() -> impl Strategy<Value = Step> {
    let number = 0..DOMAINS * DOMAIN_FRAMES;
    let context = prop_oneof![4 => Just(Asked::Guest), 1 => Just(Asked::Foreign), 1 => Just(Asked::Idle)];
    // Few words, so that loads meet stores.
    let word = 0..4usize;
    prop_oneof![
        6 => (number.clone(), context).prop_map(|(number, context)| Step::Map { number, context }),
        5 => any::<usize>().prop_map(Step::Unmap),
        6 => (any::<usize>(), word.clone()).prop_map(|(guard, word)| Step::Load(guard, word)),
        4 => (any::<usize>(), word, any::<u64>()).prop_map(|(guard, word, value)| Step::Store(guard, word, value)),
        2 => (number, any::<u64>()).prop_map(|(number, value)| Step::Interrupt { number, value }),
        1 => (0..=DOMAINS).prop_map(Step::Switch),
        1 => Just(Step::Return),
    ]
}

type Guard<'c, 's, F> = Mapped<'c, Cpu<'s, F>, SLOTS>;

/// A CPU, what it holds and what it may see.
struct Worker<'c, 's, F: HostFormat> {
    cpu: Cpu<'s, F>,
    cache: &'c Cache<'s, F>,
    guards: Vec<(Frame, Guard<'c, 's, F>)>,
    retention: Retention,
}

/// What memory holds where it was written.
type Model = BTreeMap<(Frame, usize), u64>;

fn expected(model: &Model, frame: Frame, word: usize) -> u64 {
    model.get(&(frame, word)).copied().unwrap_or_else(|| Memory::canary(frame, Index::new(word)))
}

/// Frame `number` of all domains' frames; which is whose follows from the number.
fn owner(number: u64) -> u16 {
    (number / DOMAIN_FRAMES) as u16
}

impl<'c, 's, F: HostFormat> Worker<'c, 's, F> {
    fn run(&mut self, step: &Step, model: &mut Model) {
        match *step {
            Step::Map { number, context } => self.map(number, context),
            Step::Unmap(guard) => {
                if !self.guards.is_empty() {
                    drop(self.guards.swap_remove(guard % self.guards.len()));
                }
            }
            Step::Load(guard, word) => {
                if let Some((frame, page)) = self.guard(guard) {
                    assert_eq!(page.load(Index::new(word)), expected(model, *frame, word));
                }
            }
            Step::Store(guard, word, value) => {
                if let Some((frame, page)) = self.guard(guard) {
                    page.store(Index::new(word), value);
                    model.insert((*frame, word), value);
                }
            }
            Step::Interrupt { number, value } => self.interrupt(number, value, model),
            Step::Switch(to) => {
                self.guards.clear();
                load(self.cache, if to == DOMAINS { Owner::Nobody } else { Owner::Domain(to as u16) });
                assert_eq!(visible(&self.cpu), [], "nothing outlives a switch");
            }
            Step::Return => {
                self.guards.clear();
                assert_eq!(self.cache.check_empty(Moment::ReturnToGuest), Ok(()));
            }
        }
        self.check_sight();
    }

    fn guard(&self, number: usize) -> Option<&(Frame, Guard<'c, 's, F>)> {
        self.guards.get(number % self.guards.len().max(1))
    }

    /// Guest code maps what its domain owns, and all else as foreign.
    fn map(&mut self, number: u64, context: Asked) {
        let vmid = owner(number);
        let own = self.cache.loaded() == Owner::Domain(vmid);
        let mapped = match (context, self.cache.loaded()) {
            (Asked::Idle, _) | (_, Owner::Nobody) => self.enter(Context::Idle).map(frame(number)),
            (Asked::Guest, Owner::Domain(_)) if own => self.enter(Context::Guest { vmid }).map(frame(number)),
            (Asked::Guest | Asked::Foreign, Owner::Domain(vmid)) => {
                self.enter(Context::Guest { vmid }).map_foreign(frame(number))
            }
        };
        match mapped {
            Ok(guard) => self.guards.push((frame(number), guard)),
            Err(_) => assert_eq!(self.slots_in_use(), SLOTS, "refused only when every slot is live"),
        }
    }

    fn enter(&self, context: Context) -> crate::mm::mapcache::View<'c, Cpu<'s, F>, SLOTS> {
        self.cache.enter(context).expect("the context fits what is loaded")
    }

    fn interrupt(&self, number: u64, value: u64, model: &mut Model) {
        let Ok(page) = self.enter(Context::Interrupt).map(frame(number)) else {
            assert_eq!(self.slots_in_use(), SLOTS);
            return;
        };
        assert_eq!(page.load(Index::new(0)), expected(model, frame(number), 0));
        page.store(Index::new(0), value);
        model.insert((frame(number), 0), value);
    }

    fn slots_in_use(&self) -> usize {
        let address = |page: &Guard<'_, '_, F>| match page.cells() {
            Cells::Mapped(at) => at.get(),
            Cells::Table(_) => 0,
        };
        self.guards.iter().map(|(_, page)| address(page)).collect::<BTreeSet<_>>().len()
    }

    /// What is held, and where pages are kept, what the loaded domain owns. Nothing else, not even in what the CPU
    /// remembers.
    fn check_sight(&self) {
        let held: BTreeSet<Frame> = self.guards.iter().map(|(frame, _)| *frame).collect();
        let kept = (0..DOMAINS * DOMAIN_FRAMES)
            .filter(|&number| self.retention == Retention::Lazy && self.cache.loaded() == Owner::Domain(owner(number)))
            .map(frame);
        let allowed: BTreeSet<Frame> = held.iter().copied().chain(kept).collect();
        let seen: BTreeSet<Frame> = visible(&self.cpu).into_iter().collect();
        assert!(seen.is_subset(&allowed), "in sight: {seen:?}, allowed: {allowed:?}");
        assert!(held.is_subset(&seen), "held but not mapped");
    }
}

fn work<F: HostFormat>(seed: u64, cpus: usize, retention: Retention, steps: &[(usize, Step)]) {
    let sim = Sim::<F>::new(Setup { seed, cpus, ..Setup::SMALL });
    let caches: Vec<_> = (0..cpus).map(|cpu| cache(&sim, cpu, retention, Exhaustion::Return)).collect();
    let worker = |(cpu, cache)| Worker { cpu: sim.cpu(cpu), cache, guards: Vec::new(), retention };
    let mut workers: Vec<_> = caches.iter().enumerate().map(worker).collect();
    let mut model = Model::new();
    for (cpu, step) in steps {
        workers[cpu % cpus].run(step, &mut model);
        // What one CPU did changes nothing of what the others see.
        workers.iter().for_each(Worker::check_sight);
    }
    drop(workers);
    for cache in &caches {
        load(cache, Owner::Nobody);
    }
    let checker = sim.watch.checker();
    assert_eq!((checker.violations(), checker.zapped(), checker.lost()), (0, 0, 0));
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_load_is_right_and_nothing_else_is_in_sight(
        seed in any::<u64>(),
        cpus in 2..=4usize,
        lazy in any::<bool>(),
        steps in vec((any::<usize>(), steps()), 1..120),
    ) {
        let retention = if lazy { Retention::Lazy } else { Retention::Strict };
        work::<El2>(seed, cpus, retention, &steps);
        work::<LongMode>(seed, cpus, retention, &steps);
    }
}
