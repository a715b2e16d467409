//! VMSAv8-64 stage 2: a guest's memory on AArch64.
//!
//! Written for HCR_EL2.FWB = 0 and without FEAT_XNX. Source: Arm ARM (DDI 0487), "VMSAv8-64 Block
//! and Page descriptor fields", stage 2.

use super::attributes::{GuestAccess, GuestAttributes, Memory};
use super::physical_size::PhysicalSize;
use super::{Decoded, implement_format, vmsa};
use crate::addr::Ipa;
use crate::frame::Frame;
use crate::level::Level;
use crate::table::Entry;

/// MemAttr, bits [5:2]: Normal, outer and inner write-back cacheable.
const NORMAL: u64 = 0b1111 << 2;
/// MemAttr, bits [5:2]: Device-nGnRE.
const DEVICE: u64 = 0b0001 << 2;
/// MemAttr, bits [5:2].
const MEM_ATTR: u64 = 0b1111 << 2;
/// S2AP[0], bit [6]: readable.
const READ: u64 = 1 << 6;
/// S2AP[1], bit [7]: writable.
const WRITE: u64 = 1 << 7;
/// XN[1], bit [54]: execute-never; XN[0], bit [53], is RES0 without FEAT_XNX.
const EXECUTE_NEVER: u64 = 1 << 54;

/// VMSAv8-64 stage 2, 4 KiB granule, no concatenated tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage2;

implement_format!(Stage2: Ipa => GuestAttributes);

impl Stage2 {
    /// Frames below this number have a place in an entry.
    pub const FRAME_LIMIT: u64 = vmsa::FRAME_LIMIT;

    /// The level of the root for `ipa_bits` bits of intermediate physical address, so that it is
    /// one table. Arm ARM, "Overview of VMSAv8-64 address translation stages", 4 KiB granule.
    ///
    /// # Panics
    /// Outside 31 to 48 bits.
    pub const fn start_level(ipa_bits: u8) -> Level {
        match ipa_bits {
            31..=39 => Level::L1,
            40..=48 => Level::L0,
            _ => panic!("stage 2 roots stand at level 1 or 0: 31 to 48 bits"),
        }
    }

    /// VTCR_EL2 for a root made by [`Stage2::start_level`] where the CPU has physical addresses of
    /// `size`; `None` where that CPU cannot translate so many bits. Arm ARM, VTCR_EL2.
    ///
    /// # Panics
    /// Outside 31 to 48 bits.
    pub const fn vtcr(ipa_bits: u8, size: PhysicalSize) -> Option<u64> {
        /// Bit [31].
        const RES1: u64 = 1 << 31;
        /// IRGN0 and ORGN0, bits [9:8] and [11:10]: walks are write-back, write-allocate.
        const WALKS_CACHED: u64 = 0b01 << 8 | 0b01 << 10;
        /// SH0, bits [13:12]: walks are Inner Shareable.
        const WALKS_SHARED: u64 = 0b11 << 12;
        /// TG0, bits [15:14]: 4 KiB granule.
        const GRANULE: u64 = 0b00 << 14;
        /// SL0 = 2, a root at level 0, is reserved below this physical address size.
        const LEVEL_0_BITS: u8 = 44;
        let start = match Self::start_level(ipa_bits) {
            Level::L0 if size.bits() < LEVEL_0_BITS => return None,
            Level::L0 => 0b10,
            Level::L1 => 0b01,
            Level::L2 | Level::L3 => return None,
        };
        if ipa_bits > size.bits() {
            return None;
        }
        let t0sz = 64 - ipa_bits as u64;
        let walks = WALKS_CACHED | WALKS_SHARED | GRANULE;
        // SL0 is bits [7:6], PS bits [18:16], T0SZ bits [5:0].
        Some(RES1 | walks | size.field() << 16 | start << 6 | t0sz)
    }

    /// The intermediate physical address of byte `offset`.
    pub const fn input(offset: u64) -> Ipa {
        Ipa::new(offset)
    }

    /// An entry that links to the table in `frame`.
    ///
    /// # Panics
    /// When the frame's address has more than 48 bits.
    pub const fn table(frame: Frame) -> Entry {
        Entry::new(vmsa::table(frame))
    }

    /// An entry of a table at `level` that translates to `frame`.
    ///
    /// # Panics
    /// As [`Format::leaf`](crate::Format::leaf) says.
    pub const fn leaf(level: Level, frame: Frame, attributes: GuestAttributes) -> Entry {
        assert!(attributes.is_allowed(), "device memory is never executable");
        let write = if attributes.access.writes() { WRITE } else { 0 };
        let never = if attributes.access.executes() { 0 } else { EXECUTE_NEVER };
        let memory = match attributes.memory {
            Memory::Normal => NORMAL | vmsa::INNER_SHAREABLE,
            Memory::Device => DEVICE | vmsa::OUTER_SHAREABLE,
        };
        Entry::new(vmsa::leaf(level, frame) | READ | write | never | memory)
    }

    /// What `entry` of a table at `level` says.
    pub const fn decode(level: Level, entry: Entry) -> Decoded<GuestAttributes> {
        let bits = entry.get();
        let frame = vmsa::frame(bits);
        if bits & vmsa::VALID == 0 {
            return Decoded::Invalid;
        }
        if vmsa::is_table(level, bits) {
            return if vmsa::table(frame) == bits { Decoded::Table(frame) } else { Decoded::Unknown };
        }
        let access = match (bits & WRITE != 0, bits & EXECUTE_NEVER != 0) {
            (false, true) => GuestAccess::Read,
            (true, true) => GuestAccess::ReadWrite,
            (false, false) => GuestAccess::ReadExecute,
            (true, false) => GuestAccess::ReadWriteExecute,
        };
        let memory = match bits & MEM_ATTR {
            NORMAL => Memory::Normal,
            DEVICE => Memory::Device,
            _ => return Decoded::Unknown,
        };
        let attributes = GuestAttributes { access, memory };
        let fits = vmsa::leaf_fits(level, frame) && attributes.is_allowed();
        if fits && Self::leaf(level, frame, attributes).get() == bits {
            Decoded::Leaf { frame, attributes }
        } else {
            Decoded::Unknown
        }
    }

    /// Whether the format has leaves at `level`.
    pub const fn leaf_allowed(level: Level) -> bool {
        vmsa::leaf_allowed(level)
    }
}
