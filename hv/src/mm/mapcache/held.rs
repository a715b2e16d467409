//! Tables reached through the cache, the last one kept mapped: editing a table maps it once.
//!
//! Never retained and never more than one at a time, so that a table's frame can be given away when this is gone.

use paging::{Entry, Frame, Index, TableAccess};

use super::{Mapped, View};
use crate::machine::Machine;

/// The table that was used last.
pub struct Held<'c, M: Machine, const SLOTS: usize> {
    view: View<'c, M, SLOTS>,
    last: Option<(Frame, Mapped<'c, M, SLOTS>)>,
}

impl<'c, M: Machine, const SLOTS: usize> Held<'c, M, SLOTS> {
    /// None yet.
    pub fn new(view: View<'c, M, SLOTS>) -> Self {
        Self { view, last: None }
    }

    /// Unmaps it.
    pub fn release(&mut self) {
        self.last = None;
    }

    #[track_caller]
    fn page(&mut self, table: Frame) -> &Mapped<'c, M, SLOTS> {
        if self.last.as_ref().is_none_or(|(frame, _)| *frame != table) {
            // Before the next one is mapped: one slot is enough.
            self.release();
        }
        let (_, page) = self.last.get_or_insert_with(|| {
            (table, self.view.map_foreign(table).expect("a walk holds one slot, and the planner left room for it"))
        });
        page
    }
}

impl<M: Machine, const SLOTS: usize> TableAccess for Held<'_, M, SLOTS> {
    #[track_caller]
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        Entry::new(self.page(table).load(index))
    }

    #[track_caller]
    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        self.page(table).store(index, entry.get());
    }
}
