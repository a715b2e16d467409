//! AMD nested page tables: a guest's memory under SVM.
//!
//! The long-mode layout with every entry open to user mode, because the processor makes nested
//! accesses as a user. Source: AMD APM volume 2 (24593), "Nested Paging", "Nested Table Walk".

use super::attributes::{GuestAccess, GuestAttributes};
use super::long_mode_bits as bits_of;
use super::{Decoded, implement_format};
use crate::addr::Ipa;
use crate::frame::Frame;
use crate::level::Level;
use crate::table::Entry;

/// U/S, bit 2: user accesses are allowed. APM volume 2, "Page-Translation-Table Entry Fields".
const USER: u64 = 1 << 2;

/// AMD nested page tables with four levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Npt;

implement_format!(Npt: Ipa => GuestAttributes);

impl Npt {
    /// Frames below this number have a place in an entry.
    pub const FRAME_LIMIT: u64 = bits_of::FRAME_LIMIT;

    /// The guest-physical address of byte `offset`.
    pub const fn input(offset: u64) -> Ipa {
        Ipa::new(offset)
    }

    /// An entry that links to the table in `frame`.
    ///
    /// # Panics
    /// When the frame's address has more than 52 bits.
    pub const fn table(frame: Frame) -> Entry {
        Entry::new(bits_of::table(frame) | USER)
    }

    /// An entry of a table at `level` that translates to `frame`.
    ///
    /// # Panics
    /// As [`Format::leaf`](crate::Format::leaf) says.
    pub const fn leaf(level: Level, frame: Frame, attributes: GuestAttributes) -> Entry {
        assert!(attributes.is_allowed(), "device memory is never executable");
        let write = if attributes.access.writes() { bits_of::WRITE } else { 0 };
        let never = if attributes.access.executes() { 0 } else { bits_of::NO_EXECUTE };
        Entry::new(bits_of::leaf(level, frame, write | never, attributes.memory) | USER)
    }

    /// What `entry` of a table at `level` says.
    pub const fn decode(level: Level, entry: Entry) -> Decoded<GuestAttributes> {
        let bits = entry.get();
        let frame = bits_of::frame(bits);
        if bits & bits_of::PRESENT == 0 {
            return Decoded::Invalid;
        }
        if bits_of::is_table(level, bits) {
            let exact = Self::table(frame).get() == bits;
            return if exact { Decoded::Table(frame) } else { Decoded::Unknown };
        }
        let access = match (bits & bits_of::WRITE != 0, bits & bits_of::NO_EXECUTE != 0) {
            (false, true) => GuestAccess::Read,
            (true, true) => GuestAccess::ReadWrite,
            (false, false) => GuestAccess::ReadExecute,
            (true, false) => GuestAccess::ReadWriteExecute,
        };
        let Some(memory) = bits_of::memory(bits) else {
            return Decoded::Unknown;
        };
        let attributes = GuestAttributes { access, memory };
        let fits = bits_of::leaf_fits(level, frame) && attributes.is_allowed();
        if fits && Self::leaf(level, frame, attributes).get() == bits {
            Decoded::Leaf { frame, attributes }
        } else {
            Decoded::Unknown
        }
    }

    /// Whether the format has leaves at `level`.
    pub const fn leaf_allowed(level: Level) -> bool {
        bits_of::leaf_allowed(level)
    }
}
