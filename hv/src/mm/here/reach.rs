//! The two ways to a frame that has no address: PMAP until it retires, the map cache from then on.
//!
//! Both map one frame at a time and leave nothing mapped.

use paging::{Frame, TableAccess};

use crate::machine::Machine;
use crate::mm::mapcache::View;
use crate::mm::pmap::Pmap;

/// Reaches frames without an address.
pub trait Reach: TableAccess {
    /// Makes every word of `frame`, which nobody else uses, zero.
    fn clear(&mut self, frame: Frame);
}

impl Reach for &Pmap {
    fn clear(&mut self, frame: Frame) {
        drop(self.map_zeroed(frame));
    }
}

impl<M: Machine, const SLOTS: usize> Reach for View<'_, M, SLOTS> {
    #[track_caller]
    fn clear(&mut self, frame: Frame) {
        self.map(frame).expect("clearing a table holds one slot, and the planner left room for it").zero();
    }
}
