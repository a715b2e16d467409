//! VMSAv8-64 stage 1 for EL2: the hypervisor's own tables on AArch64.
//!
//! The EL2 translation regime without VHE (HCR_EL2.E2H = 0): one address range from zero, one
//! privilege level. Source: Arm ARM (DDI 0487), "VMSAv8-64 Block and Page descriptor fields".

use super::attributes::{HostAccess, HostAttributes, Memory};
use super::physical_size::PhysicalSize;
use super::{Decoded, implement_format, vmsa};
use crate::addr::VirtAddr;
use crate::frame::Frame;
use crate::level::Level;
use crate::table::Entry;

/// AttrIndx, bits [4:2], of Normal memory: [`El2::MAIR`] attribute 0.
const NORMAL: u64 = 0 << 2;
/// AttrIndx, bits [4:2], of Device memory: [`El2::MAIR`] attribute 1.
const DEVICE: u64 = 1 << 2;
/// AttrIndx, bits [4:2].
const ATTR_INDEX: u64 = 0b111 << 2;
/// AP[1], bit [6]: RES1 in a regime with one privilege level.
const AP1_RES1: u64 = 1 << 6;
/// AP[2], bit [7]: read-only.
const READ_ONLY: u64 = 1 << 7;
/// XN, bit [54]: execute-never in a regime with one privilege level.
const EXECUTE_NEVER: u64 = 1 << 54;

/// Input addresses of the regime. TCR_EL2.T0SZ = 16.
const INPUT_BITS: u64 = 48;

/// VMSAv8-64 stage 1, EL2, 4 KiB granule, 48-bit addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct El2;

implement_format!(El2: VirtAddr => HostAttributes);

impl El2 {
    /// Frames below this number have a place in an entry.
    pub const FRAME_LIMIT: u64 = vmsa::FRAME_LIMIT;

    /// MAIR_EL2 for these entries. Arm ARM, MAIR_EL2: Attr0 = 0xff, Normal, inner and outer
    /// write-back non-transient, read- and write-allocate; Attr1 = 0x04, Device-nGnRE.
    pub const MAIR: u64 = 0xff | 0x04 << 8;

    /// TCR_EL2 for these tables where the CPU has physical addresses of `size`. Arm ARM, TCR_EL2
    /// (HCR_EL2.E2H = 0).
    pub const fn tcr(size: PhysicalSize) -> u64 {
        /// Bits [31] and [23].
        const RES1: u64 = 1 << 31 | 1 << 23;
        /// T0SZ, bits [5:0].
        const T0SZ: u64 = 64 - INPUT_BITS;
        /// IRGN0 and ORGN0, bits [9:8] and [11:10]: walks are write-back, write-allocate.
        const WALKS_CACHED: u64 = 0b01 << 8 | 0b01 << 10;
        /// SH0, bits [13:12]: walks are Inner Shareable.
        const WALKS_SHARED: u64 = 0b11 << 12;
        /// TG0, bits [15:14]: 4 KiB granule.
        const GRANULE: u64 = 0b00 << 14;
        RES1 | T0SZ | WALKS_CACHED | WALKS_SHARED | GRANULE | size.field() << 16
    }

    /// The virtual address of byte `offset`: the range starts at zero.
    pub const fn input(offset: u64) -> VirtAddr {
        VirtAddr::new(offset)
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
    pub const fn leaf(level: Level, frame: Frame, attributes: HostAttributes) -> Entry {
        assert!(attributes.is_allowed(), "device memory is never executable");
        let access = match attributes.access {
            HostAccess::Execute => READ_ONLY,
            HostAccess::Read => READ_ONLY | EXECUTE_NEVER,
            HostAccess::ReadWrite => EXECUTE_NEVER,
        };
        let memory = match attributes.memory {
            Memory::Normal => NORMAL | vmsa::INNER_SHAREABLE,
            Memory::Device => DEVICE | vmsa::OUTER_SHAREABLE,
        };
        Entry::new(vmsa::leaf(level, frame) | AP1_RES1 | access | memory)
    }

    /// What `entry` of a table at `level` says.
    pub const fn decode(level: Level, entry: Entry) -> Decoded<HostAttributes> {
        let bits = entry.get();
        let frame = vmsa::frame(bits);
        if bits & vmsa::VALID == 0 {
            return Decoded::Invalid;
        }
        if vmsa::is_table(level, bits) {
            return if vmsa::table(frame) == bits { Decoded::Table(frame) } else { Decoded::Unknown };
        }
        let access = match (bits & READ_ONLY != 0, bits & EXECUTE_NEVER != 0) {
            (true, false) => HostAccess::Execute,
            (true, true) => HostAccess::Read,
            (false, true) => HostAccess::ReadWrite,
            (false, false) => return Decoded::Unknown,
        };
        let memory = match bits & ATTR_INDEX {
            NORMAL => Memory::Normal,
            DEVICE => Memory::Device,
            _ => return Decoded::Unknown,
        };
        let attributes = HostAttributes { access, memory };
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
