//! Tables of a CPU's private area: the same addresses on every CPU, no translation on any other.
//!
//! Writes no entry: the windows that hang in these tables do.

// UNSAFETY: names tables through their planned aliases.
#![expect(unsafe_code, reason = "a CPU's own page tables have an address")]

use paging::{Table, VirtAddr};

use super::domain_area::RootEntry;
use super::mapcache::Area;
use super::scrub::ScrubWindow;
use crate::arch::this;
use crate::board::{CPU_FRAMES, DOMAIN_AREA, PRIVATE};

/// The calling CPU's scrub window; one at a time is made, by who scrubs.
pub fn scrub_window() -> ScrubWindow<'static> {
    let frame = CPU_FRAMES[this::cpu::index().get()].private_l2;
    ScrubWindow::new(Area { table: alias(PRIVATE.scrub_table), frame, base: PRIVATE.scrub })
}

/// The entry of the calling CPU's root that links to the loaded domain.
pub fn domain_slot() -> RootEntry<'static> {
    let frame = CPU_FRAMES[this::cpu::index().get()].root;
    RootEntry { root: alias(PRIVATE.root_table), frame, at: DOMAIN_AREA.slot }
}

fn alias(at: VirtAddr) -> &'static Table {
    // SAFETY: the planner maps this CPU's own table there, for reading and writing, for the life of its root; entries
    // are atomics and every bit pattern is an entry.
    unsafe { &*(at.get() as *const Table) }
}
