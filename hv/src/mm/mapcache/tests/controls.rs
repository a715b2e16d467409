//! Negative controls: caches that are wrong, which the checker and the simulated machine must expose. The one that was
//! in use is in `old_arm.rs`.

use std::collections::BTreeSet;

use paging::{El2, Entry, Frame, HostAccess, HostAttributes, Level, Memory, VirtAddr};

use super::{BASE, canary};
use crate::machine::Machine;
use crate::mm::checker::{Verdict, Wrong};
use crate::mm::entry::{Cells, Input, Place, SeenBy, Writer};
use crate::sim::{Cpu, HostFormat, Setup, Sim};

const SEEDS: u64 = 40;

/// Leaves at some level in a table of one CPU's own, written without the cache's care.
pub(super) struct Window<'s, F: HostFormat> {
    pub(super) cpu: Cpu<'s, F>,
    pub(super) table: Frame,
    pub(super) level: Level,
    pub(super) base: VirtAddr,
}

impl<F: HostFormat> Window<'_, F> {
    pub(super) fn at(&self, slot: u64) -> VirtAddr {
        VirtAddr::new(self.base.get() + slot * self.level.entry_bytes())
    }

    pub(super) fn write(&self, slot: u64, entry: Entry) {
        let (at, level) = (self.at(slot), self.level);
        let seen = SeenBy::Cpu(self.cpu.cpu());
        let place = Place { table: self.table, index: at.index(level), level, input: Input::Host(at), seen };
        Writer::new(&self.cpu, "control").write::<F>(Cells::Table(self.cpu.sim().table(self.table)), place, entry);
    }

    pub(super) fn leaf(&self, frame: Frame) -> Entry {
        F::leaf(self.level, frame, HostAttributes::new(HostAccess::ReadWrite, Memory::Normal))
    }
}

/// A cache that zaps a page at once but reuses its slot without the invalidation.
fn hasty(sim: &Sim<El2>) -> u64 {
    let cpu = sim.cpu(0);
    let window = Window { table: sim.private_leaves(cpu.cpu(), BASE), cpu, level: Level::L3, base: BASE };
    let frame = super::frame;
    for number in [1, 2] {
        window.write(0, window.leaf(frame(number)));
        window.cpu.publish();
        if number == 1 {
            window.cpu.load(BASE);
            window.write(0, Entry::INVALID);
        }
    }
    // A conflict is a finding too, told apart from both pages.
    window.cpu.try_load(BASE).unwrap_or(0)
}

#[test]
fn reuse_without_invalidation_reads_the_wrong_frame_and_is_reported() {
    let mut read = BTreeSet::new();
    for seed in 0..SEEDS {
        let sim = Sim::<El2>::new(Setup { seed, verdict: Verdict::Record, ..Setup::SMALL });
        read.insert(hasty(&sim));
        let violation = sim.watch.checker().first().expect("every seed is reported, whatever was read");
        assert_eq!(violation.wrong, Wrong::ReusedBeforeFlush);
    }
    assert!(read.contains(&canary(super::frame(1))), "the stale page is read on some seed");
    assert!(read.contains(&canary(super::frame(2))), "the right one on others");
}
