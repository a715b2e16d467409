//! What both VMSAv8-64 formats share: 4 KiB granule, 48-bit addresses.
//!
//! Source: Arm ARM (DDI 0487), "VMSAv8-64 translation table format descriptors". Never holds a
//! field whose meaning differs between the stages.

use super::leaf_frame_fits;
use crate::addr::PhysAddr;
use crate::frame::Frame;
use crate::level::Level;

/// Valid descriptor. "VMSAv8-64 descriptor formats", bit [0].
pub(super) const VALID: u64 = 1 << 0;

/// Table descriptor at levels 0 to 2, page descriptor at level 3; clear in a block descriptor.
/// "VMSAv8-64 descriptor formats", bit [1].
pub(super) const TABLE_OR_PAGE: u64 = 1 << 1;

/// Inner Shareable. "VMSAv8-64 Block and Page descriptor fields", SH, bits [9:8].
pub(super) const INNER_SHAREABLE: u64 = 0b11 << 8;

/// Outer Shareable: what Device memory is whatever the field says. SH, bits [9:8].
pub(super) const OUTER_SHAREABLE: u64 = 0b10 << 8;

/// Access flag: set, so that no access faults or updates the entry. AF, bit [10].
pub(super) const ACCESSED: u64 = 1 << 10;

/// Output address and next-level table address without FEAT_LPA. Bits [47:12].
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Frames with a 48-bit address.
pub(super) const FRAME_LIMIT: u64 = 1 << (48 - 12);

/// Blocks exist at levels 1 and 2. "VMSAv8-64 descriptor formats", 4 KiB granule.
pub(super) const fn leaf_allowed(level: Level) -> bool {
    match level {
        Level::L0 => false,
        Level::L1 | Level::L2 | Level::L3 => true,
    }
}

/// A table descriptor whose hierarchical permissions (bits [63:59]) restrict nothing.
pub(super) const fn table(frame: Frame) -> u64 {
    assert!(frame.number() < FRAME_LIMIT, "the table's address has 48 bits");
    frame.address().get() | VALID | TABLE_OR_PAGE
}

/// Whether a block or page descriptor at `level` can hold `frame`.
pub(super) const fn leaf_fits(level: Level, frame: Frame) -> bool {
    leaf_allowed(level) && leaf_frame_fits(level, frame, FRAME_LIMIT)
}

/// Type, access flag and output address of a block or page descriptor.
pub(super) const fn leaf(level: Level, frame: Frame) -> u64 {
    assert!(leaf_fits(level, frame), "the level has leaves and the frame is aligned to it");
    let kind = match level {
        Level::L0 | Level::L1 | Level::L2 => VALID,
        Level::L3 => VALID | TABLE_OR_PAGE,
    };
    frame.address().get() | kind | ACCESSED
}

/// The frame in a descriptor's address field.
pub(super) const fn frame(bits: u64) -> Frame {
    Frame::containing(PhysAddr::new(bits & ADDRESS))
}

/// Whether a valid descriptor at `level` is a table descriptor.
pub(super) const fn is_table(level: Level, bits: u64) -> bool {
    bits & TABLE_OR_PAGE != 0 && !matches!(level, Level::L3)
}
