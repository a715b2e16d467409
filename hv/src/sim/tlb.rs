//! What one CPU remembers of tables: translations, and links that led to them.
//!
//! Forgets only what an invalidation covers; never remembers that an entry was invalid.

use std::collections::BTreeMap;
use std::vec::Vec;

use paging::{Format, Leaf, Level, Root, VirtAddr};

/// What spans an address: the level of the entry, and the first address it spans.
type Span = (Level, u64);

/// Cached translations and links.
#[derive(Debug)]
pub struct Tlb<F: Format> {
    leaves: BTreeMap<Span, Vec<Leaf<F>>>,
    /// Where a walk may begin.
    links: BTreeMap<Span, Vec<Root>>,
}

impl<F: Format<Input = VirtAddr>> Tlb<F> {
    pub(super) fn new() -> Self {
        Self { leaves: BTreeMap::new(), links: BTreeMap::new() }
    }

    /// Every cached translation of `at`.
    pub fn leaves(&self, at: VirtAddr) -> Vec<Leaf<F>> {
        spans(at).filter_map(|span| self.leaves.get(&span)).flatten().copied().collect()
    }

    /// Every table from which a walk for `at` may begin instead of the root.
    pub fn starts(&self, at: VirtAddr) -> Vec<Root> {
        spans(at).filter_map(|span| self.links.get(&span)).flatten().copied().collect()
    }

    pub(super) fn keep_leaf(&mut self, leaf: Leaf<F>) {
        let kept = self.leaves.entry((leaf.level, leaf.at.get())).or_default();
        if !kept.contains(&leaf) {
            kept.push(leaf);
        }
    }

    /// Keeps the link in a table at `level` that the walk for `at` went through.
    pub(super) fn keep_link(&mut self, at: VirtAddr, level: Level, to: Root) {
        let kept = self.links.entry(span(at, level)).or_default();
        if !kept.contains(&to) {
            kept.push(to);
        }
    }

    /// By address: translations of it, whatever their size, and links above it.
    pub(super) fn forget_page(&mut self, at: VirtAddr) {
        for span in spans(at) {
            self.leaves.remove(&span);
            self.links.remove(&span);
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.leaves.clear();
        self.links.clear();
    }
}

fn span(at: VirtAddr, level: Level) -> Span {
    (level, at.get() - at.get() % level.entry_bytes())
}

/// Whatever may span an address.
fn spans(at: VirtAddr) -> impl Iterator<Item = Span> {
    Level::ALL.into_iter().map(move |level| span(at, level))
}
