//! Negative controls: caches that are wrong, which the checker and the simulated machine must expose.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::vec::Vec;

use paging::{El2, Entry, Frame, FrameRange, HostAccess, HostAttributes, Level, Memory, VirtAddr};

use super::{BASE, canary};
use crate::machine::Machine;
use crate::mm::checker::{Verdict, Wrong};
use crate::mm::entry::{Cells, Input, Place, SeenBy, Writer};
use crate::sim::{Cpu, Setup, Sim};

const SEEDS: u64 = 40;

/// A window of leaves at some level, written without the cache's care.
struct Window<'s> {
    cpu: Cpu<'s, El2>,
    table: Frame,
    level: Level,
    base: VirtAddr,
}

impl<'s> Window<'s> {
    fn at(&self, slot: u64) -> VirtAddr {
        VirtAddr::new(self.base.get() + slot * self.level.entry_bytes())
    }

    fn write(&self, slot: u64, entry: Entry) {
        let (at, level) = (self.at(slot), self.level);
        let seen = SeenBy::Cpu(self.cpu.cpu());
        let place = Place { table: self.table, index: at.index(level), level, input: Input::Host(at), seen };
        Writer::new(&self.cpu, "control").write::<El2>(Cells::Table(self.cpu.sim().table(self.table)), place, entry);
    }

    fn leaf(&self, frame: Frame) -> Entry {
        El2::leaf(self.level, frame, HostAttributes::new(HostAccess::ReadWrite, Memory::Normal))
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

/// Frames of a 2 MiB block.
const BLOCK: u64 = Level::L2.entry_frames();
/// Two blocks' worth of slots, as few as take-over needs.
const BLOCK_SLOTS: u64 = 2;

/// The algorithm that arm32 has and that the series reused for arm64: blocks of 2 MiB found by probing from a hash, a
/// count in each, taken over in place when the count is zero, one page invalidated afterwards.
struct OldArm<'s> {
    window: Window<'s>,
    slots: Vec<Cell<Option<(Frame, u32)>>>,
}

impl<'s> OldArm<'s> {
    const AREA: VirtAddr = VirtAddr::new(0x7f80_4000_0000);

    fn new(sim: &'s Sim<El2>) -> Self {
        let cpu = sim.cpu(0);
        let leaves = sim.private_leaves(cpu.cpu(), Self::AREA);
        // The table above the leaves is the one whose entries are blocks.
        let table = Frame::new(leaves.number() - 1);
        sim.table(table).store(Self::AREA.index(Level::L2), Entry::INVALID);
        let window = Window { cpu, table, level: Level::L2, base: Self::AREA };
        Self { window, slots: (0..BLOCK_SLOTS).map(|_| Cell::new(None)).collect() }
    }

    fn map(&self, frame: Frame) -> VirtAddr {
        let base = Frame::new(frame.number() / BLOCK * BLOCK);
        let start = frame.number() / BLOCK % BLOCK_SLOTS;
        let slot = (0..BLOCK_SLOTS)
            .map(|probe| (start + probe) % BLOCK_SLOTS)
            .find(|&slot| self.slots[slot as usize].get().is_none_or(|(held, count)| held == base || count == 0))
            .expect("a slot is unused");
        let held = self.slots[slot as usize].get();
        let count = match held {
            Some((held, count)) if held == base => count + 1,
            Some(_) | None => {
                self.window.write(slot, self.window.leaf(base));
                1
            }
        };
        self.slots[slot as usize].set(Some((base, count)));
        let at = VirtAddr::new(self.window.at(slot).get() + (frame.number() - base.number()) * 4096);
        Writer::new(&self.window.cpu, "old arm").flush_page_local(at);
        at
    }

    fn unmap(&self, at: VirtAddr) {
        let slot = (at.get() - Self::AREA.get()) / Level::L2.entry_bytes();
        let held = &self.slots[slot as usize];
        held.set(held.get().map(|(base, count)| (base, count - 1)));
    }
}

fn old_arm_machine(seed: u64) -> Sim<El2> {
    // Four whole blocks of RAM; the tables lie at its start.
    let ram = FrameRange::new(Frame::new(128 * BLOCK), 5 * BLOCK);
    Sim::new(Setup { ram, seed, verdict: Verdict::Record, ..Setup::SMALL })
}

fn block(number: u64) -> Frame {
    Frame::new((129 + number) * BLOCK)
}

#[test]
fn the_old_algorithm_is_found_to_break_before_make() {
    let sim = old_arm_machine(1);
    let old = OldArm::new(&sim);
    for number in 0..4 {
        old.unmap(old.map(block(number)));
    }
    let violation = sim.watch.checker().first().expect("take-over replaces a valid block");
    assert_eq!(violation.wrong, Wrong::AddressChanged);
    assert_eq!(violation.place.level, Level::L2);
}

#[test]
fn the_old_algorithm_leaves_pages_and_their_neighbours_in_sight() {
    let sim = old_arm_machine(1);
    let old = OldArm::new(&sim);
    let at = old.map(block(0).add(5));
    old.unmap(at);
    let neighbour = VirtAddr::new(at.get() + 4096);
    assert_eq!(sim.cpu(0).translations(at), [block(0).add(5).address()], "after the unmap");
    assert_eq!(sim.cpu(0).translations(neighbour), [block(0).add(6).address()], "never asked for");
}
