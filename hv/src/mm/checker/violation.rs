//! What went wrong with an entry, and what had happened to it before.
//!
//! Words only: the rules are the checker's.

use core::fmt;

use arrayvec::ArrayVec;

use crate::mm::entry::{By, Event, Input, Meaning, Place, Said, Scope, SeenBy};

/// Events that are kept.
const KEPT: usize = 64;
/// Events of one entry that a report shows.
const SHOWN: usize = 12;

/// What an entry or a frame may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Valid to valid with another output address.
    AddressChanged,
    /// Valid to valid between a link and a translation, or between sizes.
    SizeChanged,
    /// Valid to valid in another size, where that is allowed, with another translation.
    SizeAndMoreChanged,
    /// Valid to valid with another kind of memory.
    MemoryKindChanged,
    /// Invalid to valid before every CPU has forgotten what was there.
    ReusedBeforeFlush,
    /// A frame is freed that a live entry leads to, or a table with live entries.
    FreedWhileMapped,
    /// A frame is freed that a CPU may still reach through an emptied entry.
    FreedBeforeFlush,
    /// The entry is not what the writer last wrote.
    BehindTheWriter,
    /// Bits that the format never writes.
    Unreadable,
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::AddressChanged => "valid entry given another address without break-before-make",
            Self::SizeChanged => "valid entry given another size without break-before-make",
            Self::SizeAndMoreChanged => "valid entry given another size and other translations at once",
            Self::MemoryKindChanged => "valid entry given another memory type without break-before-make",
            Self::ReusedBeforeFlush => "entry reused before its old translation was invalidated",
            Self::FreedWhileMapped => "frame freed while an entry leads to it",
            Self::FreedBeforeFlush => "frame freed before its old translation was invalidated",
            Self::BehindTheWriter => "entry changed behind the writer",
            Self::Unreadable => "entry written that the format does not have",
        })
    }
}

/// The most recent events.
#[derive(Debug)]
pub(super) struct History {
    events: [Option<(By, Event)>; KEPT],
    next: usize,
}

impl History {
    pub(super) const fn new() -> Self {
        Self { events: [None; KEPT], next: 0 }
    }

    pub(super) fn push(&mut self, by: By, event: Event) {
        self.events[self.next] = Some((by, event));
        self.next = (self.next + 1) % KEPT;
    }

    /// Newest first.
    fn newest(&self) -> impl Iterator<Item = (By, Event)> {
        (1..=KEPT).filter_map(|back| self.events[(self.next + KEPT - back) % KEPT])
    }
}

/// A broken rule.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which rule.
    pub wrong: Wrong,
    /// Who broke it.
    pub by: By,
    /// The entry.
    pub place: Place,
    /// What was about to happen.
    pub event: Event,
    history: ArrayVec<(By, Event), SHOWN>,
}

impl Violation {
    pub(super) fn new(wrong: Wrong, by: By, place: Place, event: Event, history: &History) -> Self {
        let mut shown: ArrayVec<_, SHOWN> =
            history.newest().filter(|(_, event)| concerns(event, place)).take(SHOWN).collect();
        shown.reverse();
        Self { wrong, by, place, event, history: shown }
    }
}

/// Whether an event is part of an entry's story.
fn concerns(event: &Event, place: Place) -> bool {
    match event {
        Event::Write { place: written, .. } => super::overlap(*written, place),
        Event::Flush { scope, .. } => {
            let helps = |remembered| super::left(place, *scope, remembered) != Some(remembered);
            helps(super::Remembered::All) || helps(super::Remembered::Combined)
        }
        Event::Publish => false,
        Event::Free(frames) => frames.contains(place.table),
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { table, index, level, input, .. } = self.place;
        write!(out, "page tables: {}\n  entry {} of the {level:?} table {table}, ", self.wrong, index.get())?;
        match input {
            Input::Host(at) => write!(out, "for {at}")?,
            Input::Guest { vmid, at } => write!(out, "for {at} of guest {vmid}")?,
        }
        write!(out, "\n  now: {}: ", self.by)?;
        write_event(out, self.event)?;
        for (by, event) in &self.history {
            write!(out, "\n  before: {by}: ")?;
            write_event(out, *event)?;
        }
        Ok(())
    }
}

fn write_event(out: &mut fmt::Formatter<'_>, event: Event) -> fmt::Result {
    match event {
        Event::Write { old, new, .. } => {
            write_said(out, old)?;
            out.write_str(" to ")?;
            write_said(out, new)
        }
        Event::Flush { scope, on } => {
            match scope {
                Scope::HostPage(at) => write!(out, "invalidated {at}")?,
                Scope::Host => out.write_str("invalidated everything")?,
                Scope::GuestPage { vmid, at } => write!(out, "invalidated stage 2 of {at} of guest {vmid}")?,
                Scope::GuestCombined { vmid } => write!(out, "invalidated combined entries of guest {vmid}")?,
                Scope::Guest { vmid } => write!(out, "invalidated guest {vmid}")?,
            }
            match on {
                SeenBy::Cpu(cpu) => write!(out, " on CPU {cpu}"),
                SeenBy::All => out.write_str(" on every CPU"),
            }
        }
        Event::Publish => out.write_str("published"),
        Event::Free(frames) => write!(out, "freed {frames}"),
    }
}

fn write_said(out: &mut fmt::Formatter<'_>, said: Said) -> fmt::Result {
    match said.means {
        Meaning::Invalid => out.write_str("invalid"),
        Meaning::Table(table) => write!(out, "table {table}"),
        Meaning::Leaf(frames, grants) => write!(out, "{frames} {:?}", grants.memory),
        Meaning::Unknown => write!(out, "{:?}", said.entry),
    }
}
