//! A source of tables that has none.
//!
//! For errors that have nothing to do with how many there are.

use paging::Frame;

use crate::machine::Machine;
use crate::mm::here::{Here, Reach};
use crate::mm::space::{Occupancy, Tables};

/// Nothing to make tables of.
pub(crate) struct NoTables;

impl Tables for NoTables {
    fn allocate(&mut self, _: &mut Here<'_, impl Machine, impl Reach>) -> Option<Frame> {
        None
    }

    fn free(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame) {}

    fn gained(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame, _: u64) {}

    fn lost(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame, _: u64) -> Occupancy {
        Occupancy::Kept
    }

    fn may_merge(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame, _: u64) -> bool {
        false
    }

    fn merged(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: Frame) {}

    fn allocate_for_split(&mut self, _: &mut Here<'_, impl Machine, impl Reach>, _: u64) -> Option<Frame> {
        None
    }
}
