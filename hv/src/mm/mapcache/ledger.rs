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
    /// Most guards alive at once.
    pub high_water: u32,
}

/// The counters.
#[derive(Debug)]
pub(super) struct Ledger {
    maps: Cell<u64>,
    live: Cell<u32>,
    high_water: Cell<u32>,
    misses: Cell<u64>,
    recycles: Cell<u64>,
    page_flushes: Cell<u64>,
    flushes: Cell<u64>,
}

fn add(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl Ledger {
    pub(super) const fn new() -> Self {
        Self {
            maps: Cell::new(0),
            live: Cell::new(0),
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
        let live = self.live.get() + 1;
        self.live.set(live);
        if live > self.high_water.get() {
            self.high_water.set(live);
        }
    }

    #[inline(always)]
    pub(super) fn unmapped(&self) {
        self.live.set(self.live.get() - 1);
    }

    pub(super) fn missed(&self) {
        add(&self.misses);
        self.mapped();
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
        match self.live.get() {
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
            live: self.live.get(),
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
