//! Which tables of a pool are free: one bit each.
//!
//! Never touches a table.

use super::chunks::CHUNKS;
use crate::mm::frames::Order;

const WORD_BITS: usize = u64::BITS as usize;
/// Words of a chunk, whatever its size.
const CHUNK_WORDS: usize = Order::BLOCK.frames() as usize / WORD_BITS;

/// The free tables.
#[derive(Debug)]
pub(super) struct FreeTables {
    words: [u64; CHUNKS * CHUNK_WORDS],
    count: u64,
}

impl FreeTables {
    pub(super) const NONE: Self = Self { words: [0; CHUNKS * CHUNK_WORDS], count: 0 };

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    fn chunk(&mut self, number: usize) -> &mut [u64] {
        &mut self.words[number * CHUNK_WORDS..][..CHUNK_WORDS]
    }

    pub(super) fn in_chunk(&self, number: usize) -> u64 {
        self.words[number * CHUNK_WORDS..][..CHUNK_WORDS].iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// All tables of a chunk are free now.
    pub(super) fn add_chunk(&mut self, number: usize, tables: u64) {
        (0..tables).for_each(|table| self.give(number, table));
    }

    /// The chunk is gone, and its tables with it.
    pub(super) fn remove_chunk(&mut self, number: usize) {
        self.count -= self.in_chunk(number);
        self.chunk(number).fill(0);
    }

    /// Takes the first one: its chunk's number, and its own in the chunk.
    pub(super) fn take(&mut self) -> Option<(usize, u64)> {
        let place = self.words.iter().position(|word| *word != 0)?;
        let bit = self.words[place].trailing_zeros();
        self.words[place] &= self.words[place] - 1;
        self.count -= 1;
        let table = (place % CHUNK_WORDS * WORD_BITS) as u64 + u64::from(bit);
        Some((place / CHUNK_WORDS, table))
    }

    pub(super) fn give(&mut self, number: usize, table: u64) {
        let (word, bit) = (&mut self.chunk(number)[table as usize / WORD_BITS], 1 << (table % u64::from(u64::BITS)));
        assert!(*word & bit == 0, "a table is given back once");
        *word |= bit;
        self.count += 1;
    }
}
