//! Live entries by table and index: a hash table that needs no heap.
//!
//! Forgets nothing by itself: when it is full, it says so.

use paging::{Frame, Index};

use super::Record;

/// Up to `N` live entries; linear probing.
#[derive(Debug)]
pub(super) struct Shadow<const N: usize> {
    records: [Option<Record>; N],
    used: usize,
}

impl<const N: usize> Shadow<N> {
    pub(super) const fn new() -> Self {
        Self { records: [None; N], used: 0 }
    }

    pub(super) fn get(&self, table: Frame, index: Index) -> Option<&Record> {
        self.records[self.find(table, index)?].as_ref()
    }

    /// Adds or replaces; whether there was room.
    pub(super) fn insert(&mut self, record: Record) -> bool {
        let (table, index) = (record.place.table, record.place.index);
        if let Some(at) = self.find(table, index) {
            self.records[at] = Some(record);
            return true;
        }
        // One stays empty, so that every search ends.
        if self.used + 1 >= N {
            return false;
        }
        let mut at = home::<N>(table, index);
        while self.records[at].is_some() {
            at = (at + 1) % N;
        }
        self.records[at] = Some(record);
        self.used += 1;
        true
    }

    pub(super) fn remove(&mut self, table: Frame, index: Index) -> Option<Record> {
        let mut hole = self.find(table, index)?;
        let removed = self.records[hole].take();
        self.used -= 1;
        let mut at = (hole + 1) % N;
        // What stands further from its home than from the hole moves into it.
        while let Some(record) = self.records[at] {
            let from_home = (at + N - home::<N>(record.place.table, record.place.index)) % N;
            if from_home >= (at + N - hole) % N {
                self.records[hole] = self.records[at].take();
                hole = at;
            }
            at = (at + 1) % N;
        }
        removed
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().flatten()
    }

    fn find(&self, table: Frame, index: Index) -> Option<usize> {
        let mut at = home::<N>(table, index);
        while let Some(record) = &self.records[at] {
            if record.place.table == table && record.place.index == index {
                return Some(at);
            }
            at = (at + 1) % N;
        }
        None
    }
}

fn home<const N: usize>(table: Frame, index: Index) -> usize {
    /// 2^64 divided by the golden ratio: spreads consecutive keys.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let key = table.number().wrapping_mul(paging::ENTRIES as u64).wrapping_add(index.get() as u64);
    (key.wrapping_mul(SPREAD) >> u32::BITS) as usize % N
}
