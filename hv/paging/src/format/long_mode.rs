//! x86-64 long mode, four levels: the hypervisor's own tables on x86-64.
//!
//! Supervisor pages only, none global: a reload of CR3 forgets everything. Needs EFER.NXE, CR0.WP
//! and the PAT's reset value. Source: as `long_mode_bits`.

use super::attributes::{HostAccess, HostAttributes};
use super::long_mode_bits as bits_of;
use super::{Decoded, implement_format};
use crate::addr::VirtAddr;
use crate::frame::Frame;
use crate::level::Level;
use crate::table::Entry;

/// The bit that is copied into bits 63:48. Intel SDM volume 1, "Canonical Addressing".
const SIGN_BIT: u64 = 1 << 47;

/// x86-64 long mode with four levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongMode;

implement_format!(LongMode: VirtAddr => HostAttributes);

impl LongMode {
    /// Frames below this number have a place in an entry.
    pub const FRAME_LIMIT: u64 = bits_of::FRAME_LIMIT;

    /// The canonical virtual address of byte `offset`: the second half lies at the top.
    pub const fn input(offset: u64) -> VirtAddr {
        let low = offset & (2 * SIGN_BIT - 1);
        VirtAddr::new(if low & SIGN_BIT == 0 { low } else { low | !(2 * SIGN_BIT - 1) })
    }

    /// An entry that links to the table in `frame`.
    ///
    /// # Panics
    /// When the frame's address has more than 52 bits.
    pub const fn table(frame: Frame) -> Entry {
        Entry::new(bits_of::table(frame))
    }

    /// An entry of a table at `level` that translates to `frame`.
    ///
    /// # Panics
    /// As [`Format::leaf`](crate::Format::leaf) says.
    pub const fn leaf(level: Level, frame: Frame, attributes: HostAttributes) -> Entry {
        assert!(attributes.is_allowed(), "device memory is never executable");
        let permissions = match attributes.access {
            HostAccess::Execute => 0,
            HostAccess::Read => bits_of::NO_EXECUTE,
            HostAccess::ReadWrite => bits_of::WRITE | bits_of::NO_EXECUTE,
        };
        Entry::new(bits_of::leaf(level, frame, permissions, attributes.memory))
    }

    /// What `entry` of a table at `level` says.
    pub const fn decode(level: Level, entry: Entry) -> Decoded<HostAttributes> {
        let bits = entry.get();
        let frame = bits_of::frame(bits);
        if bits & bits_of::PRESENT == 0 {
            return Decoded::Invalid;
        }
        if bits_of::is_table(level, bits) {
            let exact = bits_of::table(frame) == bits;
            return if exact { Decoded::Table(frame) } else { Decoded::Unknown };
        }
        let access = match (bits & bits_of::WRITE != 0, bits & bits_of::NO_EXECUTE != 0) {
            (false, false) => HostAccess::Execute,
            (false, true) => HostAccess::Read,
            (true, true) => HostAccess::ReadWrite,
            (true, false) => return Decoded::Unknown,
        };
        let Some(memory) = bits_of::memory(bits) else {
            return Decoded::Unknown;
        };
        let attributes = HostAttributes { access, memory };
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
