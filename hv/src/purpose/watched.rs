//! Builds with checks: the checker of break-before-make watches every entry write, and stops where a rule is broken.
//!
//! Its table is as large as the plan lets entries live at once.

use paging::Level;

use crate::board::{CPUS, DOMAINS, FIRMWARE, FIXMAP, PMAP, PRIVATE};
use crate::mm::checker::{Checker, Verdict};

/// Leaves of records, vmap and heap, and links to the tables that hold them: two full tables. A hypervisor that maps
/// more than 4 MiB page by page is checked as strictly, but the frames behind the rest are not.
const SHARED: usize = 2 * paging::ENTRIES;

/// Entries at most, so that the checker fits the data extent of any board.
const MOST: usize = 4096;

/// Live entries that the checker follows: as many as the plan has slots, blocks of guests and their tables, and a third
/// more, since it looks them up by hash.
const LIVE: usize = {
    let windows = (FIXMAP.slots + PMAP.slots + FIRMWARE.slots) as usize;
    let private = CPUS.len() * (PRIVATE.mapcache_slots as usize + 1);
    let mut entries = SHARED + windows + private;
    let mut at = 0;
    while at < DOMAINS.len() {
        let domain = &DOMAINS[at];
        entries += (domain.memory_bytes / Level::L2.entry_bytes()) as usize + domain.tables_limit_frames as usize;
        at += 1;
    }
    let entries = entries + entries / 3;
    if entries < MOST { entries } else { MOST }
};

/// The checker.
pub(crate) type Watcher = Checker<LIVE>;

/// It watches from the first write on.
pub(crate) static WATCHER: Watcher = Checker::new(Verdict::Stop);
