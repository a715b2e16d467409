//! Physical frames and ranges of them.
//!
//! A frame is a number, not a pointer: nothing here leads to its bytes.

use core::fmt;

use crate::addr::{PAGE_BYTES, PhysAddr, write_grouped};

/// A 4 KiB physical frame, by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame(u64);

impl Frame {
    /// Frame numbers end here: the whole range of [`PhysAddr`].
    const LIMIT: u64 = u64::MAX / PAGE_BYTES + 1;

    /// Frame number `number`.
    ///
    /// # Panics
    /// When its address would not fit a [`PhysAddr`].
    pub const fn new(number: u64) -> Self {
        assert!(number < Self::LIMIT, "frame numbers have 52 bits");
        Self(number)
    }

    /// The frame that holds the byte at `address`.
    pub const fn containing(address: PhysAddr) -> Self {
        Self(address.get() / PAGE_BYTES)
    }

    /// Its first byte.
    pub const fn address(self) -> PhysAddr {
        PhysAddr::new(self.0 * PAGE_BYTES)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The frame `frames` further on.
    ///
    /// # Panics
    /// Past the last frame number; [`Frame::checked_add`] asks instead.
    pub const fn add(self, frames: u64) -> Self {
        self.checked_add(frames).expect("the sum is a frame number")
    }

    /// The frame `frames` further on; `None` past the last frame number.
    pub const fn checked_add(self, frames: u64) -> Option<Self> {
        match self.0.checked_add(frames) {
            Some(number) if number < Self::LIMIT => Some(Self(number)),
            _ => None,
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Frame({self})")
    }
}

/// Prints the address of its first byte.
impl fmt::Display for Frame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_grouped(out, self.0 * PAGE_BYTES)
    }
}

/// Consecutive frames; half-open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRange {
    /// The first one.
    pub first: Frame,
    /// How many.
    pub frames: u64,
}

impl FrameRange {
    /// `frames` frames from `first`.
    pub const fn new(first: Frame, frames: u64) -> Self {
        Self { first, frames }
    }

    /// From `first` up to, not including, `end`; empty when `end` is not above `first`.
    pub const fn between(first: Frame, end: Frame) -> Self {
        Self { first, frames: end.0.saturating_sub(first.0) }
    }

    /// The frame behind the last one.
    ///
    /// # Panics
    /// When the range leaves the frame numbers.
    pub const fn end(self) -> Frame {
        self.first.add(self.frames)
    }

    /// Whether it holds no frame.
    pub const fn is_empty(self) -> bool {
        self.frames == 0
    }

    /// Its length, bytes.
    pub const fn bytes(self) -> u64 {
        self.frames * PAGE_BYTES
    }

    /// Whether `frame` is in it.
    pub const fn contains(self, frame: Frame) -> bool {
        frame.0 >= self.first.0 && frame.0 - self.first.0 < self.frames
    }

    /// Whether every frame of `other` is in it; an empty range is in every range.
    pub const fn contains_range(self, other: Self) -> bool {
        other.is_empty() || (self.first.0 <= other.first.0 && other.end().0 <= self.end().0)
    }

    /// The frames that both hold; `None` when there are none.
    pub const fn intersection(self, other: Self) -> Option<Self> {
        let first = if self.first.0 > other.first.0 { self.first } else { other.first };
        let end = if self.end().0 < other.end().0 { self.end() } else { other.end() };
        let both = Self::between(first, end);
        if both.is_empty() { None } else { Some(both) }
    }

    /// Whether a frame is in both.
    pub const fn intersects(self, other: Self) -> bool {
        self.intersection(other).is_some()
    }
}

impl fmt::Debug for FrameRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "FrameRange({self})")
    }
}

/// Prints both ends: `0x4000_0000..0x4020_0000`.
impl fmt::Display for FrameRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}..", self.first)?;
        write_grouped(out, (self.first.0 + self.frames) * PAGE_BYTES)
    }
}
