//! Chunks of whole blocks: one record each, the first block's.
//!
//! Never looks inside a split block.

use super::DomainHeap;
use super::nodes::Of;
use crate::machine::Machine;
use crate::mm::frames::{Block, BlockRecord, BlockState, Node, Order, Owner, Zone};
use crate::mm::here::{Here, Reach};

impl DomainHeap {
    /// Takes a chunk of whole blocks and writes down its owner.
    pub(super) fn take_chunk(
        &mut self,
        here: &Here<'_, impl Machine, impl Reach>,
        zone: Zone,
        order: Order,
        of: Of,
        owner: Owner,
    ) -> Option<Block> {
        let backing = self.pools.backing(zone);
        let (block, node) = self.nodes_of(of).find_map(|lists| {
            let found = lists.smallest(here, backing, order, Order::MAX)?;
            let block = lists.first(here, backing, found);
            self.cut(here, block, found, order);
            Some((block, lists.node))
        })?;
        self.frames.set_block(here, block, BlockRecord::owned(order, zone, node, owner));
        Some(block)
    }

    /// Takes a free chunk out of its list and gives back what lies behind its first `order`.
    fn cut(&self, here: &Here<'_, impl Machine, impl Reach>, block: Block, found: Order, order: Order) {
        let record = self.frames.block(here, block);
        self.unlist(here, block, record);
        let mut found = found;
        while found > order {
            found = found.down();
            let upper = block.buddy(found);
            let free = BlockRecord::free(found, record.zone(), record.node());
            self.frames.set_block(here, upper, free);
            self.list(here, upper, free);
        }
    }

    /// Puts a chunk of whole blocks back, together with its buddies as long as they are free, in the same zone and of
    /// the same node.
    pub(super) fn give_chunk(
        &mut self,
        here: &Here<'_, impl Machine, impl Reach>,
        block: Block,
        order: Order,
        zone: Zone,
        node: Node,
    ) {
        self.frames.set_block(here, block, BlockRecord::PLAIN);
        let (mut block, mut order) = (block, order);
        while order < Order::MAX {
            let buddy = block.buddy(order);
            let record = self.frames.block(here, buddy);
            if record.state() != BlockState::Free || record != BlockRecord::free(order, zone, node) {
                break;
            }
            self.unlist(here, buddy, record);
            self.frames.set_block(here, buddy, BlockRecord::PLAIN);
            order = order.up();
            block = block.aligned(order);
        }
        let free = BlockRecord::free(order, zone, node);
        self.frames.set_block(here, block, free);
        self.list(here, block, free);
    }
}
