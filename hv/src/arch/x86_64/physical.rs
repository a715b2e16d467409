//! Reading what firmware left in physical memory, by copy.
//!
//! Never hands out a reference: what a table says is a value once read, and a second read may differ.

use paging::PhysAddr;

/// Physical memory as a reader of firmware's tables sees it.
pub trait PhysicalMemory {
    /// Copies the bytes from `at`; all of them or none.
    fn read(&mut self, at: PhysAddr, into: &mut [u8]) -> Result<(), Unreadable>;
}

/// Bytes that cannot be read: past the physical address width, or wider than the window onto them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// First byte asked for.
    pub at: PhysAddr,
}

/// `N` bytes from `at`.
pub(super) fn read_array<const N: usize>(
    memory: &mut impl PhysicalMemory,
    at: PhysAddr,
) -> Result<[u8; N], Unreadable> {
    let mut bytes = [0; N];
    memory.read(at, &mut bytes)?;
    Ok(bytes)
}

/// The address `bytes` behind `at`, unless it would wrap.
pub(super) fn behind(at: PhysAddr, bytes: u64) -> Result<PhysAddr, Unreadable> {
    at.checked_add(bytes).ok_or(Unreadable { at })
}

/// Little-endian 32-bit field at a constant offset of a copied record.
pub(super) const fn u32_at<const N: usize>(bytes: &[u8; N], offset: usize) -> u32 {
    u32::from_le_bytes([bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]])
}

/// Little-endian 64-bit field at a constant offset of a copied record.
pub(super) const fn u64_at<const N: usize>(bytes: &[u8; N], offset: usize) -> u64 {
    u32_at(bytes, offset) as u64 | (u32_at(bytes, offset + 4) as u64) << 32
}

#[cfg(test)]
pub(super) mod model {
    //! A piece of physical memory in a vector, for the readers' tests.

    use super::{PhysAddr, PhysicalMemory, Unreadable};
    use std::vec::Vec;

    /// Bytes that start at `base`; everything else is unreadable.
    pub(in super::super) struct Piece {
        pub(in super::super) base: u64,
        pub(in super::super) bytes: Vec<u8>,
    }

    impl PhysicalMemory for Piece {
        fn read(&mut self, at: PhysAddr, into: &mut [u8]) -> Result<(), Unreadable> {
            let start = at.get().checked_sub(self.base).ok_or(Unreadable { at })?;
            let start = usize::try_from(start).map_err(|_| Unreadable { at })?;
            let end = start.checked_add(into.len()).ok_or(Unreadable { at })?;
            into.copy_from_slice(self.bytes.get(start..end).ok_or(Unreadable { at })?);
            Ok(())
        }
    }
}
