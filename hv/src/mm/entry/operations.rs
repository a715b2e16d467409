//! What a watcher was told of, counted.

use core::fmt;

use super::{Event, Scope, SeenBy};

/// Operations so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Entries written.
    pub writes: u64,
    /// Orderings of entry writes before later walks.
    pub publishes: u64,
    /// Invalidations of one page on one CPU.
    pub local_pages: u64,
    /// Invalidations of everything on one CPU.
    pub local: u64,
    /// Invalidations of one page on every CPU.
    pub pages: u64,
    /// Invalidations of everything on every CPU.
    pub everywhere: u64,
    /// Invalidations of a guest's translations.
    pub guests: u64,
}

impl Operations {
    /// None.
    pub const NONE: Self =
        Self { writes: 0, publishes: 0, local_pages: 0, local: 0, pages: 0, everywhere: 0, guests: 0 };

    /// Adds one.
    pub fn add(&mut self, event: Event) {
        let counter = match event {
            Event::Write { .. } => &mut self.writes,
            Event::Publish => &mut self.publishes,
            Event::Flush { scope: Scope::HostPage(_), on: SeenBy::Cpu(_) } => &mut self.local_pages,
            Event::Flush { scope: Scope::Host, on: SeenBy::Cpu(_) } => &mut self.local,
            Event::Flush { scope: Scope::HostPage(_), on: SeenBy::All } => &mut self.pages,
            Event::Flush { scope: Scope::Host, on: SeenBy::All } => &mut self.everywhere,
            Event::Flush {
                scope: Scope::GuestPage { .. } | Scope::GuestCombined { .. } | Scope::Guest { .. }, ..
            } => &mut self.guests,
            Event::Free(_) => return,
        };
        *counter += 1;
    }

    /// What came on top of `before`.
    pub const fn since(self, before: Self) -> Self {
        Self {
            writes: self.writes - before.writes,
            publishes: self.publishes - before.publishes,
            local_pages: self.local_pages - before.local_pages,
            local: self.local - before.local,
            pages: self.pages - before.pages,
            everywhere: self.everywhere - before.everywhere,
            guests: self.guests - before.guests,
        }
    }
}

impl fmt::Display for Operations {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { writes, publishes, local_pages, local, pages, everywhere, guests } = self;
        write!(out, "writes={writes} publishes={publishes} local-pages={local_pages} local={local} ")?;
        write!(out, "pages={pages} everywhere={everywhere} guests={guests}")
    }
}
