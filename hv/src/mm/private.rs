//! The scrub window of a CPU's private area: the same address on every CPU, no translation on any other.
//!
//! Shows 2 MiB while a guard lives; single pages are the map cache's.

// UNSAFETY: names tables through their planned aliases.
#![expect(unsafe_code, reason = "reads and writes a CPU's own page tables")]

use core::marker::PhantomData;

use paging::{Frame, HostAccess, HostAttributes, Level, Memory, Table, VirtAddr};

use super::leaves::Leaves;
use crate::board::PRIVATE;

/// This CPU's window; not to be sent, since the table behind the alias is this CPU's.
pub struct Private {
    block: Leaves,
    _here: PhantomData<*mut ()>,
}

/// The calling CPU's window.
///
/// Interrupts are masked at EL2 and in ring 0 from entry to exit, so a slot in use stays this caller's.
pub fn here() -> Private {
    let block = alias(PRIVATE.scrub_table);
    Private { block: Leaves::within(block, Level::L2, PRIVATE.scrub, 1), _here: PhantomData }
}

fn alias(at: VirtAddr) -> &'static Table {
    // SAFETY: the planner maps this CPU's own table there, for reading and writing, for the life of its root; entries
    // are atomics and every bit pattern is an entry.
    unsafe { &*(at.get() as *const Table) }
}

impl Private {
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
