//! Entry formats: how a table's links and leaves are written as bits.
//!
//! A format is pure data. It knows nothing of memory, of barriers or of what is mapped where.
//! Everything a format can do is also a `const fn` of the same name on the format's type, so that
//! static tables are evaluated by the compiler; the trait is for code that is generic.

pub(crate) mod attributes;
pub(crate) mod el2;
pub(crate) mod stage2;
pub(crate) mod long_mode;
pub(crate) mod npt;
pub(crate) mod ept;
pub(crate) mod physical_size;
mod long_mode_bits;
mod vmsa;

use core::fmt::Debug;

use crate::addr::InputAddress;
use crate::frame::Frame;
use crate::level::Level;
use crate::table::Entry;

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<A> {
    /// Nothing: the walk ends in a translation fault.
    Invalid,
    /// The next table is in this frame.
    Table(Frame),
    /// The translation.
    Leaf {
        /// First frame of the block or page.
        frame: Frame,
        /// What may be done with it.
        attributes: A,
    },
    /// Bits that the format never writes: reserved ones, writable code, executable devices, a
    /// block where none may be. The hardware may translate through it all the same.
    Unknown,
}

/// An entry format. [`Format::decode`] is the exact inverse of [`Format::table`] and
/// [`Format::leaf`]: whatever they would not have written is [`Decoded::Unknown`].
pub trait Format: Copy + Eq + Debug {
    /// What the table translates.
    type Input: InputAddress;
    /// What a leaf grants.
    type Attributes: Copy + Eq + Debug;
    /// Frames below this number have a place in an entry.
    const FRAME_LIMIT: u64;

    /// The input address of byte `offset` of the 2^48 that four levels translate.
    fn input(offset: u64) -> Self::Input;

    /// An entry that links to the table in `frame`. Grants everything: leaves decide.
    fn table(frame: Frame) -> Entry;

    /// An entry of a table at `level` that translates to `frame` and its successors.
    ///
    /// # Panics
    /// When [`Format::leaf_allowed`] or [`Format::attributes_allowed`] denies it, or `frame` is not
    /// aligned to the level or not below [`Format::FRAME_LIMIT`].
    fn leaf(level: Level, frame: Frame, attributes: Self::Attributes) -> Entry;

    /// What `entry` of a table at `level` says.
    fn decode(level: Level, entry: Entry) -> Decoded<Self::Attributes>;

    /// Whether the format has leaves at `level`.
    fn leaf_allowed(level: Level) -> bool;

    /// Whether the format grants this. No format lets device memory be executed.
    fn attributes_allowed(attributes: Self::Attributes) -> bool;
}

/// Whether a leaf at `level` can begin at `frame`.
const fn leaf_frame_fits(level: Level, frame: Frame, limit: u64) -> bool {
    frame.number() < limit && frame.number().is_multiple_of(level.entry_frames())
}

/// Implements [`Format`] by the inherent functions of the same names.
macro_rules! implement_format {
    ($format:ty: $input:ty => $attributes:ty) => {
        impl $crate::format::Format for $format {
            type Input = $input;
            type Attributes = $attributes;
            const FRAME_LIMIT: u64 = <$format>::FRAME_LIMIT;

            fn input(offset: u64) -> $input {
                <$format>::input(offset)
            }

            fn table(frame: $crate::Frame) -> $crate::Entry {
                <$format>::table(frame)
            }

            fn leaf(level: $crate::Level, frame: $crate::Frame, attributes: $attributes) -> $crate::Entry {
                <$format>::leaf(level, frame, attributes)
            }

            fn decode(level: $crate::Level, entry: $crate::Entry) -> $crate::format::Decoded<$attributes> {
                <$format>::decode(level, entry)
            }

            fn leaf_allowed(level: $crate::Level) -> bool {
                <$format>::leaf_allowed(level)
            }

            fn attributes_allowed(attributes: $attributes) -> bool {
                attributes.is_allowed()
            }
        }
    };
}
use implement_format;
