//! Random work for the whole memory system at once, on CPUs that use what they remember as long as they may.
//!
//! PMAP boots it; then heap, vmap, domains' tables and map caches are used in any order on any CPU. Controls: each thing
//! that a CPU may be made to leave out is found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::world::{CPUS, DOMAINS, DRIVEN, World};
use crate::mm::frames::Order;
use crate::mm::heap::{Leaves, Policy};
use crate::mm::mapcache::Retention;
use crate::mm::rig::whole::{boot_whole, machine};
use crate::mm::rig::{Choice, Loses};
use crate::mm::space::SizeChange;
use crate::sim::Setup;

/// What one CPU is asked to do.
#[derive(Clone, Debug)]
enum Step {
    Allocate(u8),
    Free(usize),
    MapRun(u8),
    UnmapRun(usize),
    Grant(usize),
    Revoke(usize, usize),
    Switch(Option<usize>),
    Touch(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let order = || prop_oneof![5 => 0_u8..2, 2 => 2_u8..8, 1 => 8_u8..10];
    prop_oneof![
        6 => order().prop_map(Step::Allocate),
        6 => any::<usize>().prop_map(Step::Free),
        2 => order().prop_map(Step::MapRun),
        2 => any::<usize>().prop_map(Step::UnmapRun),
        4 => (0..DOMAINS).prop_map(Step::Grant),
        2 => (0..DOMAINS, any::<usize>()).prop_map(|(domain, which)| Step::Revoke(domain, which)),
        2 => prop_oneof![3 => (0..DOMAINS).prop_map(Some), 1 => Just(None)].prop_map(Step::Switch),
        6 => any::<usize>().prop_map(Step::Touch),
    ]
}

/// A run of the machine.
#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    choice: Choice,
    in_place: bool,
    lazy: bool,
    /// Heap pages that are allocated first, so that pools are about to be full.
    fill: usize,
    steps: Vec<(usize, Step)>,
}

fn case() -> impl Strategy<Value = Case> {
    let pages =
        Choice::ALL.into_iter().filter(|choice| choice.leaves == Leaves::Pages && choice.policy != Policy::Full);
    let choice = prop_oneof![
        2 => proptest::sample::select(pages.collect::<Vec<_>>()),
        1 => proptest::sample::select(Choice::ALL.to_vec()),
    ];
    let fill = prop_oneof![1 => 0..20_usize, 2 => 500..520_usize];
    let parts = (any::<u64>(), choice, any::<bool>(), any::<bool>(), fill);
    (parts, vec((0..DRIVEN, step()), 1..80)).prop_map(|((seed, choice, in_place, lazy, fill), steps)| Case {
        seed,
        choice,
        in_place,
        lazy,
        fill,
        steps,
    })
}

fn run(case: &Case, loses: Loses) {
    let size_change = if case.in_place { SizeChange::InPlace } else { SizeChange::UnderRendezvous };
    let setup = Setup { cpus: CPUS, seed: case.seed, size_change, ..Setup::SMALL };
    let retention = if case.lazy { Retention::Lazy } else { Retention::Strict };
    let sim = machine(setup);
    let (system, caches, retired) = boot_whole(&sim, setup, case.choice, retention, loses);
    assert!(retired.high_water <= 2 && retired.maps > 0, "{retired:?}");
    let mut world = World::new(&sim, &caches, system, case.choice, retention, loses);
    (0..case.fill).for_each(|number| world.allocate(number % DRIVEN, Order::FRAME));
    for (cpu, step) in &case.steps {
        match *step {
            Step::Allocate(order) => world.allocate(*cpu, Order::new(order)),
            Step::Free(which) => world.free(*cpu, which),
            Step::MapRun(order) => world.map_run(*cpu, Order::new(order)),
            Step::UnmapRun(which) => world.unmap_run(*cpu, which),
            Step::Grant(domain) => world.grant(*cpu, domain),
            Step::Revoke(domain, which) => world.revoke(*cpu, domain, which),
            Step::Switch(to) => world.switch(*cpu, to),
            Step::Touch(which) => world.touch(*cpu, which),
        }
        world.check();
    }
    world.check_heap();
    world.end();
}

proptest! {
    #![proptest_config(Config { cases: 40, failure_persistence: None, ..Config::default() })]

    #[test]
    fn everything_at_once_is_right_on_every_cpu(case in case()) {
        run(&case, Loses::Nothing);
    }
}

/// Cases within which a control must be found.
const CASES_MAX: usize = 60;

/// Whether one of a few cases finds what is left out.
fn is_found(loses: Loses) -> bool {
    let mut runner = TestRunner::deterministic();
    (0..CASES_MAX).any(|_| {
        let case = case().new_tree(&mut runner).expect("nothing is filtered").current();
        catch_unwind(AssertUnwindSafe(|| run(&case, loses))).is_err()
    })
}

#[test]
fn controls_whatever_a_cpu_leaves_out_is_found() {
    for loses in [Loses::FlushesElsewhere, Loses::LocalFlushes, Loses::Stops, Loses::Cleans] {
        assert!(is_found(loses), "{loses:?}");
    }
}
