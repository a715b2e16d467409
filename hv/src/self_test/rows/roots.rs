//! Roots: one for each CPU, the same but for what is private.

use paging::{Entry, Frame, Index, Level, TableAccess};

use crate::board::{BOOT, CPU_FRAMES, PRIVATE};
use crate::cpu::CpuIndex;
use crate::self_test::bench::Bench;
use crate::self_test::live::Tables;
use crate::self_test::row::{Late, Outcome, Row, control, ensure};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("p13: each cpu has loaded a root of its own", own_roots),
    Row::new("p13: roots differ in the private entry and in no other", one_entry_differs),
];

fn own_roots(bench: &mut Bench) -> Outcome {
    for cpu in bench.cpus() {
        let (root, planned) = (bench.root(cpu)?, CPU_FRAMES[cpu.get()].root);
        ensure!(root == planned, "cpu {cpu} has loaded {root}, planned is {planned}");
        ensure!(root != BOOT.turn_on_root, "cpu {cpu} is still on the turn-on root");
        for other in bench.cpus().filter(|other| *other != cpu) {
            let same = bench.root(other)? == root;
            ensure!(!same, "cpu {cpu} and cpu {other} share the root {root}");
        }
    }
    let again = bench.root(CpuIndex::BOOT)? == bench.root(CpuIndex::BOOT)?;
    control!(again, "the boot CPU's root changes between two looks");
    bench.other().map(drop)
}

/// Entries in which two roots differ: the private one, and others.
#[derive(Debug, PartialEq, Eq)]
struct Differences {
    private: u32,
    others: u32,
}

fn differences(one: Frame, other: Frame) -> Differences {
    let private = PRIVATE.stack.index(Level::L0);
    let differs = |index: &Index| Tables.read(one, *index) != Tables.read(other, *index);
    Differences {
        private: u32::from(differs(&private)),
        others: Index::all().filter(|index| *index != private).filter(differs).count() as u32,
    }
}

fn one_entry_differs(bench: &mut Bench) -> Outcome {
    let boot = bench.root(CpuIndex::BOOT)?;
    let used = Index::all().filter(|index| Tables.read(boot, *index) != Entry::INVALID).count();
    ensure!(used >= 2, "the boot CPU's root has {used} entries");
    for cpu in CpuIndex::secondaries() {
        let found = differences(boot, bench.root(cpu)?);
        ensure!(found == Differences { private: 1, others: 0 }, "cpu 0 and cpu {cpu}: {found:?}");
    }
    let same = differences(boot, boot);
    control!(same == Differences { private: 0, others: 0 }, "cpu 0 and itself: {same:?}");
    let turn_on = differences(boot, BOOT.turn_on_root);
    control!(turn_on.others > 0, "the turn-on root's identity entry is not seen: {turn_on:?}");
    bench.other().map(drop)
}
