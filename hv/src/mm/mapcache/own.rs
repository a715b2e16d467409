//! Each CPU's cache: made once, in the scratch pages of its private area.
//!
//! The same address on every CPU, another cache behind it: no other CPU has a translation of this one's.

// UNSAFETY: the scratch pages become the cache.
#![expect(unsafe_code, reason = "places the cache in the private area")]

use paging::{Table, VirtAddr};

use super::{Area, Exhaustion, MapCache, View};
use crate::arch::this;
use crate::board::{CPU_FRAMES, PRIVATE, RETENTION};
use crate::mm::pmap::Retired;
use crate::mm::this_cpu::ThisCpu;

/// The board's.
pub type Cache = MapCache<'static, ThisCpu, { PRIVATE.mapcache_slots as usize }>;

/// The calling CPU's cache as one context sees it.
pub type OwnView = View<'static, ThisCpu, { PRIVATE.mapcache_slots as usize }>;

const _: () = assert!(size_of::<Cache>() as u64 <= PRIVATE.scratch_bytes, "layout.mapcache.slots-per-cpu");
const _: () = assert!(PRIVATE.scratch.get().is_multiple_of(align_of::<Cache>() as u64), "pages are aligned");

/// Proof that the boot CPU's cache is there and PMAP is not: from here on frames are reached through the cache.
#[derive(Debug)]
pub struct Ready(());

/// The boot CPU's cache; PMAP's is the last stage without it.
pub fn init(_pmap: &Retired) -> Ready {
    make();
    Ready(())
}

/// Another CPU's, before it maps anything.
pub fn init_secondary() {
    make();
}

/// Makes the calling CPU's cache.
fn make() {
    let frame = CPU_FRAMES[this::cpu::index().get()].private_l3;
    let area = Area { table: table(PRIVATE.mapcache_table), frame, base: PRIVATE.mapcache };
    let cache = MapCache::new(ThisCpu::new(), area, RETENTION, Exhaustion::BUILD);
    // SAFETY: the planner maps scratch pages there for this CPU alone, large enough and aligned (asserts above); nobody
    // else uses them, and `here` gives no reference out before this.
    unsafe { (PRIVATE.scratch.get() as *mut Cache).write(cache) }
}

/// The calling CPU's cache.
///
/// The reference cannot be sent: the cache is not `Sync`. Boot makes the cache of each CPU before that CPU runs anything
/// else ([`init`], [`init_secondary`]).
#[inline(always)]
pub fn here() -> &'static Cache {
    // SAFETY: `make` has written a cache there on this CPU before anything could call this, and nobody moves or drops it.
    unsafe { &*(PRIVATE.scratch.get() as *const Cache) }
}

fn table(at: VirtAddr) -> &'static Table {
    // SAFETY: the planner maps this CPU's own table there, for reading and writing, for the life of its root; entries are
    // atomics and every bit pattern is an entry.
    unsafe { &*(at.get() as *const Table) }
}
