//! Mapping, unmapping, splitting, the end: what guests see of it, and what comes back.

use std::vec::Vec;

use paging::{El2, Ept, FrameRange, Level, LongMode, MapError, Npt, Stage2};

use super::{ALL, BLOCK, Bench, PLAN, Retention, bench, frames, in_every_format, page};
use crate::machine::Machine;
use crate::mm::checker::Verdict;
use crate::mm::guest_rig::{ID, SLOTS, with, with_area};
use crate::mm::guest_tables::{GuestTables, NestedFormat, TablesError, TablesPlan};
use crate::mm::here::Here;
use crate::mm::mapcache::{Context, Exhaustion, MapCache};
use crate::mm::rig::{Faulty, Loses};
use crate::sim::HostFormat;
use crate::sim::guest::Running;

const GIB: u64 = Level::L1.entry_frames();

fn leaves_are_as_large_as_they_can_be<F: HostFormat, G: NestedFormat>(retention: Retention) {
    bench::<F, G>(1, TablesPlan { retention, ..PLAN }, |bench| {
        // A gigabyte and a block and three pages, aligned alike.
        assert_eq!(bench.map(GIB, frames(3 * GIB, GIB + BLOCK + 3)), Ok(()));
        assert_eq!(bench.tables.tables(), 4, "the root and one table on each level");
        for (at, level) in [(0, Level::L1), (GIB, Level::L2), (GIB + BLOCK, Level::L3)] {
            let leaf = bench.cpu(0).idle(|here| bench.tables.translate(here, page(GIB + at)));
            assert_eq!(leaf.map(|leaf| (leaf.level, leaf.frame)), Some((level, frames(3 * GIB + at, 1).first)));
        }
        // Blocks where a frame is off by one are mapped by page.
        assert_eq!(bench.map(4 * GIB, frames(7 * GIB + 1, BLOCK)), Ok(()));
        assert_eq!(bench.tables.tables(), 6);
        assert!((0..BLOCK).all(|at| bench.guest(0, 4 * GIB + at) == Ok(frames(7 * GIB + 1 + at, 1).first)));
        bench.assert_right();
    });
}

#[test]
fn leaves_are_as_large_as_they_can_be_in_every_format_and_retention() {
    for retention in ALL {
        in_every_format!(leaves_are_as_large_as_they_can_be(retention));
    }
}

fn a_part_of_a_leaf_goes<F: HostFormat, G: NestedFormat>(retention: Retention, seed: u64) {
    bench::<F, G>(seed, TablesPlan { retention, ..PLAN }, |bench| {
        assert_eq!(bench.map(0, frames(GIB, GIB)), Ok(()));
        let look = [0, 5, BLOCK - 1, BLOCK, 7 * BLOCK + 1, 9 * BLOCK, GIB - 1];
        for at in look {
            for cpu in [0, 1] {
                assert_eq!(bench.guest(cpu, at), Ok(frames(GIB + at, 1).first));
            }
        }
        // Out of the middle: both ends are split, and what is left translates as before.
        assert_eq!(bench.unmap(5, 7 * BLOCK - 4), Ok(7 * BLOCK - 4));
        for at in look {
            let gone = (5..=7 * BLOCK).contains(&at);
            for cpu in [0, 1] {
                assert_eq!(bench.guest(cpu, at).ok(), (!gone).then(|| frames(GIB + at, 1).first), "page {at}");
            }
        }
        assert_eq!(bench.tables.tables(), 5, "root, one above, one of blocks, two of pages");
        assert_eq!(bench.unmap(0, 5), Ok(5));
        // In two steps: the checker follows some hundred entries at a time.
        assert_eq!(bench.unmap(7 * BLOCK + 1, BLOCK - 1), Ok(BLOCK - 1));
        assert_eq!(bench.unmap(8 * BLOCK, GIB - 8 * BLOCK), Ok(GIB - 8 * BLOCK));
        assert_eq!(bench.tables.tables(), 1, "empty tables are free");
        assert_eq!(bench.pool_chunks_free(), 1, "and their frames back, one chunk apart");
        bench.assert_right();
    });
}

impl<F: HostFormat, G: NestedFormat> Bench<'_, '_, '_, F, G> {
    /// Chunks of which no table is used, where a chunk is one frame.
    fn pool_chunks_free(&self) -> u64 {
        self.tables.pool_frames() - self.tables.tables()
    }
}

#[test]
fn a_part_of_a_leaf_goes_and_the_rest_stays_in_every_format_and_retention() {
    for (seed, retention) in ALL.into_iter().enumerate() {
        in_every_format!(a_part_of_a_leaf_goes(retention, seed as u64));
    }
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    bench::<El2, Stage2>(1, PLAN, |bench| {
        assert_eq!(bench.map(0, frames(GIB, 2 * BLOCK)), Ok(()));
        let before = (bench.tables.tables(), bench.stores.heap.counts());
        assert_eq!(
            bench.map(BLOCK + 3, frames(GIB, 1)),
            Err(TablesError::Map(MapError::Overlap { at: page(BLOCK + 3) }))
        );
        assert_eq!(bench.unmap(BLOCK, 2 * BLOCK), Err(TablesError::Map(MapError::Unmapped { at: page(2 * BLOCK) })));
        let far = FrameRange::new(paging::Frame::new((1 << 36) - 1), 2);
        assert_eq!(bench.map(9, far), Err(TablesError::Map(MapError::FrameOutOfRange { frames: far })));
        assert_eq!((bench.tables.tables(), bench.stores.heap.counts()), before);
        assert!((0..2 * BLOCK).all(|at| bench.translate(at) == Some(frames(GIB + at, 1).first)));
    });
}

#[test]
fn the_end_tells_every_leaf_of_memory_once_and_after_every_cpu_has_forgotten_it() {
    for retention in ALL {
        with::<El2, _>(2, Verdict::Stop, |rig, system| {
            with_area(rig, system, ID, |_, stores| {
                let baseline = stores.heap.counts();
                let plan = TablesPlan { retention, root_level: Level::L1, ..PLAN };
                let device = paging::GuestAttributes::new(paging::GuestAccess::ReadWrite, paging::Memory::Device);
                let pieces = [(0, frames(GIB, GIB)), (GIB + 7, frames(9, 3)), (2 * GIB, frames(4 * GIB, 2 * BLOCK))];
                let mut tables = rig.cpus[0].idle(|here| {
                    let mut tables = GuestTables::<Stage2>::new(here, stores, ID, plan).expect("plenty");
                    for (at, to) in pieces {
                        assert_eq!(tables.map(here, stores, page(at), to, super::RAM), Ok(()));
                    }
                    assert_eq!(tables.map(here, stores, page(3 * GIB), frames(0x900, 2), device), Ok(()));
                    tables
                });
                for cpu in &rig.cpus {
                    let guest = Running { cpu: cpu.cpu.cpu(), vmid: ID.vmid, root: tables.root() };
                    for at in [0, GIB + 8, 2 * GIB + BLOCK, 3 * GIB] {
                        assert!(rig.sim.guest_translate::<Stage2>(&guest, page(at)).is_ok());
                    }
                }
                let mut told = Vec::new();
                rig.cpus[1].idle(|here| {
                    tables.destroy(here, stores, |here, _, frames| {
                        assert_eq!(rig.sim.guest_memories(ID.vmid), 0, "nobody remembers anything");
                        here.released(frames);
                        told.push(frames);
                    });
                });
                let expected = [frames(GIB, GIB), frames(9, 1), frames(10, 1), frames(11, 1)];
                let blocks = [frames(4 * GIB, BLOCK), frames(4 * GIB + BLOCK, BLOCK)];
                assert_eq!(told, [&expected[..], &blocks].concat(), "devices are nobody's memory");
                assert_eq!(stores.heap.counts(), baseline);
            });
        });
    }
}

/// A guest's page is unmapped by a CPU: where does the guest still reach it from the other one?
fn reached_after_unmap<G: NestedFormat>(seed: u64, deaf: bool) -> usize {
    let mut reached = 0;
    with::<El2, _>(seed, Verdict::Record, |rig, system| {
        with_area(rig, system, ID, |_, stores| {
            let plan = TablesPlan { retention: Retention::MapCache, ..PLAN };
            let mut tables = rig.cpus[0].idle(|here| GuestTables::<G>::new(here, stores, ID, plan)).expect("plenty");
            let mapped = rig.cpus[0].idle(|here| tables.map(here, stores, page(3), frames(GIB, 4), super::RAM));
            assert_eq!(mapped, Ok(()));
            let guest = Running { cpu: rig.cpus[1].cpu.cpu(), vmid: ID.vmid, root: tables.root() };
            assert!(rig.sim.guest_translate::<G>(&guest, page(4)).is_ok());
            if deaf {
                let cache: MapCache<'_, _, SLOTS> = MapCache::new(
                    Faulty { machine: rig.cpus[0].cpu.clone(), loses: Loses::FlushesElsewhere },
                    rig.cpus[0].leaves,
                    crate::mm::mapcache::Retention::Strict,
                    Exhaustion::Stop,
                );
                let mut view = cache.enter(Context::Idle).expect("idle may map");
                let deaf = Faulty { machine: rig.cpus[0].cpu.clone(), loses: Loses::FlushesElsewhere };
                let mut here = Here::new(&deaf, &mut view);
                assert_eq!(tables.unmap(&mut here, stores, page(3), 4, |_| ()), Ok(()));
            } else {
                assert_eq!(rig.cpus[0].idle(|here| tables.unmap(here, stores, page(3), 4, |_| ())), Ok(()));
            }
            reached = (0..100).filter(|_| rig.sim.guest_translate::<G>(&guest, page(4)).is_ok()).count();
            rig.cpus[0].idle(|here| tables.destroy(here, stores, |_, _, _| ()));
        });
    });
    reached
}

#[test]
fn control_without_the_flush_a_guest_still_reaches_what_was_unmapped() {
    for seed in 0..4 {
        assert_eq!(reached_after_unmap::<Stage2>(seed, false), 0);
        assert_eq!(reached_after_unmap::<Ept>(seed, false), 0);
        assert!(reached_after_unmap::<Stage2>(seed, true) > 0, "seed {seed}");
        assert!(reached_after_unmap::<Npt>(seed, true) > 0, "seed {seed}");
    }
}
