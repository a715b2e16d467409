//! What the hypervisor's own tables on x86-64 and AMD's nested tables share.
//!
//! Source: AMD APM volume 2 (24593), "Long-Mode Page Translation" and "Page-Translation-Table Entry
//! Fields"; Intel SDM volume 3 (325384), "4-Level Paging and 5-Level Paging". Never holds the
//! User/Supervisor bit: the two formats differ in it.

use super::attributes::Memory;
use super::leaf_frame_fits;
use crate::addr::PhysAddr;
use crate::frame::Frame;
use crate::level::Level;

/// P, bit 0: present.
pub(super) const PRESENT: u64 = 1 << 0;
/// R/W, bit 1: writable.
pub(super) const WRITE: u64 = 1 << 1;
/// PWT, bit 3: page-level write-through.
const WRITE_THROUGH: u64 = 1 << 3;
/// PCD, bit 4: page-level cache disable.
const CACHE_DISABLE: u64 = 1 << 4;
/// A, bit 5: set, so that the processor never writes to an entry.
const ACCESSED: u64 = 1 << 5;
/// D, bit 6: set where writes are allowed, for the same reason, and only there: a dirty entry that
/// is not writable marks a shadow stack (Intel SDM, "Shadow-Stack Pages").
const DIRTY: u64 = 1 << 6;
/// PS, bit 7 of a page-directory-pointer or page-directory entry: it maps a page.
const PAGE_SIZE: u64 = 1 << 7;
/// NX, bit 63: no execution (EFER.NXE = 1).
pub(super) const NO_EXECUTE: u64 = 1 << 63;

/// Memory type: PAT entry 0, write-back after reset. "Page-Attribute Table Mechanism".
const NORMAL: u64 = 0;
/// Memory type: PAT entry 3, uncacheable after reset. "Page-Attribute Table Mechanism".
const DEVICE: u64 = CACHE_DISABLE | WRITE_THROUGH;

/// Physical address, bits 51:12.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Frames with a 52-bit address.
pub(super) const FRAME_LIMIT: u64 = 1 << (52 - 12);

/// 1 GiB, 2 MiB and 4 KiB pages. CPUID Fn8000_0001_EDX[Page1GB] says whether the first exist.
pub(super) const fn leaf_allowed(level: Level) -> bool {
    match level {
        Level::L0 => false,
        Level::L1 | Level::L2 | Level::L3 => true,
    }
}

/// A link to a table, writable and executable: leaves decide.
pub(super) const fn table(frame: Frame) -> u64 {
    assert!(frame.number() < FRAME_LIMIT, "the table's address has 52 bits");
    frame.address().get() | PRESENT | WRITE | ACCESSED
}

/// Whether a page at `level` can begin at `frame`.
pub(super) const fn leaf_fits(level: Level, frame: Frame) -> bool {
    leaf_allowed(level) && leaf_frame_fits(level, frame, FRAME_LIMIT)
}

/// Everything of a leaf but its User/Supervisor bit. `permissions` holds [`WRITE`], [`NO_EXECUTE`].
pub(super) const fn leaf(level: Level, frame: Frame, permissions: u64, memory: Memory) -> u64 {
    assert!(leaf_fits(level, frame), "the level has leaves and the frame is aligned to it");
    let size = match level {
        Level::L0 | Level::L1 | Level::L2 => PAGE_SIZE,
        Level::L3 => 0,
    };
    let dirty = if permissions & WRITE != 0 { DIRTY } else { 0 };
    let memory = match memory {
        Memory::Normal => NORMAL,
        Memory::Device => DEVICE,
    };
    frame.address().get() | PRESENT | ACCESSED | size | dirty | permissions | memory
}

/// The frame in an entry's address field.
pub(super) const fn frame(bits: u64) -> Frame {
    Frame::containing(PhysAddr::new(bits & ADDRESS))
}

/// The memory type of a leaf; `None` for the PAT entries that no format here uses.
pub(super) const fn memory(bits: u64) -> Option<Memory> {
    match bits & (CACHE_DISABLE | WRITE_THROUGH) {
        NORMAL => Some(Memory::Normal),
        DEVICE => Some(Memory::Device),
        _ => None,
    }
}

/// Whether a present entry at `level` links to a table.
pub(super) const fn is_table(level: Level, bits: u64) -> bool {
    match level {
        Level::L0 => true,
        Level::L1 | Level::L2 => bits & PAGE_SIZE == 0,
        Level::L3 => false,
    }
}
