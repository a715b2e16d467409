//! The map cache that 32-bit Arm has and that the series reused for arm64, which the checker must find.
//!
//! Blocks of 2 MiB in 1,024 slots of a CPU's own, found by probing from the block's number; a count of 4 bits for each;
//! a slot that nobody uses is taken over in place, and one page is invalidated afterwards.

use std::cell::Cell;
use std::string::ToString;
use std::vec::Vec;

use paging::{El2, Entry, Frame, FrameRange, Level, LongMode, VirtAddr};

use super::controls::Window;
use crate::machine::Machine;
use crate::mm::checker::{Verdict, Wrong};
use crate::mm::entry::Writer;
use crate::sim::{HostFormat, Setup, Sim};

/// Frames of a 2 MiB block.
const BLOCK: u64 = Level::L2.entry_frames();
/// Two tables of blocks.
const SLOTS: u64 = 1024;
const SLOTS_OF_TABLE: u64 = 512;
/// The largest count that 4 bits hold.
const COUNT_MAX: u8 = 15;
const AREA: VirtAddr = VirtAddr::new(0x7f80_0000_0000);

/// The block a slot holds, and how many use it. As long as the machine runs, once taken.
type Held = Option<(Frame, u8)>;

struct OldArm<'s, F: HostFormat> {
    tables: [Window<'s, F>; 2],
    slots: Vec<Cell<Held>>,
}

impl<'s, F: HostFormat> OldArm<'s, F> {
    fn new(sim: &'s Sim<F>) -> Self {
        let tables = [0, SLOTS_OF_TABLE].map(|slot| {
            let (cpu, base) = (sim.cpu(0), VirtAddr::new(AREA.get() + slot * Level::L2.entry_bytes()));
            let leaves = sim.private_leaves(cpu.cpu(), base);
            // The table above the leaves is the one whose entries are blocks.
            let table = Frame::new(leaves.number() - 1);
            sim.table(table).store(base.index(Level::L2), Entry::INVALID);
            Window { cpu, table, level: Level::L2, base }
        });
        Self { tables, slots: (0..SLOTS).map(|_| Cell::new(None)).collect() }
    }

    fn probe(&self, base: Frame) -> u64 {
        let start = base.number() / BLOCK % SLOTS;
        let usable = |slot: &u64| match self.slots[*slot as usize].get() {
            Some((held, count)) => held == base && count < COUNT_MAX || count == 0,
            None => true,
        };
        (0..SLOTS).map(|probe| (start + probe) % SLOTS).find(usable).expect("a slot is unused")
    }

    fn map(&self, frame: Frame) -> VirtAddr {
        let cpu = &self.tables[0].cpu;
        let base = Frame::new(frame.number() / BLOCK * BLOCK);
        let slot = cpu.without_interrupts(|| {
            let slot = self.probe(base);
            let held = &self.slots[slot as usize];
            let count = match held.get() {
                Some((block, count)) if block == base => count + 1,
                Some(_) | None => {
                    let table = &self.tables[(slot / SLOTS_OF_TABLE) as usize];
                    table.write(slot % SLOTS_OF_TABLE, table.leaf(base));
                    1
                }
            };
            held.set(Some((base, count)));
            slot
        });
        let at = VirtAddr::new(AREA.get() + slot * Level::L2.entry_bytes() + (frame.number() - base.number()) * 4096);
        Writer::new(cpu, "old arm").flush_page_local(at);
        at
    }

    fn unmap(&self, at: VirtAddr) {
        let slot = (at.get() - AREA.get()) / Level::L2.entry_bytes();
        self.tables[0].cpu.without_interrupts(|| {
            let held = &self.slots[slot as usize];
            held.set(held.get().map(|(base, count)| (base, count - 1)));
        });
    }
}

fn machine<F: HostFormat>() -> Sim<F> {
    // Three whole blocks of RAM; the tables lie in the first one.
    let ram = FrameRange::new(Frame::new(128 * BLOCK), 3 * BLOCK);
    Sim::new(Setup { ram, verdict: Verdict::Record, ..Setup::SMALL })
}

fn block(number: u64) -> Frame {
    Frame::new((129 + number) * BLOCK)
}

fn is_found_with_its_history<F: HostFormat>() {
    let sim = machine::<F>();
    let old = OldArm::new(&sim);
    // The second one has the same slot to begin with.
    for number in [0, SLOTS] {
        assert_eq!(sim.watch.checker().violations(), 0, "nothing is wrong before a slot is taken over");
        old.unmap(old.map(block(number).add(5)));
    }
    let violation = sim.watch.checker().first().expect("take-over replaces a valid block");
    assert_eq!((violation.wrong, violation.place.level), (Wrong::AddressChanged, Level::L2));
    let told = [
        "page tables: valid entry given another address without break-before-make",
        "  entry 129 of the L2 table 0x1000_2000, for 0x7f80_1020_0000",
        "  now: control on CPU 0: 0x1020_0000..0x1040_0000 Normal to 0x9020_0000..0x9040_0000 Normal",
        "  before: control on CPU 0: invalid to 0x1020_0000..0x1040_0000 Normal",
        "  before: old arm on CPU 0: invalidated 0x7f80_1020_5000 on CPU 0",
    ];
    assert_eq!(violation.to_string(), told.join("\n"));
    // The invalidation comes after the write: the checker is not content with it the next time either.
    old.unmap(old.map(block(2 * SLOTS)));
    assert_eq!(sim.watch.checker().violations(), 2);
}

#[test]
fn the_old_algorithm_is_found_with_its_history_in_both_formats() {
    is_found_with_its_history::<El2>();
    is_found_with_its_history::<LongMode>();
}

#[test]
fn the_old_algorithm_is_right_as_long_as_no_slot_is_taken_over() {
    let sim = machine::<El2>();
    let old = OldArm::new(&sim);
    let uses: Vec<_> = (0..40).map(|number| old.map(block(number % 2).add(number))).collect();
    let slots: std::collections::BTreeSet<_> = uses.iter().map(|at| at.get() / Level::L2.entry_bytes()).collect();
    assert_eq!(slots.len(), 4, "a count of 4 bits: each block has a second slot");
    uses.into_iter().for_each(|at| old.unmap(at));
    assert_eq!(sim.watch.checker().violations(), 0);
}

#[test]
fn the_old_algorithm_leaves_pages_and_their_neighbours_in_sight() {
    let sim = machine::<El2>();
    let old = OldArm::new(&sim);
    let at = old.map(block(0).add(5));
    old.unmap(at);
    let neighbour = VirtAddr::new(at.get() + 4096);
    assert_eq!(sim.cpu(0).translations(at), [block(0).add(5).address()], "after the unmap");
    assert_eq!(sim.cpu(0).translations(neighbour), [block(0).add(6).address()], "never asked for");
}
