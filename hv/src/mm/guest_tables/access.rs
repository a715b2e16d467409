//! One domain's tables, as the CPU that runs this reaches them at this moment.
//!
//! By address where they are mapped for it, through the map cache otherwise. Never kept across a domain switch: the
//! window leaves this CPU's sight then.

use paging::{Entry, Frame, Index, TableAccess, VirtAddr};

use super::pool::Chunks;
use crate::machine::Machine;
use crate::mm::here::words;
use crate::mm::mapcache::Held;

/// What shows tables to this CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The map cache, one at a time.
    MapCache,
    /// Each chunk's own address.
    Resident,
    /// The pool window, which begins here.
    Window(VirtAddr),
}

/// The tables.
pub(super) struct Reached<'p, 'h, 'c, M: Machine, const SLOTS: usize> {
    machine: &'h M,
    chunks: &'p Chunks,
    way: Way,
    held: Held<'c, M, SLOTS>,
}

impl<'p, 'h, 'c, M: Machine, const SLOTS: usize> Reached<'p, 'h, 'c, M, SLOTS> {
    pub(super) fn new(machine: &'h M, chunks: &'p Chunks, way: Way, held: Held<'c, M, SLOTS>) -> Self {
        Self { machine, chunks, way, held }
    }

    /// Leaves nothing mapped for the moment.
    pub(super) fn release(&mut self) {
        self.held.release();
    }

    /// Where a table of the pool is mapped.
    fn address(&self, table: Frame) -> Option<VirtAddr> {
        match self.way {
            Way::MapCache => None,
            Way::Resident => self.chunks.resident(table),
            Way::Window(base) => self.chunks.in_window(base, table),
        }
    }
}

impl<M: Machine, const SLOTS: usize> TableAccess for Reached<'_, '_, '_, M, SLOTS> {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        match self.address(table) {
            Some(at) => Entry::new(self.machine.load(words(at, index.get() as u64))),
            None => self.held.read(table, index),
        }
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        match self.address(table) {
            Some(at) => self.machine.store(words(at, index.get() as u64), entry.get()),
            None => self.held.write(table, index, entry),
        }
    }
}
