//! Where tables come from, and how full each one is.
//!
//! A table's entries are counted by whoever lends the table, in the metadata of its frame, so that nobody reads 512
//! entries to learn that a table is empty.

use paging::{Frame, FrameRange};

use crate::machine::Machine;
use crate::mm::boot_alloc::BootAllocator;
use crate::mm::here::{Here, Reach};

/// What is left in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupancy {
    /// Entries.
    Live,
    /// Nothing: it may be freed.
    Empty,
    /// Not counted: it is never freed.
    Kept,
}

/// Lends frames as tables and counts their entries.
pub trait Tables {
    /// A frame of zeroes that nobody else uses; `None` when there is none left.
    fn allocate(&mut self, here: &mut Here<'_, impl Machine, impl Reach>) -> Option<Frame>;

    /// Takes back a table that holds nothing, and that no CPU can reach any more.
    fn free(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame);

    /// `entries` of `table` became valid.
    fn gained(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame, entries: u64);

    /// `entries` of `table` became invalid; with none, asks.
    fn lost(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame, entries: u64) -> Occupancy;

    /// Whether `table` has `entries` valid entries, can be taken back, and has gained as many since it was lent or made
    /// by a split: what a merge costs, and the split that undoes it, has been paid for by that many maps.
    fn may_merge(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame, entries: u64) -> bool;

    /// Takes back a table whose entries one block stands for now, and that no CPU can reach any more. Keeps a frame for
    /// the table that the block's split will want.
    fn merged(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, table: Frame);

    /// A frame of zeroes for the table of a block that [`Tables::merged`] has made; `entries` of it will be valid.
    fn allocate_for_split(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, entries: u64) -> Option<Frame>;
}

/// Tables for good: what the boot allocator lends never comes back.
pub struct BootTables<'b> {
    frames: &'b mut BootAllocator,
    lent: u64,
}

impl<'b> BootTables<'b> {
    /// Tables from the boot allocator's frames.
    pub fn new(frames: &'b mut BootAllocator) -> Self {
        Self { frames, lent: 0 }
    }

    /// Tables lent.
    pub fn lent(&self) -> u64 {
        self.lent
    }

    /// A frame for data, from the same place.
    pub fn data(&mut self) -> Option<Frame> {
        self.frames.allocate()
    }

    /// A frame for data in a node's own memory.
    pub fn data_within(&mut self, node: FrameRange) -> Option<Frame> {
        self.frames.allocate_within(node)
    }
}

impl Tables for BootTables<'_> {
    fn allocate(&mut self, here: &mut Here<'_, impl Machine, impl Reach>) -> Option<Frame> {
        let table = self.frames.allocate()?;
        here.reach.clear(table);
        self.lent += 1;
        Some(table)
    }

    /// Never called: [`Occupancy::Kept`] is the answer for every table.
    fn free(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame) {}

    fn gained(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame, _: u64) {}

    fn lost(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame, _: u64) -> Occupancy {
        Occupancy::Kept
    }

    fn may_merge(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame, _: u64) -> bool {
        false
    }

    /// Never called: no table may merge.
    fn merged(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame) {}

    fn allocate_for_split(&mut self, here: &mut Here<'_, impl Machine, impl Reach>, _: u64) -> Option<Frame> {
        self.allocate(here)
    }
}
