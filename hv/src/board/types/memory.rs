//! The memory system's part of the plan: policy, heap, addresses.

use paging::{Frame, FrameRange, PAGE_BYTES, PhysAddr, VirtAddr};

use super::Origin;
use crate::mm::heap::{Leaves, Policy};

/// `[directmap]`.
#[derive(Clone, Copy, Debug)]
pub struct Directmap {
    /// `policy`.
    pub policy: Policy,
    /// The `policy` key.
    pub from: Origin,
    /// `boot-option`.
    pub option: BootOption,
    /// The `boot-option` key.
    pub option_from: Origin,
    /// Address of physical byte 0 in the window; address 0 where there is none.
    pub base: VirtAddr,
}

/// `directmap.boot-option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootOption {
    /// The policy is the file's.
    Fixed,
    /// `directmap=` on the boot command line may change it.
    AtBoot,
}

/// RAM that the window may show.
#[derive(Clone, Copy, Debug)]
pub struct RamRange {
    /// First byte.
    pub base: PhysAddr,
    /// Length in bytes, whole frames.
    pub bytes: u64,
}

impl RamRange {
    /// Its frames.
    pub const fn frames(&self) -> FrameRange {
        FrameRange::new(Frame::containing(self.base), self.bytes / PAGE_BYTES)
    }
}

/// `[heap]`.
#[derive(Clone, Copy, Debug)]
pub struct Heap {
    /// 2 MiB blocks that are set aside for it; `None` where its pools are elastic.
    pub fixed_blocks: Option<u64>,
    /// The key that says so.
    pub pools_from: Origin,
    /// `mapped-by`.
    pub mapped_by: Leaves,
}

/// Addresses set aside, whole 2 MiB blocks.
#[derive(Clone, Copy, Debug)]
pub struct AddressRange {
    /// First byte.
    pub base: VirtAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// The key that sizes it.
    pub from: Origin,
}

/// Where the memory system keeps its books and maps for all CPUs.
#[derive(Clone, Copy, Debug)]
pub struct MemoryWindows {
    /// Lists of free chunks, a page a NUMA node.
    pub lists: AddressRange,
    /// Records of 2 MiB blocks.
    pub block_records: AddressRange,
    /// Records of the frames of split blocks, a page a block.
    pub frame_records: AddressRange,
    /// Global maps.
    pub vmap: AddressRange,
    /// Heap pages where there is no window; empty elsewhere.
    pub heap: AddressRange,
}
