//! What was mapped and is not yet unmapped, and figures for the benchmarks.
//!
//! Counts; decides nothing.

use core::cell::Cell;
use core::fmt;

use super::slots::Slot;

/// When no guard may be alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The CPU is about to run a guest.
    ReturnToGuest,
    /// Another domain is about to be loaded.
    DomainSwitch,
}

/// Guards that are alive when none may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaked {
    /// How many.
    pub guards: u32,
    /// When it was noticed.
    pub moment: Moment,
}

/// Operations of one CPU's cache since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Maps that found their frame mapped.
    pub hits: u64,
    /// Maps that wrote an entry.
    pub misses: u64,
    /// Times that no slot was clean.
    pub recycles: u64,
    /// Invalidations of one page.
    pub page_flushes: u64,
    /// Invalidations for all dirty slots at once.
    pub flushes: u64,
    /// Guards alive.
    pub live: u32,
    /// Most guards alive at once, looked at whenever an entry is written.
    pub high_water: u32,
}

/// The counters.
#[derive(Debug)]
pub(super) struct Ledger {
    /// With `unmaps`, the guards alive: two counters that only grow cost less than one that does not.
    maps: Cell<u64>,
    unmaps: Cell<u64>,
    high_water: Cell<u32>,
    misses: Cell<u64>,
    recycles: Cell<u64>,
    page_flushes: Cell<u64>,
    flushes: Cell<u64>,
}

#[inline(always)]
fn add(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl Ledger {
    pub(super) const fn new() -> Self {
        Self {
            maps: Cell::new(0),
            unmaps: Cell::new(0),
            high_water: Cell::new(0),
            misses: Cell::new(0),
            recycles: Cell::new(0),
            page_flushes: Cell::new(0),
            flushes: Cell::new(0),
        }
    }

    #[inline(always)]
    pub(super) fn mapped(&self) {
        add(&self.maps);
    }

    #[inline(always)]
    pub(super) fn unmapped(&self) {
        add(&self.unmaps);
    }

    #[inline]
    pub(super) fn missed(&self) {
        add(&self.misses);
        self.mapped();
        self.high_water.set(self.high_water.get().max(self.live()));
    }

    /// Guards alive.
    fn live(&self) -> u32 {
        (self.maps.get() - self.unmaps.get()) as u32
    }

    pub(super) fn recycled(&self) {
        add(&self.recycles);
    }

    pub(super) fn flushed_page(&self) {
        add(&self.page_flushes);
    }

    pub(super) fn flushed_all(&self) {
        add(&self.flushes);
    }

    pub(super) fn check_empty(&self, moment: Moment) -> Result<(), Leaked> {
        match self.live() {
            0 => Ok(()),
            guards => Err(Leaked { guards, moment }),
        }
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            hits: self.maps.get() - self.misses.get(),
            misses: self.misses.get(),
            recycles: self.recycles.get(),
            page_flushes: self.page_flushes.get(),
            flushes: self.flushes.get(),
            live: self.live(),
            high_water: self.high_water.get(),
        }
    }
}

impl fmt::Display for Leaked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::ReturnToGuest => "at the return to a guest",
            Moment::DomainSwitch => "at a domain switch",
        };
        write!(out, "{} guards alive {moment}", self.guards)
    }
}

/// Prints the live slots, a line each.
pub(super) struct Owners<'c>(pub(super) &'c [Slot]);

impl fmt::Display for Owners<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, slot) in self.0.iter().enumerate().filter(|(_, slot)| slot.references.get() > 0) {
            let (frame, references, by) = (slot.frame.get(), slot.references.get(), slot.by.get());
            write!(out, "\n  slot {number}: {frame}, {references} times, first by {by}")?;
        }
        Ok(())
    }
}
