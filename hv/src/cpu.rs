//! Which processor this is, in the board file's order.
//!
//! Never a hardware id: `board::CPUS` has those.

use core::fmt;

use crate::board;

/// Logical number of a CPU: its place among `[[cpu.core]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct CpuIndex(u32);

impl CpuIndex {
    /// The CPU that boots.
    pub const BOOT: Self = Self(0);

    /// The CPU with this number, if the board has it.
    pub const fn new(index: usize) -> Option<Self> {
        if index < board::CPUS.len() { Some(Self(index as u32)) } else { None }
    }

    /// Its place in `board::CPUS` and `board::CPU_FRAMES`.
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// Every CPU but the first.
    pub fn secondaries() -> impl Iterator<Item = Self> {
        (1..board::CPUS.len()).filter_map(Self::new)
    }
}

impl fmt::Display for CpuIndex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
