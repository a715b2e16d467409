//! Who may map, and for whom.
//!
//! A view is the only way into the cache. It is made for a context; there is none for a context that may have interrupted
//! the cache itself.

use core::fmt;

use paging::{Entry, Frame, Index, TableAccess};

use super::{Exhausted, MapCache, Mapped, Retention};
use crate::machine::Machine;

/// Whose domain slot is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The slot is empty.
    Nobody,
    /// The domain with this VMID.
    Domain(u16),
}

/// In what context a mapping is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// On behalf of no domain: scrubbing, building, destroying. Nothing is retained.
    Idle,
    /// On behalf of the loaded domain, which the caller names.
    Guest {
        /// Its VMID.
        vmid: u16,
    },
    /// In an interrupt's handler. Nothing is retained.
    Interrupt,
    /// Not masked by masking interrupts: NMI and machine check on x86-64, SError on AArch64.
    NonMaskable,
}

/// Why there is no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It may have interrupted the bookkeeping half way.
    NonMaskable,
    /// Another domain's slot is loaded than the caller acts for.
    OtherDomain {
        /// For whom the caller acts.
        asked: Owner,
        /// Who is loaded.
        loaded: Owner,
    },
}

/// The cache as one context sees it.
pub struct View<'c, M, const SLOTS: usize> {
    cache: &'c MapCache<'c, M, SLOTS>,
    /// Domain switches before it was made.
    turn: u64,
    retention: Retention,
}

impl<M, const SLOTS: usize> Clone for View<'_, M, SLOTS> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, const SLOTS: usize> Copy for View<'_, M, SLOTS> {}

impl<M: Machine, const SLOTS: usize> MapCache<'_, M, SLOTS> {
    /// The cache, for code that runs in `context`.
    #[inline]
    pub fn enter(&self, context: Context) -> Result<View<'_, M, SLOTS>, Refused> {
        let loaded = self.loaded();
        let (owner, retention) = match context {
            Context::Idle | Context::Interrupt => (loaded, Retention::Strict),
            Context::Guest { vmid } => (Owner::Domain(vmid), self.retention),
            Context::NonMaskable => return Err(Refused::NonMaskable),
        };
        if owner != loaded {
            return Err(Refused::OtherDomain { asked: owner, loaded });
        }
        Ok(View { cache: self, turn: self.turn.get(), retention })
    }
}

impl<'c, M: Machine, const SLOTS: usize> View<'c, M, SLOTS> {
    /// Maps a frame of the domain that the view is for, or of the hypervisor, until the guard is dropped.
    ///
    /// # Errors
    /// Every slot is live, and the cache was made to say so instead of stopping.
    #[inline(always)]
    #[track_caller]
    pub fn map(&self, frame: Frame) -> Result<Mapped<'c, M, SLOTS>, Exhausted> {
        if let Some(at) = self.cache.machine.shown(frame) {
            return Ok(Mapped::shown(self.cache, at));
        }
        self.assert_loaded();
        Ok(Mapped::new(self.cache, self.cache.take(frame)?, self.retention))
    }

    /// Maps a frame of another domain, for example one that was granted: never retained.
    ///
    /// # Errors
    /// As [`View::map`].
    #[track_caller]
    pub fn map_foreign(&self, frame: Frame) -> Result<Mapped<'c, M, SLOTS>, Exhausted> {
        if let Some(at) = self.cache.machine.shown(frame) {
            return Ok(Mapped::shown(self.cache, at));
        }
        self.assert_loaded();
        Ok(Mapped::new(self.cache, self.cache.take(frame)?, Retention::Strict))
    }

    /// Whose domain slot is loaded on this CPU.
    pub fn loaded(&self) -> Owner {
        self.cache.loaded()
    }

    /// The bookkeeping is that of the loaded domain slot: a view does not outlive a switch.
    #[inline(always)]
    fn assert_loaded(&self) {
        assert!(self.turn == self.cache.turn.get(), "a view of the map cache ends with its domain's turn");
    }
}

/// Tables reached through the cache, one at a time.
impl<M: Machine, const SLOTS: usize> TableAccess for View<'_, M, SLOTS> {
    #[track_caller]
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        let table = self.map(table).expect("a walk holds one slot, and the planner left room for it");
        Entry::new(table.load(index))
    }

    #[track_caller]
    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        let table = self.map(table).expect("a walk holds one slot, and the planner left room for it");
        table.store(index, entry.get());
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonMaskable => out.write_str("nothing can be mapped in a context that cannot be masked"),
            Self::OtherDomain { asked, loaded } => write!(out, "{asked} asks while {loaded} is loaded"),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => out.write_str("nobody"),
            Self::Domain(vmid) => write!(out, "domain {vmid}"),
        }
    }
}
