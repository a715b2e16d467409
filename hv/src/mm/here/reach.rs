//! The two ways to a frame that has no address: PMAP until it retires, the map cache from then on.
//!
//! Both map one frame at a time and leave nothing mapped.

use paging::{Entry, Frame, Index, TableAccess};

use crate::machine::Machine;
use crate::mm::mapcache::View;
use crate::mm::pmap::Pmap;

/// Reaches frames without an address.
pub trait Reach: TableAccess {
    /// Makes every word of `frame`, which nobody else uses, zero.
    fn clear(&mut self, frame: Frame);

    /// Shows an entry and stores what `change` answers.
    fn update(&mut self, table: Frame, index: Index, change: impl FnOnce(Entry) -> Entry) {
        let entry = change(self.read(table, index));
        self.write(table, index, entry);
    }

    /// Shows every entry of a table, in order, and stores what `change` answers.
    fn rewrite(&mut self, table: Frame, mut change: impl FnMut(Index, Entry) -> Option<Entry>) {
        for index in Index::all() {
            if let Some(entry) = change(index, self.read(table, index)) {
                self.write(table, index, entry);
            }
        }
    }
}

impl<M: Machine> Reach for &Pmap<'_, M> {
    fn clear(&mut self, frame: Frame) {
        drop(self.map_zeroed(frame));
    }

    fn update(&mut self, table: Frame, index: Index, change: impl FnOnce(Entry) -> Entry) {
        let mapped = self.map(table);
        mapped.store(index, change(mapped.load(index)));
    }

    fn rewrite(&mut self, table: Frame, mut change: impl FnMut(Index, Entry) -> Option<Entry>) {
        let mapped = self.map(table);
        for index in Index::all() {
            if let Some(entry) = change(index, mapped.load(index)) {
                mapped.store(index, entry);
            }
        }
    }
}

impl<M: Machine, const SLOTS: usize> Reach for View<'_, M, SLOTS> {
    #[track_caller]
    fn clear(&mut self, frame: Frame) {
        self.map(frame).expect("clearing a table holds one slot, and the planner left room for it").zero();
    }

    #[track_caller]
    fn update(&mut self, table: Frame, index: Index, change: impl FnOnce(Entry) -> Entry) {
        let mapped = self.map(table).expect("a table in hand holds one slot, and the planner left room for it");
        mapped.store(index, change(Entry::new(mapped.load(index))).get());
    }

    #[track_caller]
    fn rewrite(&mut self, table: Frame, mut change: impl FnMut(Index, Entry) -> Option<Entry>) {
        let mapped = self.map(table).expect("a table in hand holds one slot, and the planner left room for it");
        for index in Index::all() {
            if let Some(entry) = change(index, Entry::new(mapped.load(index))) {
                mapped.store(index, entry.get());
            }
        }
    }
}
