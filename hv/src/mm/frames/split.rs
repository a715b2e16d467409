//! The inside of a split block: a buddy allocator of 511 frames that lives in the 512th.
//!
//! The frame that holds the records needs no record, so the heads of the free lists are in its place. Lists are for
//! orders 0 to 6; of larger chunks there are at most three, found by looking. Never touches anything but its page.

use paging::VirtAddr;

use super::{FrameRecord, FrameState, Order};
use crate::machine::Machine;
use crate::mm::here::words;

/// Frames of a block.
pub(crate) const FRAMES: u64 = Order::BLOCK.frames();
/// Orders from here on have no list.
const UNLISTED: u8 = 7;
/// Bits of a list's head.
const HEAD_BITS: u32 = FRAMES.ilog2();

/// A split block's records.
pub struct Split<'m, M> {
    machine: &'m M,
    page: VirtAddr,
    /// Frame of the block that holds the records; as an index it stands for none, since it is never free.
    home: u64,
}

impl<'m, M: Machine> Split<'m, M> {
    pub(crate) fn new(machine: &'m M, page: VirtAddr, home: u64) -> Self {
        Self { machine, page, home }
    }

    /// Makes all lists of a page of zeroes empty.
    pub(crate) fn init(&self) {
        let none = (0..UNLISTED).fold(0, |heads, order| heads | self.home << Self::shift(order));
        self.machine.store(words(self.page, self.home), none);
    }

    pub(crate) fn record(&self, index: u64) -> FrameRecord {
        debug_assert!(index != self.home, "that word is the heads of the lists");
        FrameRecord::from_bits(self.machine.load(words(self.page, index)))
    }

    pub(crate) fn set_record(&self, index: u64, record: FrameRecord) {
        debug_assert!(index != self.home, "that word is the heads of the lists");
        self.machine.store(words(self.page, index), record.bits());
    }

    /// Takes a free chunk of `order` out; `offered` has one bit for each order that has a free chunk, and changes. The
    /// caller writes the record.
    pub(crate) fn take(&self, order: Order, offered: &mut u64) -> Option<u64> {
        let above = *offered >> order.get();
        if above == 0 {
            return None;
        }
        let mut found = Order::new(order.get() + above.trailing_zeros() as u8);
        let index = self.first(found);
        self.remove(found, index, offered);
        while found > order {
            found = found.down();
            self.insert(found, index + found.frames(), offered);
        }
        Some(index)
    }

    /// Puts a chunk back, and together with its buddies as long as they are free.
    pub(crate) fn give(&self, order: Order, index: u64, offered: &mut u64) {
        self.set_record(index, FrameRecord::PLAIN);
        let (mut order, mut index) = (order, index);
        while order.up() < Order::BLOCK {
            let buddy = index ^ order.frames();
            if buddy == self.home || !self.is_free(order, buddy) {
                break;
            }
            self.remove(order, buddy, offered);
            index &= !order.frames();
            order = order.up();
        }
        self.insert(order, index, offered);
    }

    /// The chunk that `index` lies in, if it has a record.
    pub(crate) fn covering(&self, index: u64) -> Option<(u64, FrameRecord)> {
        for order in 0..Order::BLOCK.get() {
            let head = index & !(Order::new(order).frames() - 1);
            if head == self.home {
                return None;
            }
            let record = self.record(head);
            if record.state() != FrameState::Plain {
                return (record.order().get() >= order).then_some((head, record));
            }
        }
        None
    }

    fn is_free(&self, order: Order, index: u64) -> bool {
        let record = self.record(index);
        record.state() == FrameState::Free && record.order() == order
    }

    fn insert(&self, order: Order, index: u64, offered: &mut u64) {
        let next = if order.get() < UNLISTED { self.head(order.get()) } else { self.home };
        self.set_record(index, FrameRecord::free(order, next, self.home));
        if next != self.home {
            self.set_record(next, self.record(next).with_previous(index));
        }
        if order.get() < UNLISTED {
            self.set_head(order.get(), index);
        }
        *offered |= 1 << order.get();
    }

    fn remove(&self, order: Order, index: u64, offered: &mut u64) {
        let record = self.record(index);
        self.set_record(index, FrameRecord::PLAIN);
        let (next, previous) = (record.next(), record.previous());
        if next != self.home {
            self.set_record(next, self.record(next).with_previous(previous));
        }
        if previous != self.home {
            self.set_record(previous, self.record(previous).with_next(next));
        } else if order.get() < UNLISTED {
            self.set_head(order.get(), next);
        }
        if self.first(order) == self.home {
            *offered &= !(1 << order.get());
        }
    }

    /// A free chunk of this order; `home` when there is none.
    fn first(&self, order: Order) -> u64 {
        if order.get() < UNLISTED {
            return self.head(order.get());
        }
        let places = (0..FRAMES / order.frames()).map(|place| place * order.frames());
        places.into_iter().find(|&at| at != self.home && self.is_free(order, at)).unwrap_or(self.home)
    }

    const fn shift(order: u8) -> u32 {
        order as u32 * HEAD_BITS
    }

    fn head(&self, order: u8) -> u64 {
        self.machine.load(words(self.page, self.home)) >> Self::shift(order) & (FRAMES - 1)
    }

    fn set_head(&self, order: u8, index: u64) {
        let heads = self.machine.load(words(self.page, self.home));
        let others = heads & !((FRAMES - 1) << Self::shift(order));
        self.machine.store(words(self.page, self.home), others | index << Self::shift(order));
    }
}
