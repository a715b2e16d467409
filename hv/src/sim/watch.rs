//! What the machine is told of entry writes: for the checker, for the counters, and to be hostile about.
//!
//! Changes nothing itself.

use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;

use paging::{Entry, Frame, Index, VirtAddr};

use super::lock;
use crate::cpu::CpuIndex;
use crate::mm::checker::{Checker, Verdict};
use crate::mm::entry::{By, Event, Input, Place, Watch};
use crate::mm::space::SizeChange;

/// Live entries that the checker of a simulated machine follows.
const LIVE: usize = 4096;
/// Addresses at which processors look without being asked.
const SITES: usize = 64;

/// Operations since the machine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries written.
    pub entry_writes: u64,
    /// Orderings of entry writes.
    pub publishes: u64,
    /// Invalidations of one page on one CPU.
    pub local_page_flushes: u64,
    /// Invalidations of everything on one CPU.
    pub local_flushes: u64,
    /// Invalidations of one page on every CPU.
    pub page_flushes: u64,
    /// Invalidations of everything on every CPU.
    pub flushes: u64,
    /// Invalidations of everything of a guest on every CPU.
    pub guest_flushes: u64,
    /// Times that all other CPUs were stopped.
    pub rendezvous: u64,
    /// Sections with interrupts masked, the outermost ones.
    pub maskings: u64,
    /// Lines cleaned.
    pub cleans: u64,
}

/// A write that walkers may not have seen yet.
#[derive(Clone, Copy, Debug)]
struct Unpublished {
    by: CpuIndex,
    table: Frame,
    index: Index,
    old: Entry,
}

/// The machine's watcher.
pub struct SimWatch {
    checker: Box<Checker<LIVE>>,
    counts: Mutex<Counts>,
    unpublished: Mutex<Vec<Unpublished>>,
    sites: Mutex<Vec<VirtAddr>>,
}

impl SimWatch {
    pub(super) fn new(verdict: Verdict, size_change: SizeChange) -> Self {
        Self {
            checker: Box::new(Checker::new(verdict).with_size_change(size_change)),
            counts: Mutex::default(),
            unpublished: Mutex::default(),
            sites: Mutex::default(),
        }
    }

    /// The checker of break-before-make.
    pub fn checker(&self) -> &Checker<LIVE> {
        &self.checker
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        *lock(&self.counts)
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut lock(&self.counts));
    }

    /// What a walker may find in an entry instead of what memory holds.
    pub(super) fn may_still_be(&self, table: Frame, index: Index) -> Vec<Entry> {
        let same = |write: &&Unpublished| write.table == table && write.index == index;
        lock(&self.unpublished).iter().filter(same).map(|write| write.old).collect()
    }

    /// This CPU's writes have become visible.
    pub(super) fn publish(&self, by: CpuIndex) {
        lock(&self.unpublished).retain(|write| write.by != by);
    }

    pub(super) fn site(&self, number: usize) -> Option<VirtAddr> {
        let sites = lock(&self.sites);
        sites.get(number % sites.len().max(1)).copied()
    }

    fn wrote(&self, by: CpuIndex, place: Place, old: Entry) {
        self.count(|counts| counts.entry_writes += 1);
        lock(&self.unpublished).push(Unpublished { by, table: place.table, index: place.index, old });
        if let Input::Host(at) = place.input {
            let mut sites = lock(&self.sites);
            if !sites.contains(&at) {
                let full = sites.len() == SITES;
                full.then(|| sites.remove(0));
                sites.push(at);
            }
        }
    }
}

impl Watch for SimWatch {
    const WATCHES: bool = true;

    fn event(&self, by: By, event: Event) {
        match event {
            Event::Write { place, old, .. } => self.wrote(by.cpu, place, old.entry),
            Event::Flush { .. } | Event::Publish | Event::Free(_) => {}
        }
        self.checker.event(by, event);
    }
}
