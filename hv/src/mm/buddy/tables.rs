//! The domain heap as the place where tables come from and go to.
//!
//! Counts entries in the frame records of the tables. Tables that the plan or the boot allocator made are in reserved
//! memory, have no records, and stay.

use paging::Frame;

use super::nodes::Of;
use super::{DomainHeap, Nesting};
use crate::machine::Machine;
use crate::mm::frames::{Block, BlockState, FrameRecord, FrameState, Node, Order, Split, Zone};
use crate::mm::here::{Here, Reach};
use crate::mm::ration::Ration as _;
use crate::mm::space::{Occupancy, Tables};

/// Tables are not of any node in particular.
const ANY: Of = Of::Any { near: Node(0) };

impl DomainHeap {
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

    fn lend(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, block: Block, record: FrameRecord) -> Frame {
        let table = self.take_from(here, block, Order::FRAME, record);
        self.counts.tables += 1;
        here.reach.clear(table);
        table
    }

    /// Fails when a test wants it to.
    #[cfg(test)]
    fn count_down(&mut self) -> Option<()> {
        if let Some(left) = &mut self.tables_left {
            *left = left.checked_sub(1)?;
        }
        Some(())
    }
}

impl Tables for DomainHeap {
    fn allocate(&mut self, here: &mut Here<'_, impl Machine, impl Reach>) -> Option<Frame> {
        self.ration.take()?;
        #[cfg(test)]
        self.count_down()?;
        if self.nesting == Nesting::Outermost {
            self.hold_back(here, Order::FRAME.frames(), ANY.near()).ok()?;
        }
        let block = self.find_split(here, Zone::Domain, Order::FRAME, ANY)?;
        Some(self.lend(here, block, FrameRecord::table(0)))
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
            split.set_record(index, record.gaining(entries));
        }
    }

    fn lost(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame, entries: u64) -> Occupancy {
        let Some((split, index, record)) = self.table_record(here, table) else { return Occupancy::Kept };
        let record = record.losing(entries);
        split.set_record(index, record);
        if record.live() == 0 { Occupancy::Empty } else { Occupancy::Live }
    }

    fn may_merge(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame, entries: u64) -> bool {
        let found = self.table_record(here, table);
        found.is_some_and(|(_, _, record)| record.live() == entries && record.gained() >= entries)
    }

    fn merged(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame) {
        let (split, index, record) = self.table_record(here, table).expect("only a counted table may merge");
        split.set_record(index, record.losing(record.live()));
        self.merged += 1;
        Tables::free(self, here, table);
    }

    fn allocate_for_split(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, entries: u64) -> Option<Frame> {
        #[cfg(test)]
        self.count_down()?;
        // One of those held back: `merged` counted this block, so there is one more than the others need.
        let block = self.find_split(here, Zone::Domain, Order::FRAME, ANY)?;
        self.merged -= 1;
        Some(self.lend(here, block, FrameRecord::table(entries)))
    }
}
