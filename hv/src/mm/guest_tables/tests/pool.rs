//! The pool: its limit, its growth and its window; what tables cost to reach, and what happens when frames run out.

use paging::{El2, Index, Level, LongMode, Npt, Stage2};

use super::{ALL, BLOCK, Bench, PLAN, Retention, bench, frames, page};
use crate::machine::Machine;
use crate::mm::checker::Verdict;
use crate::mm::guest_rig::{ID, SLOTS, layout, with, with_area};
use crate::mm::guest_tables::{GuestTables, NestedFormat, Stores, TABLES_MAX, TablesError, TablesPlan};
use crate::mm::here::{Here, bytes};
use crate::mm::mapcache::{Context, Exhaustion, MapCache};
use crate::mm::rig::{Faulty, Loses};
use crate::sim::HostFormat;

/// Far enough apart that each page needs a table of its own.
const APART: u64 = BLOCK;
const GUEST: Context = Context::Guest { vmid: ID.vmid };

#[test]
fn a_domain_has_no_more_tables_than_its_limit() {
    for (limit, retention) in [3, 4, 10, 33, 65].into_iter().flat_map(|limit| ALL.map(|way| (limit, way))) {
        bench::<El2, Stage2>(1, TablesPlan { retention, limit_frames: limit, ..PLAN }, |bench| {
            let mut mapped = 0;
            let error = loop {
                match bench.map(mapped * APART, frames(mapped, 1)) {
                    Ok(()) => mapped += 1,
                    Err(error) => break error,
                }
                assert!(bench.tables.pool_frames() <= limit);
            };
            assert_eq!(error, TablesError::Limit);
            // Whole chunks: of a limit that is no multiple of one, the rest is lost.
            let chunk = limit.div_ceil(32).next_power_of_two();
            assert_eq!(mapped, (limit / chunk * chunk).saturating_sub(3), "limit {limit}");
            assert!((0..mapped).all(|at| bench.translate(at * APART) == Some(frames(at, 1).first)));
            bench.assert_right();
        });
    }
}

#[test]
fn a_large_pool_has_large_chunks() {
    const CHUNK: u64 = TABLES_MAX / 32;
    for retention in ALL {
        bench::<El2, Stage2>(1, TablesPlan { retention, limit_frames: TABLES_MAX, ..PLAN }, |bench| {
            assert_eq!(bench.tables.pool_frames(), CHUNK);
            let writes = bench.rig.sim.watch.counts().entry_writes;
            for at in 0..20 {
                assert_eq!(bench.map(at * APART, frames(at, 1)), Ok(()));
            }
            assert_eq!(bench.tables.pool_frames(), CHUNK, "one chunk is plenty");
            assert!(bench.rig.sim.watch.counts().entry_writes > writes);
            let (slot, rig) = (bench.slot, bench.rig);
            let loaded = rig.cpus[0].switch(None, Some(slot)).expect("open");
            let last = bytes(layout::<El2>().pool, (CHUNK - 1) * paging::PAGE_BYTES);
            let shown = rig.cpus[0].cpu.translations(last).len();
            assert_eq!(shown, usize::from(retention == Retention::PoolWindow));
            assert!((0..20).all(|at| bench.translate(at * APART) == Some(frames(at, 1).first)));
            assert!(rig.cpus[0].switch(loaded, None).is_ok());
            bench.assert_right();
        });
    }
}

/// Map operations of one translation.
fn maps<F: HostFormat, G: NestedFormat>(bench: &Bench<'_, '_, '_, F, G>, cpu: usize, context: Context) -> u64 {
    let cpu = bench.cpu(cpu);
    let before = cpu.maps();
    assert!(cpu.within(context, |here| bench.tables.translate(here, page(9))).is_some());
    cpu.maps() - before
}

fn costs<F: HostFormat, G: NestedFormat>(root_level: Level, levels: u64) {
    for retention in ALL {
        bench::<F, G>(1, TablesPlan { retention, root_level, ..PLAN }, |bench| {
            assert_eq!(bench.map(9, frames(1, 1)), Ok(()));
            let (slot, rig) = (bench.slot, bench.rig);
            let loaded = rig.cpus[0].switch(None, Some(slot)).expect("open");
            let [here, elsewhere] = [maps(bench, 0, GUEST), maps(bench, 1, Context::Idle)];
            let expected = match retention {
                Retention::MapCache => (levels, levels),
                Retention::Resident => (0, 0),
                Retention::PoolWindow => (0, levels),
            };
            assert_eq!((here, elsewhere), expected, "{retention:?}: where it is loaded, and where not");
            assert!(rig.cpus[0].switch(loaded, None).is_ok());
        });
    }
}

#[test]
fn a_translation_maps_each_table_or_none() {
    costs::<El2, Stage2>(Level::L0, 4);
    costs::<El2, Stage2>(Level::L1, 3);
    costs::<LongMode, Npt>(Level::L0, 4);
}

/// Addresses of the pool window that a CPU might reach, of as many frames as the pool may ever have.
fn in_sight<F: HostFormat, G: NestedFormat>(bench: &Bench<'_, '_, '_, F, G>, cpu: usize) -> usize {
    let pages = (0..PLAN.limit_frames).map(|number| bytes(layout::<F>().pool, number * paging::PAGE_BYTES));
    pages.map(|at| bench.cpu(cpu).cpu.translations(at).len()).sum()
}

#[test]
fn the_window_is_in_sight_while_the_domain_is_loaded_and_grows_and_shrinks_meanwhile() {
    for seed in 0..4 {
        bench::<El2, Stage2>(seed, PLAN, |bench| {
            let (slot, rig) = (bench.slot, bench.rig);
            assert_eq!(in_sight(bench, 0) + in_sight(bench, 1), 0);
            let loaded = rig.cpus[1].switch(None, Some(slot)).expect("open");
            for round in 0..3 {
                for at in 0..10 {
                    assert_eq!(bench.map(at * APART, frames(at, 1)), Ok(()));
                    let leaf = rig.cpus[1].within(GUEST, |here| bench.tables.translate(here, page(at * APART)));
                    assert_eq!(
                        leaf.map(|leaf| leaf.frame),
                        Some(frames(at, 1).first),
                        "on the CPU that did not map it"
                    );
                }
                assert_eq!(in_sight(bench, 1) as u64, bench.tables.pool_frames());
                assert_eq!(in_sight(bench, 0), 0, "round {round}: not loaded there");
                for at in 0..10 {
                    assert_eq!(bench.unmap(at * APART, 1), Ok(1));
                }
                assert_eq!(bench.tables.pool_frames(), 2, "the root's and a free one");
                assert_eq!(in_sight(bench, 1), 2, "seed {seed}: what went is out of sight, used or not");
            }
            assert!(rig.cpus[1].switch(loaded, None).is_ok());
            assert_eq!(in_sight(bench, 1), 0);
            bench.assert_right();
        });
    }
}

/// CPU 1 has the domain loaded and uses a table of its window; CPU 0 shrinks the pool, and the request to forget gets
/// lost or not. Does CPU 1 still reach the frame?
fn reached_after_shrink(seed: u64, deaf: bool) -> bool {
    let mut reached = false;
    with::<El2, _>(seed, Verdict::Record, |rig, system| {
        with_area(rig, system, ID, |slot, stores: &mut Stores<'_>| {
            let mut tables =
                rig.cpus[0].idle(|here| GuestTables::<Stage2>::new(here, stores, ID, PLAN)).expect("plenty");
            let pages = [0, APART, 2 * APART];
            for at in pages {
                let mapped = rig.cpus[0].idle(|here| tables.map(here, stores, page(at), frames(at, 1), super::RAM));
                assert_eq!(mapped, Ok(()));
            }
            let loaded = rig.cpus[1].switch(None, Some(slot)).expect("open");
            let last = bytes(layout::<El2>().pool, (tables.pool_frames() - 1) * paging::PAGE_BYTES);
            rig.cpus[1].cpu.load(last);
            let hidden = rig.cpus[1].cpu.translations(last);
            let unmap = |tables: &mut GuestTables<Stage2>, stores: &mut Stores<'_>, at| {
                if !deaf {
                    return rig.cpus[0].idle(|here| tables.unmap(here, stores, page(at), 1, |_| ()));
                }
                let machine = Faulty { machine: rig.cpus[0].cpu.clone(), loses: Loses::FlushesElsewhere };
                let strict = crate::mm::mapcache::Retention::Strict;
                let cache: MapCache<'_, _, SLOTS> = MapCache::new(
                    Faulty { machine: rig.cpus[0].cpu.clone(), loses: Loses::FlushesElsewhere },
                    rig.cpus[0].leaves,
                    strict,
                    Exhaustion::Stop,
                );
                let mut view = cache.enter(Context::Idle).expect("idle may map");
                tables.unmap(&mut Here::new(&machine, &mut view), stores, page(at), 1, |_| ())
            };
            for at in pages {
                assert_eq!(unmap(&mut tables, stores, at), Ok(()));
            }
            reached = rig.cpus[1].cpu.translations(last).iter().any(|now| hidden.contains(now));
            assert!(rig.cpus[1].switch(loaded, None).is_ok());
            rig.cpus[0].idle(|here| tables.destroy(here, stores, |_, _, _| ()));
        });
    });
    reached
}

#[test]
fn control_without_the_flush_on_all_cpus_a_page_of_the_window_stays_in_sight() {
    for seed in 0..4 {
        assert!(!reached_after_shrink(seed, false));
        assert!(reached_after_shrink(seed, true), "seed {seed}");
    }
}

#[test]
fn frames_that_run_out_leave_translations_as_they_were_whichever_is_missing() {
    for retention in ALL {
        bench::<El2, Stage2>(1, TablesPlan { retention, ..PLAN }, |bench| {
            assert_eq!(bench.map(3, frames(1, 1)), Ok(()));
            let before = bench.tables.tables();
            let mut missing = 0;
            loop {
                bench.stores.heap.ration.limit(missing);
                // Far away: a table on each level.
                let mapped = bench.map(1 << 30, frames(2, BLOCK + 2));
                bench.stores.heap.ration.lift();
                if mapped.is_ok() {
                    break;
                }
                assert_eq!((bench.translate(3), bench.translate(1 << 30)), (Some(frames(1, 1).first), None));
                assert_eq!(bench.tables.tables(), before);
                assert!(bench.tables.pool_frames() <= before + 1, "one free chunk may stay");
                missing += 1;
            }
            assert!(missing >= 3, "{retention:?}: failed {missing} times");
            assert_eq!(bench.unmap(1 << 30, BLOCK + 2), Ok(BLOCK + 2));
            bench.assert_right();
        });
    }
}

#[test]
fn free_tables_are_zero_and_tables_in_the_window_are_the_ones_in_memory() {
    bench::<LongMode, Npt>(5, PLAN, |bench| {
        assert_eq!(bench.map(9, frames(1, 1)), Ok(()));
        let (slot, rig) = (bench.slot, bench.rig);
        let loaded = rig.cpus[0].switch(None, Some(slot)).expect("open");
        let root = bench.tables.root().frame;
        for number in 0..bench.tables.pool_frames() {
            let at = bytes(layout::<LongMode>().pool, number * paging::PAGE_BYTES);
            let frame = paging::Frame::containing(rig.cpus[0].cpu.translations(at)[0]);
            assert!(number > 0 || frame == root);
            for index in [0, 9].map(Index::new) {
                let word = rig.cpus[0].cpu.load(bytes(at, index.get() as u64 * 8));
                assert_eq!(Some(word), rig.sim.memory.load(frame, index));
            }
        }
        assert!(rig.cpus[0].switch(loaded, None).is_ok());
    });
}
