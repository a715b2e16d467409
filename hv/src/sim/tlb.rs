//! What one CPU remembers of tables: translations, and links that led to them.
//!
//! Forgets only what an invalidation covers; never remembers that an entry was invalid.

use std::vec::Vec;

use paging::{Format, Leaf, Level, Root, VirtAddr};

/// A link that a walk went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    /// First address below it.
    first: u64,
    /// Bytes below it.
    bytes: u64,
    /// Where a walk may begin.
    to: Root,
}

/// Cached translations and links.
#[derive(Debug)]
pub struct Tlb<F: Format> {
    leaves: Vec<Leaf<F>>,
    links: Vec<Link>,
}

impl<F: Format<Input = VirtAddr>> Tlb<F> {
    pub(super) fn new() -> Self {
        Self { leaves: Vec::new(), links: Vec::new() }
    }

    /// Every cached translation of `at`.
    pub fn leaves(&self, at: VirtAddr) -> Vec<Leaf<F>> {
        self.leaves.iter().filter(|leaf| covers(leaf.at.get(), leaf.level.entry_bytes(), at)).copied().collect()
    }

    /// Every table from which a walk for `at` may begin instead of the root.
    pub fn starts(&self, at: VirtAddr) -> Vec<Root> {
        self.links.iter().filter(|link| covers(link.first, link.bytes, at)).map(|link| link.to).collect()
    }

    pub(super) fn keep_leaf(&mut self, leaf: Leaf<F>) {
        if !self.leaves.contains(&leaf) {
            self.leaves.push(leaf);
        }
    }

    /// Keeps the link in a table at `level` that the walk for `at` went through.
    pub(super) fn keep_link(&mut self, at: VirtAddr, level: Level, to: Root) {
        let bytes = level.entry_bytes();
        let link = Link { first: at.get() / bytes * bytes, bytes, to };
        if !self.links.contains(&link) {
            self.links.push(link);
        }
    }

    /// By address: translations of it, whatever their size, and links above it.
    pub(super) fn forget_page(&mut self, at: VirtAddr) {
        self.leaves.retain(|leaf| !covers(leaf.at.get(), leaf.level.entry_bytes(), at));
        self.links.retain(|link| !covers(link.first, link.bytes, at));
    }

    pub(super) fn forget_all(&mut self) {
        self.leaves.clear();
        self.links.clear();
    }
}

fn covers(first: u64, bytes: u64, at: VirtAddr) -> bool {
    at.get().checked_sub(first).is_some_and(|offset| offset < bytes)
}
