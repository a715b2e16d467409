//! Frames that somebody may still be able to reach: never to be used again.
//!
//! They are listed for the report that names them; nothing takes one out.

use paging::Frame;

use super::{DomainHeap, FreeError};
use crate::machine::Machine;
use crate::mm::frames::{Order, Owner};
use crate::mm::here::{Here, Reach};

impl DomainHeap {
    /// Keeps a chunk from ever being used again.
    ///
    /// # Errors
    /// When it is not `owner`'s chunk of this size.
    pub fn quarantine(
        &mut self,
        here: &Here<'_, impl Machine, impl Reach>,
        first: Frame,
        order: Order,
        owner: Owner,
    ) -> Result<(), FreeError> {
        let block = self.check(here, first, order, owner)?;
        let record = self.frames.block(here, block);
        if order.is_blocks() {
            self.frames.set_block(here, block, record.quarantined());
        } else {
            let split = self.frames.split(here, block, record);
            let index = first.number() % Order::BLOCK.frames();
            split.set_record(index, split.record(index).quarantined());
        }
        self.counts.quarantined += order.frames();
        self.quarantine = Some(first);
        Ok(())
    }

    /// The chunk that was put there last.
    pub fn last_quarantined(&self) -> Option<Frame> {
        self.quarantine
    }
}
