//! How a CPU of the simulated machine translates, and what it does unasked.
//!
//! Never remembers an invalid entry; never fails to use what it remembers when the seed says so.

use std::vec::Vec;

use paging::{Decoded, Entry, Format, Frame, HostAccess, Index, Leaf, Level, PhysAddr, Root, VirtAddr};

use super::{Fault, HostFormat, Processor, Sim, lock};
use crate::cpu::CpuIndex;
use crate::mm::space::SizeChange;

/// What is to be done with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Load,
    Store,
}

impl<F: HostFormat> Sim<F> {
    /// Translates as hardware might: from what is cached, or by a walk that begins at a cached link or at the root.
    pub(super) fn translate(&self, cpu: CpuIndex, at: VirtAddr, access: Access) -> Result<PhysAddr, Fault> {
        let mut processor = lock(&self.processors[cpu.get()]);
        let leaf = self.find(&mut processor, at)?;
        match (access, leaf.attributes.access) {
            (Access::Store, HostAccess::Read | HostAccess::Execute) => Err(Fault::Permission),
            (Access::Load, _) | (Access::Store, HostAccess::ReadWrite) => Ok(physical(leaf, at)),
        }
    }

    fn find(&self, processor: &mut Processor<F>, at: VirtAddr) -> Result<Leaf<F>, Fault> {
        let aligned = at.get().is_multiple_of(size_of::<u64>() as u64);
        let root = processor.root.filter(|_| aligned && canonical::<F>(at)).ok_or(Fault::Address)?;
        let cached = processor.tlb.leaves(at);
        if cached.windows(2).any(|pair| self.conflict(pair[0], pair[1], at)) && self.dice.roll(4) == 0 {
            return Err(Fault::Conflict);
        }
        let mut starts = processor.tlb.starts(at);
        starts.push(root);
        let choice = self.dice.roll(cached.len() + starts.len());
        match cached.get(choice) {
            Some(leaf) => Ok(*leaf),
            None => self.walk(processor, at, starts[choice - cached.len()]),
        }
    }

    /// Whether two translations of `at` must not be cached at once.
    fn conflict(&self, one: Leaf<F>, other: Leaf<F>, at: VirtAddr) -> bool {
        match self.size_change {
            SizeChange::UnderRendezvous => one != other,
            SizeChange::InPlace => physical(one, at) != physical(other, at) || one.attributes != other.attributes,
        }
    }

    /// Walks and remembers; of a write that is not published, reads the old entry or the new.
    fn walk(&self, processor: &mut Processor<F>, at: VirtAddr, start: Root) -> Result<Leaf<F>, Fault> {
        let Root { frame: mut table, mut level } = start;
        loop {
            let entries = self.entries(table, at.index(level)).ok_or(Fault::Bus)?;
            let entry = entries[self.dice.roll(entries.len())];
            match (F::decode(level, entry), level.child()) {
                (Decoded::Table(next), Some(child)) => {
                    processor.tlb.keep_link(at, level, Root::new(next, child));
                    (table, level) = (next, child);
                }
                (Decoded::Leaf { frame, attributes }, _) => {
                    let leaf = Leaf { at: start_of(at, level), level, frame, attributes };
                    processor.tlb.keep_leaf(leaf);
                    return Ok(leaf);
                }
                (Decoded::Invalid | Decoded::Unknown, _) | (Decoded::Table(_), None) => {
                    return Err(Fault::Translation(level));
                }
            }
        }
    }

    /// What a walker may find in an entry; the last is what memory holds.
    pub(super) fn entries(&self, table: Frame, index: Index) -> Option<Vec<Entry>> {
        let mut entries = self.watch.may_still_be(table, index);
        entries.push(Entry::new(self.memory.load(table, index)?));
        Some(entries)
    }

    pub(super) fn all_translations(&self, cpu: CpuIndex, at: VirtAddr) -> Vec<PhysAddr> {
        let processor = lock(&self.processors[cpu.get()]);
        let mut found: Vec<PhysAddr> = processor.tlb.leaves(at).into_iter().map(|leaf| physical(leaf, at)).collect();
        let mut tables = processor.tlb.starts(at);
        tables.extend(processor.root);
        while let Some(Root { frame, level }) = tables.pop() {
            for entry in self.entries(frame, at.index(level)).into_iter().flatten() {
                match (F::decode(level, entry), level.child()) {
                    (Decoded::Table(next), Some(child)) => tables.push(Root::new(next, child)),
                    (Decoded::Leaf { frame, attributes }, _) => {
                        found.push(physical(Leaf::<F> { at: start_of(at, level), level, frame, attributes }, at));
                    }
                    (Decoded::Invalid | Decoded::Unknown, _) | (Decoded::Table(_), None) => {}
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// Other CPUs go on, processors walk for addresses nobody asked for, and caches evict lines.
    pub(super) fn look_ahead(&self) {
        self.run_others();
        if self.dice.roll(2) == 0 {
            let processor = &self.processors[self.dice.roll(self.processors.len())];
            if let Some(at) = self.watch.site(self.dice.roll(usize::MAX)) {
                // What it finds is remembered; that it found nothing is not.
                let _found = self.find(&mut lock(processor), at);
            }
        }
        if self.dice.roll(8) == 0 {
            self.memory.evict(self.dice.roll(usize::MAX));
        }
    }

    /// An invalidation waits for this CPU's earlier writes; others look ahead until it is complete.
    pub(super) fn flush_begins(&self, cpu: CpuIndex) {
        self.look_ahead();
        self.watch.publish(cpu);
    }
}

fn start_of(at: VirtAddr, level: Level) -> VirtAddr {
    VirtAddr::new(at.get() - at.get() % level.entry_bytes())
}

fn physical<F: Format<Input = VirtAddr>>(leaf: Leaf<F>, at: VirtAddr) -> PhysAddr {
    PhysAddr::new(leaf.frame.address().get() + (at.get() - leaf.at.get()))
}

fn canonical<F: HostFormat>(at: VirtAddr) -> bool {
    F::input(at.get() & ((1 << Level::L0.input_bits()) - 1)).get() == at.get()
}
