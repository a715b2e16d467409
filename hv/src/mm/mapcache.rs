//! The map cache: how a CPU reaches a frame that has no mapping, for the length of one guard.
//!
//! One per CPU, on leaves that hang in that CPU's root alone: no lock, and every invalidation is local. A slot is
//!
//! - *clean*: its entry is invalid and this CPU has forgotten it;
//! - *live*: mapped, and somebody holds a guard;
//! - *retained*: mapped for the loaded domain, nobody holds a guard;
//! - *dirty*: its entry is invalid, this CPU may remember it.
//!
//! A slot is taken only when it is clean, so entries go from invalid to valid and back with the invalidation in between:
//! break-before-make holds by construction. Never hands out a reference to what it maps, never allocates, never keeps a
//! page for another domain than the one whose slot is loaded.

mod context;
mod held;
mod ledger;
mod mapped;
mod own;
mod slots;

#[cfg(test)]
mod tests;

use core::cell::Cell;
use core::panic::Location;

use paging::{Entry, Format, Frame, HostAccess, HostAttributes, Level, Memory, Table, VirtAddr};

use super::entry::{Cells, Input, Place, Writer};
use crate::machine::Machine;
use ledger::Ledger;
use slots::{NOTHING, Slot, SlotNumber, SlotSet};

pub use context::{Context, Owner, Refused, View};
pub use held::Held;
pub use ledger::{Figures, Leaked, Moment};
pub use mapped::{Mapped, OutsidePage};
pub use own::{Cache, OwnView, Ready, here, init, init_secondary};

/// Entries of the hash from frames to slots; a power of two.
const HINTS: usize = 32;

/// How long a page stays mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Until its last guard is dropped.
    Strict,
    /// Until its slot is needed or another domain is loaded.
    Lazy,
}

/// What happens when every slot is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhaustion {
    /// A panic that names the owners.
    Stop,
    /// The caller is told.
    Return,
}

impl Exhaustion {
    /// What this build does: debug builds stop.
    pub const BUILD: Self = if cfg!(debug_assertions) { Self::Stop } else { Self::Return };
}

/// Every slot is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// Where a CPU's slots are.
#[derive(Clone, Copy, Debug)]
pub struct Area<'t> {
    /// The table that holds the leaves; no other root links to it.
    pub table: &'t Table,
    /// Its frame.
    pub frame: Frame,
    /// First byte of slot 0.
    pub base: VirtAddr,
}

/// One CPU's cache of `SLOTS` pages.
pub struct MapCache<'t, M, const SLOTS: usize> {
    machine: M,
    area: Area<'t>,
    retention: Retention,
    exhaustion: Exhaustion,
    loaded: Cell<Owner>,
    /// Domain switches so far.
    turn: Cell<u64>,
    ledger: Ledger,
    /// Where a frame was put last. Only a hint: the slot knows what it holds.
    hints: [Cell<SlotNumber>; HINTS],
    slots: [Slot; SLOTS],
    clean: SlotSet<SLOTS>,
    dirty: SlotSet<SLOTS>,
}

impl<'t, M: Machine, const SLOTS: usize> MapCache<'t, M, SLOTS> {
    /// The cache of the CPU that `machine` is. All entries of `area` are invalid and forgotten; nobody is loaded.
    pub fn new(machine: M, area: Area<'t>, retention: Retention, exhaustion: Exhaustion) -> Self {
        let first = area.base.index(Level::L3).get();
        assert!(SLOTS > 0 && first + SLOTS <= paging::ENTRIES, "the slots' leaves lie in one table");
        let cache = Self {
            machine,
            area,
            retention,
            exhaustion,
            loaded: Cell::new(Owner::Nobody),
            turn: Cell::new(0),
            ledger: Ledger::new(),
            hints: [const { Cell::new(SlotNumber::FIRST) }; HINTS],
            slots: Slot::all(area.base),
            clean: SlotSet::all(),
            dirty: SlotSet::none(),
        };
        let invalid = |slot: &Slot| area.table.load(slot.at.index(Level::L3)) == Entry::INVALID;
        assert!(cache.slots.iter().all(invalid), "the slots are empty when the cache is made");
        cache
    }

    /// What was counted so far.
    pub fn figures(&self) -> Figures {
        self.ledger.figures()
    }

    /// Whose domain slot is loaded.
    pub fn loaded(&self) -> Owner {
        self.loaded.get()
    }

    /// Guards that are alive, as a value; [`MapCache::assert_empty`] is what hypervisor code calls.
    pub fn check_empty(&self, moment: Moment) -> Result<(), Leaked> {
        self.ledger.check_empty(moment)
    }

    /// No guard may be alive at this moment; a panic names who made those that are.
    pub fn assert_empty(&self, moment: Moment) {
        if let Err(leaked) = self.check_empty(moment) {
            panic!("map cache: {leaked}{}", self.owners());
        }
    }

    /// Empties the cache, has `replace` change the domain slot's entry, and notes whose it is now; interrupts are masked
    /// throughout. Where `replace` fails it leaves the domain slot empty, and nobody is loaded.
    pub fn switch<E>(&self, to: Owner, replace: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        self.machine.without_interrupts(|| {
            self.assert_empty(Moment::DomainSwitch);
            self.zap_retained();
            self.clean_dirty();
            self.loaded.set(Owner::Nobody);
            self.turn.set(self.turn.get() + 1);
            replace()?;
            self.loaded.set(to);
            Ok(())
        })
    }

    /// Finds or makes a mapping of `frame`.
    #[inline(always)]
    #[track_caller]
    fn take(&self, frame: Frame) -> Result<&Slot, Exhausted> {
        let by = Location::caller();
        self.machine.without_interrupts(|| {
            let slot = self.slot(self.hint(frame).get());
            if slot.frame.get() == frame {
                slot.references.set(slot.references.get() + 1);
                self.ledger.mapped();
                return Ok(slot);
            }
            self.take_clean(frame, slot, by)
        })
    }

    /// Takes back one reference. Never inlined: what is left of a guard's end is so little that it is, and gone where
    /// the directmap shows the frame.
    #[inline(never)]
    fn put(&self, slot: &Slot, retention: Retention) {
        self.machine.without_interrupts(|| {
            let references = slot.references.get() - 1;
            slot.references.set(references);
            self.ledger.unmapped();
            if references == 0 && retention == Retention::Strict {
                self.empty(slot);
            }
        });
    }

    /// Maps `frame`, whose hint names the slot `before`, in a clean slot.
    #[cold]
    #[inline(never)]
    fn take_clean(&self, frame: Frame, before: &Slot, by: &'static Location<'static>) -> Result<&Slot, Exhausted> {
        let Some(number) = self.clean.first() else { return self.take_recycled(frame, before, by) };
        self.clean.remove(number);
        let hint = self.hint(frame);
        // What loses its hint cannot be found again, so there is no use in keeping it.
        if core::ptr::eq(self.hint(before.frame.get()), hint) && before.is_retained() {
            self.zap(before);
        }
        hint.set(number);
        let slot = self.slot(number);
        slot.frame.set(frame);
        slot.references.set(1);
        slot.by.set(by);
        let attributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);
        self.write(slot, M::Format::leaf(Level::L3, frame, attributes));
        self.writer().publish();
        self.ledger.missed();
        Ok(slot)
    }

    /// [`MapCache::take_clean`] where no slot is.
    #[cold]
    #[inline(never)]
    fn take_recycled(&self, frame: Frame, before: &Slot, by: &'static Location<'static>) -> Result<&Slot, Exhausted> {
        self.recycle()?;
        self.take_clean(frame, before, by)
    }

    /// Strict: the mapping is gone on return, from the table and from this CPU's memory.
    #[inline]
    fn empty(&self, slot: &Slot) {
        self.write(slot, Entry::INVALID);
        self.writer().flush_page_local(slot.at);
        self.ledger.flushed_page();
        slot.frame.set(NOTHING);
        self.clean.insert(slot.number);
    }

    /// Makes slots clean that nobody uses: at least one.
    #[cold]
    fn recycle(&self) -> Result<(), Exhausted> {
        self.zap_retained();
        self.clean_dirty();
        self.ledger.recycled();
        match (self.clean.first(), self.exhaustion) {
            (Some(_), _) => Ok(()),
            (None, Exhaustion::Stop) => panic!("map cache: every slot is live{}", self.owners()),
            (None, Exhaustion::Return) => Err(Exhausted),
        }
    }

    fn zap_retained(&self) {
        self.slots.iter().filter(|slot| slot.is_retained()).for_each(|slot| self.zap(slot));
    }

    #[inline(always)]
    fn zap(&self, slot: &Slot) {
        self.write(slot, Entry::INVALID);
        slot.frame.set(NOTHING);
        self.dirty.insert(slot.number);
    }

    /// One invalidation for all dirty slots.
    fn clean_dirty(&self) {
        if self.dirty.first().is_none() {
            return;
        }
        self.writer().flush_local();
        self.ledger.flushed_all();
        self.dirty.move_to(&self.clean);
    }

    #[inline(always)]
    fn write(&self, slot: &Slot, entry: Entry) {
        let place = Place {
            table: self.area.frame,
            index: slot.at.index(Level::L3),
            level: Level::L3,
            input: Input::Host(slot.at),
            seen: self.writer().here(),
        };
        self.writer().write::<M::Format>(Cells::Table(self.area.table), place, entry);
    }

    fn writer(&self) -> Writer<'_, M> {
        Writer::new(&self.machine, "map cache")
    }

    #[inline(always)]
    fn hint(&self, frame: Frame) -> &Cell<SlotNumber> {
        &self.hints[frame.number() as usize % HINTS]
    }

    #[inline(always)]
    fn slot(&self, number: SlotNumber) -> &Slot {
        &self.slots[number.get()]
    }

    fn owners(&self) -> ledger::Owners<'_> {
        ledger::Owners(&self.slots)
    }
}
