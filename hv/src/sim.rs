//! A simulated machine: memory with caches, CPUs with roots of their own and translation caches that forget nothing.
//!
//! For host tests of the memory system's real code. As hostile as the architectures allow: a cached translation or link
//! is used until an invalidation covers it, walks happen at any time, a write that was not published may or may not be
//! seen. A seed decides, so every run can be repeated. Never kinder than a real machine: code that passes by luck on
//! one seed fails on another.

pub mod memory;
pub mod tlb;
pub mod cpu;
mod walker;
pub mod guest;
mod beside;
pub mod schedule;
pub mod watch;

#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::vec::Vec;

use paging::{Entry, Format, Frame, FrameRange, HostAttributes, Index, Level, Root, Table, VirtAddr};

use crate::cpu::CpuIndex;
use crate::mm::checker::Verdict;
use crate::mm::space::SizeChange;

use beside::Beside;
pub use cpu::{Cpu, Fault};
pub use memory::Memory;
pub use tlb::Tlb;
pub use watch::{Counts, SimWatch};

/// A format of the hypervisor's own tables.
pub trait HostFormat: Format<Input = VirtAddr, Attributes = HostAttributes> {}

impl<F: Format<Input = VirtAddr, Attributes = HostAttributes>> HostFormat for F {}

/// What a machine is made of.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Its RAM.
    pub ram: FrameRange,
    /// Its CPUs.
    pub cpus: usize,
    /// Decides what the architecture leaves open.
    pub seed: u64,
    /// What a violation of break-before-make leads to.
    pub verdict: Verdict,
    /// What its CPUs allow; they are held to break-before-make unless it is [`SizeChange::InPlace`].
    pub size_change: SizeChange,
}

impl Setup {
    /// Two CPUs and 64 frames.
    pub const SMALL: Self = Self {
        ram: FrameRange::new(Frame::new(0x4_0000), 64),
        cpus: 2,
        seed: 1,
        verdict: Verdict::Stop,
        size_change: SizeChange::UnderRendezvous,
    };
}

/// The machine; its CPUs borrow it.
pub struct Sim<F: HostFormat> {
    /// RAM as cacheable and uncached readers see it.
    pub memory: Memory,
    /// The checker and the counters that all CPUs share.
    pub watch: SimWatch,
    processors: Vec<Mutex<Processor<F>>>,
    guests: guest::Guests,
    beside: Beside<F>,
    size_change: SizeChange,
    dice: Dice,
    next_table: Mutex<Frame>,
}

/// What one CPU holds.
struct Processor<F: Format> {
    root: Option<Root>,
    tlb: Tlb<F>,
    masked: u32,
}

impl<F: HostFormat> Sim<F> {
    /// A machine whose RAM is full of canaries and whose CPUs have no root.
    pub fn new(setup: Setup) -> Self {
        let Setup { ram, cpus, seed, verdict, size_change } = setup;
        let processor = || Mutex::new(Processor { root: None, tlb: Tlb::new(), masked: 0 });
        Self {
            memory: Memory::new(ram),
            watch: SimWatch::new(verdict, size_change),
            processors: (0..cpus).map(|_| processor()).collect(),
            guests: guest::Guests::default(),
            beside: Beside::new(),
            size_change,
            dice: Dice::new(seed),
            next_table: Mutex::new(ram.first),
        }
    }

    /// A CPU as the code that runs on it sees it.
    pub fn cpu(&self, index: usize) -> Cpu<'_, F> {
        assert!(index < self.processors.len(), "the machine has this CPU");
        Cpu::new(self, CpuIndex::new(index).expect("the model board has as many CPUs as any test"))
    }

    /// A table as a planned alias or a part of the image would show it: coherent and never evicted.
    pub fn table(&self, frame: Frame) -> &Table {
        self.memory.table(frame)
    }

    /// Takes the next frame from the low end of RAM, for a table of the test's own; it is empty.
    pub fn take_table(&self) -> Frame {
        let mut next = lock(&self.next_table);
        let frame = *next;
        *next = frame.add(1);
        let table = self.memory.table(frame);
        Index::all().for_each(|index| table.store(index, Entry::INVALID));
        frame
    }

    /// Frames that [`Sim::take_table`] has not handed out.
    pub fn free_ram(&self) -> FrameRange {
        FrameRange::between(*lock(&self.next_table), self.memory.frames().end())
    }

    /// The root that a CPU has loaded.
    pub fn root(&self, cpu: CpuIndex) -> Option<Frame> {
        lock(&self.processors[cpu.get()]).root.map(|root| root.frame)
    }

    /// Loads a root. Forgets nothing, as on a machine without address space identifiers.
    pub fn set_root(&self, cpu: CpuIndex, root: Frame) {
        lock(&self.processors[cpu.get()]).root = Some(Root::new(root, Level::L0));
    }

    /// Gives a CPU a root of its own, with tables down to the one that holds the leaves for `at`; returns that one.
    pub fn private_leaves(&self, cpu: CpuIndex, at: VirtAddr) -> Frame {
        let root = match lock(&self.processors[cpu.get()]).root {
            Some(root) => root.frame,
            None => self.take_table(),
        };
        let mut table = root;
        for level in [Level::L0, Level::L1, Level::L2] {
            let (cells, index) = (self.table(table), at.index(level));
            table = match F::decode(level, cells.load(index)) {
                paging::Decoded::Table(next) => next,
                _ => {
                    let next = self.take_table();
                    cells.store(index, F::table(next));
                    next
                }
            };
        }
        self.set_root(cpu, root);
        table
    }
}

/// The seed, in use. SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
struct Dice(AtomicU64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// One of `sides` numbers.
    fn roll(&self, sides: usize) -> usize {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut value = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((value ^ value >> 31) % sides as u64) as usize
    }
}

/// A test that panicked while it held a lock has failed already.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
