//! The domain heap as the place where tables come from and go to.
//!
//! Counts entries in the frame records of the tables. Tables that the plan or the boot allocator made are in reserved
//! memory, have no records, and stay.

use paging::Frame;

use super::{DomainHeap, Nesting};
use crate::machine::Machine;
use crate::mm::frames::{BlockState, FrameRecord, FrameState, Node, Order, Split, Zone};
use crate::mm::here::{Here, Reach};
use crate::mm::space::{Occupancy, Tables};

/// Tables are not of any node in particular.
const ANY: Node = Node(0);

impl DomainHeap {
    /// Counts an allocation of any kind; `None` for the one that a test wants refused, and all later ones.
    #[cfg(test)]
    pub(super) fn count_down_all(&mut self) -> Option<()> {
        if let Some(left) = &mut self.allocations_left {
            *left = left.checked_sub(1)?;
        }
        Some(())
    }

    /// The record of a table that this heap lent.
    fn table_record<'m, M: Machine>(
        &self,
        here: &Here<'m, M, impl Reach>,
        table: Frame,
    ) -> Option<(Split<'m, M>, u64, FrameRecord)> {
        let block = self.frames.block_of(table)?;
        let record = self.frames.block(here, block);
        let index = table.number() % Order::BLOCK.frames();
        if record.state() != BlockState::Split || index == record.home() {
            return None;
        }
        let split = self.frames.split(here, block, record);
        let found = split.record(index);
        (found.state() == FrameState::Table).then_some((split, index, found))
    }
}

impl Tables for DomainHeap {
    fn allocate(&mut self, here: &mut Here<'_, impl Machine, impl Reach>) -> Option<Frame> {
        #[cfg(test)]
        {
            self.count_down_all()?;
            if let Some(left) = &mut self.tables_left {
                *left = left.checked_sub(1)?;
            }
        }
        if self.nesting == Nesting::Outermost {
            self.hold_back(here, Order::FRAME.frames(), ANY).ok()?;
        }
        let block = self.find_split(here, Zone::Domain, Order::FRAME, ANY)?;
        let table = self.take_from(here, block, Order::FRAME, FrameRecord::table(0));
        self.counts.tables += 1;
        here.reach.clear(table);
        Some(table)
    }

    fn free(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame) {
        let (_, _, record) = self.table_record(here, table).expect("only lent tables come back");
        assert!(record.live() == 0, "a table that holds something is not freed");
        self.counts.tables -= 1;
        let block = self.frames.block_at(table);
        self.give_to(here, block, table, Order::FRAME);
        self.note_if_whole(here, block);
        self.settle(here);
    }

    fn gained(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame, entries: u64) {
        if let Some((split, index, record)) = self.table_record(here, table) {
            split.set_record(index, FrameRecord::table(record.live() + entries));
        }
    }

    fn lost(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame, entries: u64) -> Occupancy {
        let Some((split, index, record)) = self.table_record(here, table) else { return Occupancy::Kept };
        let live = record.live().checked_sub(entries).expect("every entry was counted when it became valid");
        split.set_record(index, FrameRecord::table(live));
        if live == 0 { Occupancy::Empty } else { Occupancy::Live }
    }
}
