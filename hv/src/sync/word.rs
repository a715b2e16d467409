//! A word that CPUs share.
//!
//! Two implementors: the machine's atomic, and that of the model checker which runs every interleaving in tests. What was
//! written before a store is seen by whoever loads what was stored; no order is promised beyond that.

use core::sync::atomic::{AtomicU64, Ordering};

/// 64 bits that every CPU may read and write.
pub trait Word {
    /// Reads; sees what the CPU that stored this had written before.
    fn load(&self) -> u64;

    /// Writes; who loads this sees what was written before.
    fn store(&self, value: u64);

    /// Adds, wrapping, and returns what was there: never the same to two CPUs.
    fn add(&self, value: u64) -> u64;
}

impl Word for AtomicU64 {
    #[inline]
    fn load(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    #[inline]
    fn store(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    #[inline]
    fn add(&self, value: u64) -> u64 {
        self.fetch_add(value, Ordering::AcqRel)
    }
}
