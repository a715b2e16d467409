//! Random edits in every format and retention, compared with a model, as guests on several CPUs see them.

use std::collections::BTreeMap;
use std::vec::Vec;

use paging::{El2, Ept, Frame, LongMode, Npt, Stage2};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::proptest;
use proptest::test_runner::Config;

use super::{ALL, BLOCK, Bench, PLAN, bench, frames, in_every_format};
use crate::mm::guest_rig::CPUS;
use crate::mm::guest_tables::{NestedFormat, Retention, TablesPlan};
use crate::sim::HostFormat;

/// Pages that are mapped and unmapped: three blocks around a gigabyte's end, and one far away.
const PLACES: [u64; 4] = [511 * BLOCK, 512 * BLOCK, 513 * BLOCK, 1 << 30];

#[derive(Clone, Copy, Debug)]
enum Step {
    Map { at: u64, skew: u64, pages: u64 },
    Unmap { at: u64, pages: u64 },
    Look { cpu: usize, at: u64 },
    Load(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at =
        (0..PLACES.len(), prop_oneof![3 => 0..4_u64, 1 => 0..BLOCK]).prop_map(|(place, page)| PLACES[place] + page);
    let pages = prop_oneof![2 => 1..5_u64, 1 => 1..=BLOCK, 1 => proptest::prelude::Just(BLOCK)];
    let step = prop_oneof![
        3 => (at.clone(), 0..2_u64, pages.clone()).prop_map(|(at, skew, pages)| Step::Map { at, skew, pages }),
        3 => (at.clone(), pages).prop_map(|(at, pages)| Step::Unmap { at, pages }),
        4 => (0..CPUS, at).prop_map(|(cpu, at)| Step::Look { cpu, at }),
        1 => (0..=CPUS).prop_map(Step::Load),
    ];
    vec(step, 1..40)
}

type Model = BTreeMap<u64, Frame>;

fn edit<F: HostFormat, G: NestedFormat>(bench: &mut Bench<'_, '_, '_, F, G>, model: &mut Model, step: Step) {
    match step {
        Step::Map { at, skew, pages } => {
            let free = model.range(at..at + pages).next().is_none();
            let first = at + skew;
            let mapped = bench.map(at, frames(first, pages));
            assert!(free || mapped.is_err(), "mapped over something");
            if mapped.is_ok() {
                model.extend((0..pages).map(|page| (at + page, frames(first + page, 1).first)));
            }
        }
        Step::Unmap { at, pages } => {
            let whole = model.range(at..at + pages).count() as u64 == pages;
            match bench.unmap(at, pages) {
                Ok(gone) => {
                    assert!(whole, "unmapped what was not mapped");
                    assert_eq!(gone, pages);
                    model.retain(|page, _| !(at..at + pages).contains(page));
                }
                Err(error) => assert!(!whole || error == super::super::TablesError::Limit, "{error}"),
            }
        }
        Step::Look { cpu, at } => assert_eq!(bench.guest(cpu, at).ok(), model.get(&at).copied(), "page {at:#x}"),
        Step::Load(_) => {}
    }
}

fn agree<F: HostFormat, G: NestedFormat>(seed: u64, retention: Retention, steps: &[Step]) {
    bench::<F, G>(seed, TablesPlan { retention, ..PLAN }, |bench| {
        let (slot, rig) = (bench.slot, bench.rig);
        let mut loaded: Vec<_> = (0..CPUS).map(|_| None).collect();
        let mut model = Model::new();
        for step in steps {
            if let Step::Load(cpu) = *step {
                for (number, one) in rig.cpus.iter().enumerate() {
                    let to = (number == cpu).then_some(slot);
                    loaded[number] = one.switch(loaded[number].take(), to).expect("open");
                }
            }
            edit(bench, &mut model, *step);
        }
        for (page, frame) in &model {
            if page % 7 == 0 {
                assert_eq!(bench.translate(*page), Some(*frame));
            }
        }
        for (one, loaded) in rig.cpus.iter().zip(loaded) {
            assert!(one.switch(loaded, None).is_ok());
        }
        let checker = rig.sim.watch.checker();
        assert_eq!(checker.violations(), 0);
    });
}

proptest! {
    #![proptest_config(Config { cases: 16, failure_persistence: None, ..Config::default() })]

    #[test]
    fn guests_see_what_a_model_says(seed in any::<u64>(), way in 0..ALL.len(), steps in steps()) {
        in_every_format!(agree(seed, ALL[way], &steps));
    }
}
