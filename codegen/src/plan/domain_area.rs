//! The domain slot: what lies behind it, at the same addresses for every domain.
//!
//! Spends no frame: tables and pages are each domain's, and come when it is made.

use paging::{Level, PAGE_BYTES, VirtAddr};

use super::parts::{Access, DomainArea, VirtualRegion};
use super::windows::{BLOCK_BYTES, Slots, guard, page};
use crate::model::{Board, Origin};

/// Chunks of a domain's pool of tables at most; the hypervisor's own constant, asserted in the generated layout.
pub(super) const POOL_CHUNKS: u64 = 32;
/// Frames of a domain's pool of tables at most: a chunk has 64 at most.
pub(super) const POOL_FRAMES: u64 = POOL_CHUNKS * 64;
/// Pages of one vCPU: registers, control, root alias, and one that stays unmapped.
const VCPU_PAGES: u64 = 4;
/// vCPUs that the area has room for: as many as a board file may give a domain.
const VCPUS: u64 = 512;

/// Pool window, guard, vCPUs.
pub(super) fn place(slots: &Slots) -> DomainArea {
    let pool_bytes = POOL_FRAMES * PAGE_BYTES;
    DomainArea {
        slot: slots.domain,
        pool: slots.domain,
        pool_bytes,
        vcpus: page(slots.domain, (pool_bytes + BLOCK_BYTES) / PAGE_BYTES),
        vcpus_bytes: VCPUS * VCPU_PAGES * PAGE_BYTES,
        vcpu_pages: VCPU_PAGES,
    }
}

/// The slot's parts, and what stays unmapped of it.
pub(super) fn regions(board: &Board, area: &DomainArea) -> Vec<VirtualRegion> {
    let window =
        |name: &str, base, bytes, from| VirtualRegion { name: name.into(), base, bytes, access: Access::Window, from };
    let pool_end = VirtAddr::new(area.pool.get() + area.pool_bytes);
    let vcpus_end = VirtAddr::new(area.vcpus.get() + area.vcpus_bytes);
    let slot_end = VirtAddr::new(area.slot.get() + Level::L0.entry_bytes());
    vec![
        window("pool window", area.pool, area.pool_bytes, board.guest_tables.from),
        guard("guard above pool window", pool_end, area.vcpus, board.guest_tables.from),
        window("vcpu pages", area.vcpus, area.vcpus_bytes, Origin::Default),
        guard("guard above vcpu pages", vcpus_end, slot_end, Origin::Default),
    ]
}
