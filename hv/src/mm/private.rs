//! Windows of a CPU's private area: same addresses on every CPU, no translation on any other.
//!
//! A guest's memory is reached here and nowhere else: one page or 2 MiB, while a guard lives.

// UNSAFETY: names tables through their planned aliases.
#![expect(unsafe_code, reason = "reads and writes a CPU's own page tables")]

use core::marker::PhantomData;

use paging::{Frame, HostAccess, HostAttributes, Level, Memory, Table, VirtAddr};

use super::leaves::Leaves;
use crate::board::PRIVATE;

/// This CPU's windows; not to be sent, since the tables behind the aliases are this CPU's.
pub struct Private {
    pages: Leaves,
    block: Leaves,
    _here: PhantomData<*mut ()>,
}

/// The calling CPU's windows.
///
/// Interrupts are masked at EL2 and in ring 0 from entry to exit, so a slot in use stays this caller's.
pub fn here() -> Private {
    let pages = alias(PRIVATE.mapcache_table);
    let block = alias(PRIVATE.scrub_table);
    Private {
        pages: Leaves::within(pages, Level::L3, PRIVATE.mapcache, PRIVATE.mapcache_slots as usize),
        block: Leaves::within(block, Level::L2, PRIVATE.scrub, 1),
        _here: PhantomData,
    }
}

fn alias(at: VirtAddr) -> &'static Table {
    // SAFETY: the planner maps this CPU's own table there, for reading and writing, for the life of its root; entries
    // are atomics and every bit pattern is an entry.
    unsafe { &*(at.get() as *const Table) }
}

impl Private {
    /// Maps one frame for reading until the guard is dropped.
    pub fn page(&mut self, frame: Frame) -> Mapped<'_> {
        Mapped::new(&self.pages, frame, HostAccess::Read)
    }

    /// Maps the 2 MiB from `frame` for writing until the guard is dropped.
    pub fn block(&mut self, frame: Frame) -> Mapped<'_> {
        Mapped::new(&self.block, frame, HostAccess::ReadWrite)
    }
}

/// Memory that is mapped while this lives.
pub struct Mapped<'w> {
    leaves: &'w Leaves,
    at: VirtAddr,
}

impl<'w> Mapped<'w> {
    fn new(leaves: &'w Leaves, frame: Frame, access: HostAccess) -> Self {
        let at = leaves.set(0, frame, HostAttributes::new(access, Memory::Normal));
        Self { leaves, at }
    }

    /// Its first byte.
    pub fn at(&self) -> VirtAddr {
        self.at
    }
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        self.leaves.clear(0);
    }
}
