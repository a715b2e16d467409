//! One CPU of the simulated machine: translates, runs the operations of [`Machine`], looks ahead at will.
//!
//! A fault is a value for whoever asks by `try_`, and a panic for code that must not fault.

use core::fmt;
use core::ops::Range;
use std::boxed::Box;
use std::cell::RefCell;
use std::rc::Rc;
use std::vec::Vec;

use paging::{Frame, Index, Level, PhysAddr, VirtAddr};

use super::memory::{LINE_BYTES, LINE_WORDS, word};
use super::walker::Access;
use super::{HostFormat, Sim, SimWatch, lock};
use crate::cpu::CpuIndex;
use crate::machine::Machine;

/// Why an access did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No entry, or one that the format does not have, at this level.
    Translation(Level),
    /// The translation does not allow it.
    Permission,
    /// The CPU holds two translations of the address that differ.
    Conflict,
    /// There is no RAM.
    Bus,
    /// No root, an address the root does not reach, or a misaligned one.
    Address,
}

/// Runs when interrupts are no longer masked.
type Handler<'s> = Rc<RefCell<Option<Box<dyn Fn() + 's>>>>;

/// A CPU. Clones are the same CPU.
pub struct Cpu<'s, F: HostFormat> {
    sim: &'s Sim<F>,
    index: CpuIndex,
    handler: Handler<'s>,
}

impl<F: HostFormat> Clone for Cpu<'_, F> {
    fn clone(&self) -> Self {
        Self { sim: self.sim, index: self.index, handler: Rc::clone(&self.handler) }
    }
}

impl<'s, F: HostFormat> Cpu<'s, F> {
    pub(super) fn new(sim: &'s Sim<F>, index: CpuIndex) -> Self {
        Self { sim, index, handler: Rc::default() }
    }

    /// The machine it is part of.
    pub fn sim(&self) -> &'s Sim<F> {
        self.sim
    }

    /// From now on an interrupt is taken whenever this CPU unmasks them; `handler` runs, masked. It holds for this
    /// value and its later clones.
    pub fn on_interrupt(&self, handler: impl Fn() + 's) {
        *self.handler.borrow_mut() = Some(Box::new(handler));
    }

    /// Reads a word as an instruction would.
    pub fn try_load(&self, at: VirtAddr) -> Result<u64, Fault> {
        let at = self.sim.translate(self.index, at, Access::Load)?;
        self.sim.memory.load(Frame::containing(at), word(at)).ok_or(Fault::Bus)
    }

    /// Writes a word as an instruction would.
    pub fn try_store(&self, at: VirtAddr, value: u64) -> Result<(), Fault> {
        let at = self.sim.translate(self.index, at, Access::Store)?;
        self.sim.memory.store(Frame::containing(at), word(at), value).ok_or(Fault::Bus)
    }

    /// Everywhere an access to `at` might lead on this CPU, now: tables, and whatever it remembers of them.
    pub fn translations(&self, at: VirtAddr) -> Vec<PhysAddr> {
        self.sim.all_translations(self.index, at)
    }

    fn unfaulted<T>(&self, at: VirtAddr, result: Result<T, Fault>) -> T {
        result.unwrap_or_else(|fault| panic!("CPU {} faults at {at}: {fault}", self.index))
    }

    fn interrupt(&self) {
        // Taken out while it runs: it is not interrupted itself.
        let Some(handler) = self.handler.borrow_mut().take() else { return };
        self.mask();
        handler();
        self.unmask();
        self.handler.borrow_mut().get_or_insert(handler);
    }

    fn mask(&self) {
        let mut processor = lock(&self.sim.processors[self.index.get()]);
        processor.masked += 1;
        if processor.masked == 1 {
            self.sim.watch.count(|counts| counts.maskings += 1);
        }
    }

    /// Whether nothing masks interrupts any more.
    fn unmask(&self) -> bool {
        let mut processor = lock(&self.sim.processors[self.index.get()]);
        processor.masked -= 1;
        processor.masked == 0
    }
}

impl<F: HostFormat> Machine for Cpu<'_, F> {
    type Format = F;
    type Watch = SimWatch;

    fn watch(&self) -> &SimWatch {
        &self.sim.watch
    }

    fn cpu(&self) -> CpuIndex {
        self.index
    }

    fn publish(&self) {
        self.sim.look_ahead();
        self.sim.watch.count(|counts| counts.publishes += 1);
        self.sim.watch.publish(self.index);
    }

    fn flush_page_local(&self, at: VirtAddr) {
        self.sim.flush_begins(self.index);
        self.sim.watch.count(|counts| counts.local_page_flushes += 1);
        lock(&self.sim.processors[self.index.get()]).tlb.forget_page(at);
    }

    fn flush_local(&self) {
        self.sim.flush_begins(self.index);
        self.sim.watch.count(|counts| counts.local_flushes += 1);
        lock(&self.sim.processors[self.index.get()]).tlb.forget_all();
    }

    fn flush_page_all(&self, at: VirtAddr) {
        self.sim.flush_begins(self.index);
        self.sim.watch.count(|counts| counts.page_flushes += 1);
        self.sim.processors.iter().for_each(|processor| lock(processor).tlb.forget_page(at));
    }

    fn flush_all(&self) {
        self.sim.flush_begins(self.index);
        self.sim.watch.count(|counts| counts.flushes += 1);
        self.sim.processors.iter().for_each(|processor| lock(processor).tlb.forget_all());
    }

    fn without_interrupts<R>(&self, body: impl FnOnce() -> R) -> R {
        self.mask();
        let result = body();
        if self.unmask() {
            self.interrupt();
        }
        result
    }

    fn rendezvous<R>(&self, body: impl FnOnce() -> R) -> R {
        self.without_interrupts(|| {
            self.sim.look_ahead();
            self.sim.watch.count(|counts| counts.rendezvous += 1);
            self.sim.stop_others(self.index);
            let result = body();
            self.sim.release_others();
            result
        })
    }

    fn load(&self, at: VirtAddr) -> u64 {
        self.sim.look_ahead();
        self.unfaulted(at, self.try_load(at))
    }

    fn store(&self, at: VirtAddr, value: u64) {
        self.sim.look_ahead();
        self.unfaulted(at, self.try_store(at, value));
    }

    fn exchange(&self, at: VirtAddr, old: u64, new: u64) -> bool {
        self.sim.look_ahead();
        let place = self.unfaulted(at, self.sim.translate(self.index, at, Access::Store));
        let done = self.sim.memory.exchange(Frame::containing(place), word(place), old, new);
        self.unfaulted(at, done.ok_or(Fault::Bus))
    }

    fn copy_out(&self, from: VirtAddr, into: &mut [u8]) {
        for (word, inside, range) in words(from, into.len()) {
            into[range].copy_from_slice(&self.load(word).to_le_bytes()[inside]);
        }
    }

    fn copy_in(&self, to: VirtAddr, from: &[u8]) {
        for (word, inside, range) in words(to, from.len()) {
            let mut bytes = self.load(word).to_le_bytes();
            bytes[inside].copy_from_slice(&from[range]);
            self.store(word, u64::from_le_bytes(bytes));
        }
    }

    fn copy(&self, from: VirtAddr, to: VirtAddr, bytes: u64) {
        let mut copied = std::vec![0; bytes as usize];
        self.copy_out(from, &mut copied);
        self.copy_in(to, &copied);
    }

    fn zero(&self, at: VirtAddr, bytes: u64) {
        for offset in (0..bytes).step_by(LINE_BYTES as usize) {
            self.sim.look_ahead();
            let at = VirtAddr::new(at.get() + offset);
            let line = self.unfaulted(at, self.sim.translate(self.index, at, Access::Store));
            let (frame, first) = (Frame::containing(line), word(line).get());
            for word in (first..first + LINE_WORDS).map(Index::new) {
                self.unfaulted(at, self.sim.memory.store(frame, word, 0).ok_or(Fault::Bus));
            }
        }
    }

    fn clean(&self, at: VirtAddr, bytes: u64) {
        for offset in (0..bytes).step_by(LINE_BYTES as usize) {
            let at = VirtAddr::new(at.get() + offset);
            let physical = self.unfaulted(at, self.sim.translate(self.index, at, Access::Load));
            self.sim.watch.count(|counts| counts.cleans += 1);
            let cleaned = self.sim.memory.clean(Frame::containing(physical), word(physical));
            self.unfaulted(at, cleaned.ok_or(Fault::Bus));
        }
    }
}

/// The words that hold `bytes` bytes from `at`: where each is, which part of it is meant, which part of the copy.
fn words(at: VirtAddr, bytes: usize) -> impl Iterator<Item = (VirtAddr, Range<usize>, Range<usize>)> {
    const WORD: usize = size_of::<u64>();
    let skew = (at.get() % WORD as u64) as usize;
    let first = at.get() - skew as u64;
    (0..(skew + bytes).div_ceil(WORD)).map(move |number| {
        let start = number * WORD;
        let (from, to) = (skew.max(start), (skew + bytes).min(start + WORD));
        (VirtAddr::new(first + start as u64), from - start..to - start, from - skew..to - skew)
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Translation(level) => write!(out, "no translation at {level:?}"),
            Self::Permission => out.write_str("not allowed"),
            Self::Conflict => out.write_str("two translations at once"),
            Self::Bus => out.write_str("no memory there"),
            Self::Address => out.write_str("not an address of this root"),
        }
    }
}
