//! Cutting chunks that are in use: both parts are chunks of their own from then on.
//!
//! Moves nothing and changes no owner.

use paging::{Frame, FrameRange};

use super::{DomainHeap, FreeError};
use crate::machine::Machine;
use crate::mm::frames::{BlockRecord, FrameRecord, Order, Owner};
use crate::mm::here::{Here, Reach};

impl DomainHeap {
    /// Cuts a used chunk in two at `keep` frames. Both parts are chunks of their own from now on, the same owner's,
    /// reported in ascending order.
    ///
    /// # Errors
    /// When it is not `owner`'s chunk of this size, or `keep` is longer, or ends within a block of a chunk of blocks.
    pub fn cut_used(
        &mut self,
        here: &Here<'_, impl Machine, impl Reach>,
        chunk: (Frame, Order),
        owner: Owner,
        keep: u64,
        mut each: impl FnMut(Frame, Order),
    ) -> Result<(), FreeError> {
        let (first, order) = chunk;
        let head = self.check(here, first, order, owner)?;
        let ends_within = order.is_blocks() && !keep.is_multiple_of(Order::BLOCK.frames());
        if keep > order.frames() || ends_within {
            return Err(FreeError::NoChunk(first));
        }
        let record = self.frames.block(here, head);
        for (start, part) in parts(first, order, keep) {
            let block = self.frames.block_at(start);
            if order.is_blocks() {
                let slot = record.slot().map(|slot| slot.add(block.number() - head.number()));
                let owned = BlockRecord::owned(part, record.zone(), record.node(), owner).with_slot(slot);
                self.frames.set_block(here, block, owned);
            } else {
                let split = self.frames.split(here, block, record);
                split.set_record(start.number() % Order::BLOCK.frames(), FrameRecord::used(part, owner));
            }
            each(start, part);
        }
        Ok(())
    }

    /// Keeps the first `keep` frames of a chunk and gives the rest back.
    ///
    /// # Errors
    /// Those of [`DomainHeap::cut_used`].
    pub fn trim(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        chunk: (Frame, Order),
        owner: Owner,
        keep: u64,
    ) -> Result<(), FreeError> {
        self.cut_used(here, chunk, owner, keep, |_, _| ())?;
        let kept = FrameRange::new(chunk.0, keep);
        let rest = parts(chunk.0, chunk.1, keep).filter(|(start, _)| !kept.contains(*start));
        rest.into_iter().try_for_each(|(start, part)| self.free(here, start, part, owner))
    }
}

/// Cuts a chunk into chunks of which none lies on both sides of its first `keep` frames.
pub(super) fn parts(first: Frame, order: Order, keep: u64) -> impl Iterator<Item = (Frame, Order)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        let end = if done < keep { keep } else { order.frames() };
        let left = end.checked_sub(done).filter(|left| *left > 0)?;
        let start = first.add(done);
        // Relative to the chunk, which is aligned to its size.
        let part = Order::fitting(done | order.frames(), left);
        done += part.frames();
        Some((start, part))
    })
}
