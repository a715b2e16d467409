//! Which tables of a pool are free: one bit each, a word a chunk.
//!
//! Never touches a table.

use super::chunks::CHUNKS;

/// The free tables.
#[derive(Debug)]
pub(super) struct FreeTables {
    chunks: [u64; CHUNKS],
}

impl FreeTables {
    pub(super) const NONE: Self = Self { chunks: [0; CHUNKS] };

    pub(super) fn count(&self) -> u64 {
        (0..CHUNKS).map(|number| self.in_chunk(number)).sum()
    }

    pub(super) fn in_chunk(&self, number: usize) -> u64 {
        self.chunks[number].count_ones().into()
    }

    /// All tables of a chunk are free now.
    pub(super) fn add_chunk(&mut self, number: usize, tables: u64) {
        self.chunks[number] = u64::MAX >> (u64::from(u64::BITS) - tables);
    }

    /// The chunk is gone, and its tables with it.
    pub(super) fn remove_chunk(&mut self, number: usize) {
        self.chunks[number] = 0;
    }

    /// Takes the first one: its chunk's number, and its own in the chunk.
    pub(super) fn take(&mut self) -> Option<(usize, u64)> {
        let number = self.chunks.iter().position(|tables| *tables != 0)?;
        let table = self.chunks[number].trailing_zeros();
        self.chunks[number] &= self.chunks[number] - 1;
        Some((number, table.into()))
    }

    pub(super) fn give(&mut self, number: usize, table: u64) {
        let bit = 1 << table;
        assert!(self.chunks[number] & bit == 0, "a table is given back once");
        self.chunks[number] |= bit;
    }
}
