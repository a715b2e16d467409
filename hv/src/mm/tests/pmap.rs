//! PMAP on the simulated machine: what it maps is in sight while a guard lives and never again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

use paging::{El2, Entry, Frame, Index, PAGE_BYTES, PhysAddr};

use crate::mm::here::bytes;
use crate::mm::pmap::Retired;
use crate::mm::rig::Loses;
use crate::mm::rig::whole::{PMAP, PMAP_SLOTS, pmap};
use crate::sim::{Setup, Sim};

const SEEDS: u64 = 40;

fn machine(seed: u64) -> Sim<El2> {
    Sim::new(Setup { seed, ..Setup::SMALL })
}

/// Data frames, by number: the lower half of RAM is for tables.
fn frame(number: u64) -> Frame {
    Setup::SMALL.ram.first.add(Setup::SMALL.ram.frames / 2 + number)
}

/// Wherever an access to any slot may lead on the boot CPU.
fn in_sight(sim: &Sim<El2>) -> Vec<PhysAddr> {
    (0..PMAP_SLOTS as u64).flat_map(|slot| sim.cpu(0).translations(bytes(PMAP, slot * PAGE_BYTES))).collect()
}

/// Maps tables as deep as a walk does, over and over, and reads back what it wrote; what is in sight in the end.
fn work(seed: u64, loses: Loses) -> Vec<PhysAddr> {
    let sim = machine(seed);
    let window = pmap(&sim, loses);
    for round in 0..6 {
        let held: Vec<_> = (0..4).map(|level| window.map(frame(round + level))).collect();
        for (level, page) in held.iter().enumerate() {
            page.store(Index::new(level), Entry::new(round + level as u64));
            assert_eq!(page.load(Index::new(level)), Entry::new(round + level as u64));
        }
        assert_eq!(in_sight(&sim).len(), 4, "nothing but what is held");
    }
    assert_eq!(window.retire(), Retired { high_water: 4, maps: 24 });
    in_sight(&sim)
}

#[test]
fn nothing_is_in_sight_but_what_is_held() {
    (0..SEEDS).for_each(|seed| assert_eq!(work(seed, Loses::Nothing), [], "seed {seed}"));
}

#[test]
fn control_without_the_invalidation_it_is() {
    let found =
        |seed| catch_unwind(AssertUnwindSafe(|| work(seed, Loses::LocalFlushes))).map_or(true, |left| !left.is_empty());
    assert!((0..SEEDS).any(found), "a page stays in sight, or another one is read");
}

#[test]
fn one_more_than_there_are_slots_is_a_panic_and_overwrites_nothing() {
    let sim = machine(1);
    let window = pmap(&sim, Loses::Nothing);
    let held: Vec<_> = (0..PMAP_SLOTS as u64).map(|number| window.map(frame(number))).collect();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(window.map(frame(20))))).is_err());
    for (number, page) in held.iter().enumerate() {
        let canary = crate::sim::Memory::canary(frame(number as u64), Index::new(3));
        assert_eq!(page.load(Index::new(3)), Entry::new(canary));
    }
}

#[test]
fn a_window_retires_empty_or_not_at_all() {
    let sim = machine(1);
    let window = pmap(&sim, Loses::Nothing);
    core::mem::forget(window.map_zeroed(frame(1)));
    assert_eq!(sim.memory.load(frame(1), Index::new(511)), Some(0));
    assert!(catch_unwind(AssertUnwindSafe(|| window.retire())).is_err());
}
