//! The chunks of a pool, and the way from a frame to its chunk.
//!
//! A hash table with twice as many buckets as there can be chunks, filled anew when a chunk goes. Knows nothing of what
//! a table holds, or of which are used.

#[cfg(test)]
mod tests;

use paging::{Frame, PAGE_BYTES, VirtAddr};

use crate::mm::frames::Order;
use crate::mm::here::bytes;
use crate::mm::vmap::Mapping;

/// Chunks of a pool at most.
pub(crate) const CHUNKS: usize = 32;
/// The largest chunk: a word has a bit for each of its frames.
pub(crate) const ORDER_MAX: Order = Order::new(u64::BITS.ilog2() as u8);
const BUCKETS: usize = 2 * CHUNKS;
/// A bucket that holds no chunk's number.
const EMPTY: u8 = u8::MAX;

/// One chunk.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Its first frame.
    pub(crate) first: Frame,
    /// Where everybody sees it.
    pub(crate) resident: Option<Mapping>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Chunks {
    order: Order,
    chunks: [Option<Chunk>; CHUNKS],
    buckets: [u8; BUCKETS],
}

impl Chunks {
    pub(super) fn new(order: Order) -> Self {
        Self { order, chunks: [const { None }; CHUNKS], buckets: [EMPTY; BUCKETS] }
    }

    /// Size of each.
    pub(super) fn order(&self) -> Order {
        self.order
    }

    pub(super) fn count(&self) -> usize {
        self.chunks.iter().flatten().count()
    }

    /// The lowest number that no chunk has.
    pub(super) fn vacant(&self) -> Option<usize> {
        self.chunks.iter().position(Option::is_none)
    }

    pub(super) fn has(&self, number: usize) -> bool {
        self.chunks[number].is_some()
    }

    pub(super) fn insert(&mut self, number: usize, chunk: Chunk) {
        assert!(!self.has(number), "the number was vacant");
        self.list(number, chunk.first);
        self.chunks[number] = Some(chunk);
    }

    pub(super) fn remove(&mut self, number: usize) -> Chunk {
        let removed = self.chunks[number].take().expect("the caller has looked");
        self.buckets = [EMPTY; BUCKETS];
        for number in 0..CHUNKS {
            if let Some(first) = self.chunks[number].as_ref().map(|chunk| chunk.first) {
                self.list(number, first);
            }
        }
        removed
    }

    fn list(&mut self, number: usize, first: Frame) {
        let mut bucket = self.home(first);
        while self.buckets[bucket] != EMPTY {
            bucket = (bucket + 1) % BUCKETS;
        }
        self.buckets[bucket] = number as u8;
    }

    /// Where the chunk of `frame` is listed, or behind it.
    fn home(&self, frame: Frame) -> usize {
        /// 2^64 divided by the golden ratio: spreads consecutive numbers.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        ((frame.number() >> self.order.get()).wrapping_mul(SPREAD) >> (u64::BITS - BUCKETS.ilog2())) as usize
    }

    /// The chunk that holds a frame, and which of its frames it is.
    pub(super) fn find(&self, frame: Frame) -> Option<(usize, u64)> {
        let mut bucket = self.home(frame);
        loop {
            let number = self.buckets[bucket];
            let chunk = self.chunks.get(usize::from(number))?.as_ref()?;
            // Chunks are aligned to their size.
            let table = frame.number() ^ chunk.first.number();
            if table < self.order.frames() {
                return Some((number.into(), table));
            }
            bucket = (bucket + 1) % BUCKETS;
        }
    }

    /// A frame of a chunk that is there.
    pub(super) fn frame(&self, number: usize, table: u64) -> Frame {
        self.chunks[number].as_ref().expect("only chunks that are there have free tables").first.add(table)
    }

    /// Where a chunk lies in the window that begins at `base`.
    pub(super) fn window_address(&self, base: VirtAddr, number: usize) -> VirtAddr {
        bytes(base, number as u64 * self.order.frames() * PAGE_BYTES)
    }

    /// Where a frame lies in the window.
    pub(crate) fn in_window(&self, base: VirtAddr, frame: Frame) -> Option<VirtAddr> {
        let (number, table) = self.find(frame)?;
        Some(bytes(self.window_address(base, number), table * PAGE_BYTES))
    }

    /// Where everybody sees a frame.
    pub(crate) fn resident(&self, frame: Frame) -> Option<VirtAddr> {
        let (number, table) = self.find(frame)?;
        let mapping = self.chunks[number].as_ref()?.resident.as_ref()?;
        Some(bytes(mapping.at(), table * PAGE_BYTES))
    }
}
