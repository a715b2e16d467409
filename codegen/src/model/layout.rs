//! `[layout]`, `[directmap]`, `[heap]`, `[stage2]`: the hypervisor's own memory.
//!
//! Sizes and choices; places are the planner's.

use paging::{PAGE_BYTES, VirtAddr};

use super::{Placement, Sourced};

/// `[layout]`.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Extents of the release image.
    pub release: Extents,
    /// Extents of the debug image.
    pub debug: Extents,
    /// Extents of the self-test image.
    pub self_test: Extents,
    /// Bytes of one CPU's stack, whole pages.
    pub stack_bytes: Sourced<u64>,
    /// Fixmap slots.
    pub fixmap_slots: Sourced<u32>,
    /// PMAP slots.
    pub pmap_slots: Sourced<u32>,
    /// Slots of the window onto what firmware left (device tree, boot information).
    pub firmware_slots: Sourced<u32>,
    /// Map cache slots of one CPU.
    pub mapcache_slots: Sourced<u32>,
    /// How long the map cache keeps a page of the loaded domain.
    pub mapcache_retention: Sourced<Retention>,
    /// Bytes of addresses for global maps; whole 2 MiB blocks.
    pub vmap_bytes: Sourced<u64>,
    /// Bytes of addresses for heap pages without a window; whole 2 MiB blocks.
    pub heap_bytes: Sourced<u64>,
    /// Per cent of the image's window and of RAM below which `check` warns.
    pub headroom_min: Sourced<u8>,
    /// Where the hypervisor's image window starts, or auto.
    pub image_base: Placement<VirtAddr>,
}

impl Layout {
    /// Pages in which one CPU keeps the books of a map cache with so many slots: 32 bytes a slot, 1 KiB for the rest.
    pub(crate) const fn scratch_pages(mapcache_slots: u32) -> u64 {
        (mapcache_slots as u64 * 32 + 1024).div_ceil(PAGE_BYTES)
    }
}

/// Bytes reserved for each section of the image; whole pages.
#[derive(Clone, Debug)]
pub struct Extents {
    /// Code.
    pub text: Sourced<u64>,
    /// Constants.
    pub rodata: Sourced<u64>,
    /// Variables, zeroed or not.
    pub data: Sourced<u64>,
}

/// `directmap.policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectmapPolicy {
    /// All RAM mapped in the window.
    Full,
    /// The window exists, RAM appears in it only while the heap uses it.
    OnDemand,
    /// No window.
    None,
}

impl DirectmapPolicy {
    /// As board files write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::OnDemand => "on-demand",
            Self::None => "none",
        }
    }
}

/// `directmap.boot-option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyChoice {
    /// The policy is the file's.
    Fixed,
    /// The boot command line may change it.
    AtBoot,
}

/// `layout.mapcache.retention`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Gone at unmap.
    Strict,
    /// Kept for the loaded domain.
    Lazy,
}

/// `[heap]`.
#[derive(Clone, Debug)]
pub struct Heap {
    /// Where pools come from.
    pub pools: Sourced<Pools>,
    /// How a pool is mapped.
    pub mapped_by: Sourced<MappedBy>,
}

/// `heap.pools`, with `heap.size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pools {
    /// All free memory, as needed.
    Elastic,
    /// So many bytes, a multiple of 2 MiB, set aside at boot.
    Fixed(u64),
}

/// `heap.mapped-by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappedBy {
    /// Page by page.
    Page,
    /// By 2 MiB blocks.
    Block,
}

/// `stage2.tables`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestTables {
    /// Mapped while touched.
    MapCache,
    /// Mapped for good.
    Resident,
    /// Mapped while their domain is loaded.
    PoolWindow,
}
