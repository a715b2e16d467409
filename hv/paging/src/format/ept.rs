//! Intel extended page tables: a guest's memory under VMX.
//!
//! Accessed and dirty flags off (EPTP bit 6 = 0), four levels. Source: Intel SDM volume 3 (325384),
//! "The Extended Page Table Mechanism (EPT)", "EPT Translation Mechanism".

use super::attributes::{GuestAccess, GuestAttributes, Memory};
use super::{Decoded, implement_format, leaf_frame_fits};
use crate::addr::{Ipa, PhysAddr};
use crate::frame::Frame;
use crate::level::Level;
use crate::table::Entry;

/// Bit 0: read access. "Format of an EPT Page-Table Entry that Maps a 4-KByte Page".
const READ: u64 = 1 << 0;
/// Bit 1: write access.
const WRITE: u64 = 1 << 1;
/// Bit 2: execute access.
const EXECUTE: u64 = 1 << 2;
/// An entry with none of these is not present. "EPT Translation Mechanism".
const PRESENT: u64 = READ | WRITE | EXECUTE;
/// Bits 5:3: write-back. "EPT and Memory Typing", type 6.
const WRITE_BACK: u64 = 6 << 3;
/// Bits 5:3: uncacheable. "EPT and Memory Typing", type 0.
const UNCACHEABLE: u64 = 0 << 3;
/// Bits 5:3: the memory type of a leaf.
const MEMORY_TYPE: u64 = 0b111 << 3;
/// Bit 7 of a page-directory-pointer or page-directory entry: it maps a page.
const PAGE_SIZE: u64 = 1 << 7;
/// Physical address, bits 51:12.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Intel extended page tables with four levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ept;

implement_format!(Ept: Ipa => GuestAttributes);

impl Ept {
    /// Frames below this number have a place in an entry: 52-bit addresses.
    pub const FRAME_LIMIT: u64 = 1 << (52 - 12);

    /// The guest-physical address of byte `offset`.
    pub const fn input(offset: u64) -> Ipa {
        Ipa::new(offset)
    }

    /// An entry that links to the table in `frame`.
    ///
    /// # Panics
    /// When the frame's address has more than 52 bits.
    pub const fn table(frame: Frame) -> Entry {
        assert!(frame.number() < Self::FRAME_LIMIT, "the table's address has 52 bits");
        Entry::new(frame.address().get() | PRESENT)
    }

    /// An entry of a table at `level` that translates to `frame`.
    ///
    /// # Panics
    /// As [`Format::leaf`](crate::Format::leaf) says.
    pub const fn leaf(level: Level, frame: Frame, attributes: GuestAttributes) -> Entry {
        assert!(attributes.is_allowed(), "device memory is never executable");
        assert!(Self::leaf_fits(level, frame), "the level has leaves and the frame is aligned to it");
        let write = if attributes.access.writes() { WRITE } else { 0 };
        let execute = if attributes.access.executes() { EXECUTE } else { 0 };
        let memory = match attributes.memory {
            Memory::Normal => WRITE_BACK,
            Memory::Device => UNCACHEABLE,
        };
        let size = match level {
            Level::L0 | Level::L1 | Level::L2 => PAGE_SIZE,
            Level::L3 => 0,
        };
        Entry::new(frame.address().get() | READ | write | execute | memory | size)
    }

    /// What `entry` of a table at `level` says.
    pub const fn decode(level: Level, entry: Entry) -> Decoded<GuestAttributes> {
        let bits = entry.get();
        let frame = Frame::containing(PhysAddr::new(bits & ADDRESS));
        if bits & PRESENT == 0 {
            return Decoded::Invalid;
        }
        let links = match level {
            Level::L0 => true,
            Level::L1 | Level::L2 => bits & PAGE_SIZE == 0,
            Level::L3 => false,
        };
        if links {
            let exact = Self::table(frame).get() == bits;
            return if exact { Decoded::Table(frame) } else { Decoded::Unknown };
        }
        let access = match (bits & WRITE != 0, bits & EXECUTE != 0) {
            (false, false) => GuestAccess::Read,
            (true, false) => GuestAccess::ReadWrite,
            (false, true) => GuestAccess::ReadExecute,
            (true, true) => GuestAccess::ReadWriteExecute,
        };
        let memory = match bits & MEMORY_TYPE {
            WRITE_BACK => Memory::Normal,
            UNCACHEABLE => Memory::Device,
            _ => return Decoded::Unknown,
        };
        let attributes = GuestAttributes { access, memory };
        let fits = Self::leaf_fits(level, frame) && attributes.is_allowed();
        if fits && Self::leaf(level, frame, attributes).get() == bits {
            Decoded::Leaf { frame, attributes }
        } else {
            Decoded::Unknown
        }
    }

    /// Whether the format has leaves at `level`. IA32_VMX_EPT_VPID_CAP bits 17 and 16 say whether
    /// the processor has those of 1 GiB and 2 MiB.
    pub const fn leaf_allowed(level: Level) -> bool {
        match level {
            Level::L0 => false,
            Level::L1 | Level::L2 | Level::L3 => true,
        }
    }

    const fn leaf_fits(level: Level, frame: Frame) -> bool {
        Self::leaf_allowed(level) && leaf_frame_fits(level, frame, Self::FRAME_LIMIT)
    }
}
