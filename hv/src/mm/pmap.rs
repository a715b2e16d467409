//! Early window onto frames that have no mapping yet, page tables above all.
//!
//! Valid from [`init`] until [`Pmap::retire`], on the boot CPU only, never from an interrupt: a value that cannot be
//! shared or sent is the only way in. Never allocates; more pages at once than slots is a broken invariant.

// UNSAFETY: a slot's address becomes a reference to the page mapped there.
#![expect(unsafe_code, reason = "reads and writes page tables through a window")]

use core::cell::Cell;
use core::marker::PhantomData;

use paging::{
    Entry, Frame, FrameRange, HostAccess, HostAttributes, Index, Memory, PAGE_BYTES, Table, TableAccess, TableSource,
    VirtAddr,
};

use super::fixmap::Fixmap;
use super::here::words;
use super::leaves::Leaves;
use super::this_cpu::ThisCpu;
use crate::board;
use crate::machine::Machine;

/// Slots that a bit mask can follow.
const SLOTS_MAX: usize = u32::BITS as usize;

/// The window.
pub struct Pmap<'t, M = ThisCpu> {
    leaves: Leaves<'t, M>,
    /// One bit a slot in use.
    used: Cell<u32>,
    high_water: Cell<u32>,
    maps: Cell<u32>,
    /// Neither `Send` nor `Sync`: entries are forgotten on this CPU only.
    _here: PhantomData<*mut ()>,
}

/// What boot used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Most pages mapped at once.
    pub high_water: u32,
    /// Pages mapped in all.
    pub maps: u32,
}

/// Every slot holds a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Makes the window usable.
pub fn init(_fixmap: &Fixmap) -> Pmap<'static> {
    const { assert!(board::PMAP.slots as usize <= SLOTS_MAX, "layout.pmap.slots") };
    Pmap::over(Leaves::of(&board::PMAP, "pmap"))
}

impl<'t, M: Machine> Pmap<'t, M> {
    /// A window over empty leaves.
    pub(crate) const fn over(leaves: Leaves<'t, M>) -> Self {
        Self { leaves, used: Cell::new(0), high_water: Cell::new(0), maps: Cell::new(0), _here: PhantomData }
    }

    /// Maps one frame as a table until the guard is dropped.
    pub fn map(&self, frame: Frame) -> Mapped<'_, M> {
        self.try_map(frame).expect("a walk holds one slot a level, and the window has more")
    }

    /// The same for who does not know how many pages are mapped.
    ///
    /// # Errors
    /// When every slot holds a page.
    pub fn try_map(&self, frame: Frame) -> Result<Mapped<'_, M>, Full> {
        let slot = self.used.get().trailing_ones() as usize;
        if slot >= self.leaves.slots() {
            return Err(Full);
        }
        self.used.set(self.used.get() | 1 << slot);
        self.high_water.set(self.high_water.get().max(self.used.get().count_ones()));
        self.maps.set(self.maps.get() + 1);
        let attributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);
        let at = self.leaves.set(slot, frame, attributes);
        Ok(Mapped { pmap: self, slot, at })
    }

    /// Most pages mapped at once so far.
    pub fn high_water(&self) -> u32 {
        self.high_water.get()
    }

    /// Maps a frame, makes every entry invalid and leaves it mapped.
    pub fn map_zeroed(&self, frame: Frame) -> Mapped<'_, M> {
        let mapped = self.map(frame);
        self.leaves.machine().zero(mapped.at, PAGE_BYTES);
        mapped
    }

    /// The end of the stage: other CPUs may start, and nobody can map here any more.
    ///
    /// ```compile_fail,E0382
    /// fn late(pmap: hv::mm::pmap::Pmap, frame: paging::Frame) {
    ///     pmap.retire();
    ///     drop(pmap.map(frame));
    /// }
    /// ```
    ///
    /// Nor while a page is mapped:
    ///
    /// ```compile_fail,E0505
    /// fn early(pmap: hv::mm::pmap::Pmap, frame: paging::Frame) {
    ///     let page = pmap.map(frame);
    ///     pmap.retire();
    ///     drop(page);
    /// }
    /// ```
    ///
    /// The other order compiles:
    ///
    /// ```
    /// fn in_time(pmap: hv::mm::pmap::Pmap, frame: paging::Frame) {
    ///     drop(pmap.map(frame));
    ///     pmap.retire();
    /// }
    /// ```
    pub fn retire(self) -> Retired {
        assert!(
            (0..self.leaves.slots()).all(|slot| self.leaves.is_empty(slot)),
            "every guard has been dropped before its window"
        );
        Retired { high_water: self.high_water.get(), maps: self.maps.get() }
    }
}

/// One frame, mapped.
pub struct Mapped<'p, M: Machine = ThisCpu> {
    pmap: &'p Pmap<'p, M>,
    slot: usize,
    at: VirtAddr,
}

impl Mapped<'_> {
    /// The page as a table.
    pub fn table(&self) -> &Table {
        // SAFETY: `Pmap::map` mapped a whole frame here for reading and writing, and only `drop` unmaps it; entries
        // are atomics and every bit pattern is an entry, so no value found there is invalid.
        unsafe { &*(self.at.get() as *const Table) }
    }
}

impl<M: Machine> Mapped<'_, M> {
    /// Reads an entry.
    pub fn load(&self, index: Index) -> Entry {
        Entry::new(self.pmap.leaves.machine().load(words(self.at, index.get() as u64)))
    }

    /// Writes an entry.
    pub fn store(&self, index: Index, entry: Entry) {
        self.pmap.leaves.machine().store(words(self.at, index.get() as u64), entry.get());
    }
}

impl<M: Machine> Drop for Mapped<'_, M> {
    fn drop(&mut self) {
        self.pmap.leaves.clear(self.slot);
        self.pmap.used.set(self.pmap.used.get() & !(1 << self.slot));
    }
}

impl<M: Machine> TableAccess for &Pmap<'_, M> {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        self.map(table).load(index)
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        self.map(table).store(index, entry);
    }
}

/// Frames that the plan set aside for tables, handed out in order.
pub struct TablePool<'p> {
    pmap: &'p Pmap<'p>,
    free: FrameRange,
}

impl<'p> TablePool<'p> {
    /// A pool of planned frames.
    pub fn new(pmap: &'p Pmap<'p>, free: FrameRange) -> Self {
        Self { pmap, free }
    }

    /// Frames not handed out.
    pub fn left(&self) -> u64 {
        self.free.frames
    }
}

impl TableSource for TablePool<'_> {
    fn allocate(&mut self) -> Option<Frame> {
        let frame = self.free.first;
        self.free = FrameRange::new(frame.add(1), self.free.frames.checked_sub(1)?);
        drop(self.pmap.map_zeroed(frame));
        Some(frame)
    }

    /// Boot only adds: what the plan counted is what is used.
    fn free(&mut self, _frame: Frame) {}
}
