//! Sizes of chunks: powers of two of frames.
//!
//! Below [`Order::BLOCK`] a chunk lies inside one split block; from there on it is made of whole blocks.

/// A chunk of 2^n frames, 0 to 18: 4 KiB to 1 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order(u8);

impl Order {
    /// One frame.
    pub const FRAME: Self = Self(0);
    /// A block: 2 MiB.
    pub const BLOCK: Self = Self(9);
    /// The largest chunk: 1 GiB.
    pub const MAX: Self = Self(18);

    /// 2^`order` frames.
    ///
    /// # Panics
    /// Above [`Order::MAX`].
    pub const fn new(order: u8) -> Self {
        assert!(order <= Self::MAX.0, "the largest chunk is 1 GiB");
        Self(order)
    }

    /// The smallest chunk that holds `frames` frames; `None` when none does.
    pub const fn holding(frames: u64) -> Option<Self> {
        let order = match frames.checked_next_power_of_two() {
            Some(rounded) => rounded.trailing_zeros() as u8,
            None => return None,
        };
        if order <= Self::MAX.0 { Some(Self(order)) } else { None }
    }

    /// The largest chunk at `frame` that is no longer than `frames`, of which there is at least one.
    pub(crate) const fn fitting(frame: u64, frames: u64) -> Self {
        let aligned = frame.trailing_zeros();
        let long = frames.ilog2();
        let order = if aligned < long { aligned } else { long };
        if order < Self::MAX.0 as u32 { Self(order as u8) } else { Self::MAX }
    }

    /// Its exponent.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Frames of a chunk.
    pub const fn frames(self) -> u64 {
        1 << self.0
    }

    /// Blocks of a chunk.
    pub(crate) const fn blocks(self) -> u64 {
        assert!(self.0 >= Self::BLOCK.0, "the chunk is made of whole blocks");
        1 << (self.0 - Self::BLOCK.0)
    }

    /// Whether a chunk is made of whole blocks.
    pub const fn is_blocks(self) -> bool {
        self.0 >= Self::BLOCK.0
    }

    /// Twice the size.
    pub(crate) const fn up(self) -> Self {
        Self::new(self.0 + 1)
    }

    /// Half the size.
    pub(crate) const fn down(self) -> Self {
        Self(self.0 - 1)
    }

    /// Orders from [`Order::BLOCK`] to [`Order::MAX`].
    pub(crate) fn blocks_and_above() -> impl Iterator<Item = Self> {
        (Self::BLOCK.0..=Self::MAX.0).map(Self)
    }
}
