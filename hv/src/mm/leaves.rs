//! The entries of one window: how PMAP, the firmware window and their kin set and clear leaves.
//!
//! Goes from invalid to valid and back, never from valid to valid, so break-before-make holds by construction; every
//! write passes [`Writer`], so that whoever watches sees it hold.

use paging::{Entry, Format, Frame, HostAttributes, Index, Level, Table, VirtAddr};

use super::entry::{Cells, Input, Place, Writer};
use super::this_cpu::ThisCpu;
use crate::board::tables;
use crate::board::types::Window;
use crate::image;
use crate::machine::Machine;

/// A table and the first address that it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Run<'t> {
    /// The table.
    pub table: &'t Table,
    /// Its frame.
    pub frame: Frame,
    /// Where in the hierarchy it stands.
    pub level: Level,
    /// First byte of the first slot.
    pub base: VirtAddr,
    /// Entries from that one on.
    pub slots: usize,
}

/// A run of entries in one table that one CPU alone uses, and what this CPU remembers of them.
#[derive(Debug)]
pub struct Leaves<'t, M> {
    machine: M,
    who: &'static str,
    run: Run<'t>,
}

impl Leaves<'static, ThisCpu> {
    /// The leaves of a window whose table is static, for the CPU that boots while no other walks that table.
    pub fn of(window: &Window, who: &'static str) -> Self {
        let run = Run {
            table: image::table(window.table),
            frame: tables::FRAMES[window.table],
            level: Level::L3,
            base: window.base,
            slots: window.slots as usize,
        };
        Self::new(ThisCpu::new(), run, who)
    }
}

impl<'t, M: Machine> Leaves<'t, M> {
    /// The entries of `run`, which no other CPU than the one that `machine` is has walked since they were empty.
    pub const fn new(machine: M, run: Run<'t>, who: &'static str) -> Self {
        Self { machine, who, run }
    }

    /// The CPU that uses them.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// Number of slots.
    pub const fn slots(&self) -> usize {
        self.run.slots
    }

    /// Maps `frame` in an empty slot and returns where.
    pub fn set(&self, slot: usize, frame: Frame, attributes: HostAttributes) -> VirtAddr {
        assert!(self.is_empty(slot), "a slot is emptied before it is used again");
        self.write(slot, M::Format::leaf(self.run.level, frame, attributes));
        self.writer().publish();
        self.address(slot)
    }

    /// Empties a slot; this CPU has forgotten it on return.
    pub fn clear(&self, slot: usize) {
        self.write(slot, Entry::INVALID);
        self.writer().flush_page_local(self.address(slot));
    }

    /// Whether nothing is mapped there.
    pub fn is_empty(&self, slot: usize) -> bool {
        self.run.table.load(self.index(slot)) == Entry::INVALID
    }

    fn write(&self, slot: usize, entry: Entry) {
        let Run { table, frame, level, .. } = self.run;
        let (index, input) = (self.index(slot), Input::Host(self.address(slot)));
        let place = Place { table: frame, index, level, input, seen: self.writer().here() };
        self.writer().write::<M::Format>(Cells::Table(table), place, entry);
    }

    fn writer(&self) -> Writer<'_, M> {
        Writer::new(&self.machine, self.who)
    }

    fn address(&self, slot: usize) -> VirtAddr {
        VirtAddr::new(self.run.base.get() + slot as u64 * self.run.level.entry_bytes())
    }

    fn index(&self, slot: usize) -> Index {
        assert!(slot < self.run.slots, "a slot lies in its window");
        Index::new(self.run.base.index(self.run.level).get() + slot)
    }
}
