//! A window over a table of its own, where an address is only a number; and, in files of their own, everything at once.

mod pmap;
mod world;
mod whole;
mod refused;

use std::panic::{AssertUnwindSafe, catch_unwind};

use paging::{El2, Entry, Frame, HostAccess, HostAttributes, Index, Level, Memory, Table, VirtAddr};

use super::checker::{Verdict, Wrong};
use super::leaves::{Leaves, Run};
use crate::cpu::CpuIndex;
use crate::sim::{Cpu, Setup, Sim};

const BASE: VirtAddr = VirtAddr::new(0x0a00_0041_1000);
const READ: HostAttributes = HostAttributes::new(HostAccess::Read, Memory::Normal);

/// What a window over so many slots does, and its table.
fn with(slots: usize, verdict: Verdict, test: impl FnOnce(&Sim<El2>, &Table, &Leaves<'_, Cpu<'_, El2>>)) {
    let sim = Sim::new(Setup { verdict, ..Setup::SMALL });
    let frame = sim.private_leaves(CpuIndex::BOOT, BASE);
    let run = Run { table: sim.table(frame), frame, level: Level::L3, base: BASE, slots };
    test(&sim, run.table, &Leaves::new(sim.cpu(0), run, "window"));
}

#[test]
fn a_slot_is_its_own_entry_and_address() {
    with(4, Verdict::Stop, |_, table, leaves| {
        let at = leaves.set(3, Frame::new(0x1234), READ);
        assert_eq!(at, VirtAddr::new(BASE.get() + 0x3000));
        assert_eq!(table.load(at.index(Level::L3)), El2::leaf(Level::L3, Frame::new(0x1234), READ));
        assert!((0..3).all(|slot| leaves.is_empty(slot)));
    });
}

#[test]
fn a_cleared_slot_is_empty_again() {
    with(2, Verdict::Stop, |_, table, leaves| {
        for frame in 1..4 {
            leaves.set(1, Frame::new(frame), READ);
            assert!(!leaves.is_empty(1));
            leaves.clear(1);
            assert!(leaves.is_empty(1));
        }
        assert!(Index::all().all(|index| table.load(index) == Entry::INVALID));
    });
}

#[test]
fn a_slot_in_use_is_never_taken_over() {
    with(1, Verdict::Stop, |_, _, leaves| {
        leaves.set(0, Frame::new(1), READ);
        let again = catch_unwind(AssertUnwindSafe(|| leaves.set(0, Frame::new(2), READ)));
        assert!(again.is_err(), "valid to valid needs an invalidation between");
    });
}

#[test]
fn whoever_watches_sees_each_write_of_a_window() {
    with(2, Verdict::Record, |sim, _, leaves| {
        for round in 1..4 {
            leaves.set(0, Frame::new(round), READ);
            leaves.clear(0);
            let counts = sim.watch.counts();
            assert_eq!((counts.entry_writes, counts.publishes, counts.local_page_flushes), (2 * round, round, round));
        }
        assert_eq!(sim.watch.checker().violations(), 0);
    });
}

#[test]
fn control_a_write_past_the_window_is_found_at_the_next_one() {
    with(1, Verdict::Record, |sim, table, leaves| {
        let at = leaves.set(0, Frame::new(1), READ);
        table.store(at.index(Level::L3), El2::leaf(Level::L3, Frame::new(2), READ));
        leaves.clear(0);
        let found = sim.watch.checker().first().expect("it was not told of the second write");
        assert_eq!((found.wrong, found.by.who), (Wrong::BehindTheWriter, "window"));
    });
}
