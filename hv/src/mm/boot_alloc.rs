//! The first allocator: ranges of free frames, one handed out at a time and none taken back.
//!
//! Hands out frames, never pointers. [`BootAllocator::drain`] consumes it, so nothing can be allocated once the heap
//! has begun to take over; until then tables come from here ([`BootTables`](super::space::BootTables)), and from the
//! heap afterwards.

#[cfg(test)]
mod tests;

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange};

use crate::board;
use crate::firmware::{KEPT_MAX, PIECES_MAX};
use crate::mm::frames::Order;
use crate::mm::ration::Ration as _;
use crate::purpose::Ration;

/// Free ranges at most: pieces of RAM, and one more for each range with an owner or that firmware keeps, and for frame 0.
pub const RANGES: usize = PIECES_MAX + board::PHYS_REGIONS.len() + KEPT_MAX + 1;

/// Why the free ranges could not be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRanges;

/// The free frames.
#[derive(Clone, Debug)]
pub struct BootAllocator {
    free: ArrayVec<FrameRange, RANGES>,
    handed_out: u64,
    pub(crate) ration: Ration,
}

impl BootAllocator {
    /// The frames of `ram` that no range of `reserved` holds. Frame 0 is never free.
    ///
    /// # Errors
    /// When more ranges are left than the list has room for.
    pub fn new(
        ram: impl IntoIterator<Item = FrameRange>,
        reserved: impl IntoIterator<Item = FrameRange> + Clone,
    ) -> Result<Self, TooManyRanges> {
        let mut free = ArrayVec::new();
        for bank in ram {
            free.try_push(bank).map_err(|_| TooManyRanges)?;
        }
        let frame_0 = FrameRange::new(Frame::new(0), 1);
        for taken in reserved.into_iter().chain([frame_0]) {
            Self::cut(&mut free, taken)?;
        }
        sort(&mut free);
        Ok(Self { free, handed_out: 0, ration: Ration::at_boot() })
    }

    /// Removes `taken` from every range.
    fn cut(free: &mut ArrayVec<FrameRange, RANGES>, taken: FrameRange) -> Result<(), TooManyRanges> {
        for at in (0..free.len()).rev() {
            let range = free[at];
            if !range.intersects(taken) {
                continue;
            }
            let below = FrameRange::between(range.first, taken.first);
            let above = FrameRange::between(taken.end(), range.end());
            free.swap_remove(at);
            for rest in [below, above] {
                if !rest.is_empty() {
                    free.try_push(rest).map_err(|_| TooManyRanges)?;
                }
            }
        }
        Ok(())
    }

    /// A frame that was free. Takes from 2 MiB blocks that are broken already, then from the end of the highest range.
    pub fn allocate(&mut self) -> Option<Frame> {
        self.ration.take()?;
        const BLOCK: u64 = Order::BLOCK.frames();
        let broken_start = |range: &FrameRange| !range.first.number().is_multiple_of(BLOCK);
        let broken_end = |range: &FrameRange| !range.end().number().is_multiple_of(BLOCK);
        if let Some(at) = self.free.iter().position(broken_start) {
            return Some(self.take(at, Edge::Head));
        }
        let at = self.free.iter().position(broken_end).or(self.free.len().checked_sub(1))?;
        Some(self.take(at, Edge::Tail))
    }

    /// A frame out of `within`, a node's own memory. Where a free range is made of whole largest blocks its tail is
    /// taken, otherwise its head: that end is broken already.
    pub fn allocate_within(&mut self, within: FrameRange) -> Option<Frame> {
        self.ration.take()?;
        const LARGEST: u64 = Order::MAX.frames();
        let at = self.free.iter().position(|range| within.contains_range(*range))?;
        let range = self.free[at];
        let whole = [range.first, range.end()].iter().all(|end| end.number().is_multiple_of(LARGEST));
        Some(self.take(at, if whole { Edge::Tail } else { Edge::Head }))
    }

    fn take(&mut self, at: usize, edge: Edge) -> Frame {
        let range = &mut self.free[at];
        range.frames -= 1;
        let frame = match edge {
            Edge::Head => {
                let first = range.first;
                range.first = first.add(1);
                first
            }
            Edge::Tail => range.end(),
        };
        if range.is_empty() {
            self.free.remove(at);
        }
        self.handed_out += 1;
        frame
    }

    /// Frames handed out so far.
    pub fn handed_out(&self) -> u64 {
        self.handed_out
    }

    /// Free ranges, ascending.
    pub fn free(&self) -> &[FrameRange] {
        &self.free
    }

    /// The end of this allocator: what is left, ascending.
    pub fn drain(self) -> ArrayVec<FrameRange, RANGES> {
        self.free
    }
}

/// By insertion: there are few, and banks come in order.
fn sort(ranges: &mut [FrameRange]) {
    for end in 1..ranges.len() {
        let mut at = end;
        while at > 0 && ranges[at - 1] > ranges[at] {
            ranges.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Which end of a range gives a frame.
#[derive(Clone, Copy)]
enum Edge {
    Head,
    Tail,
}
