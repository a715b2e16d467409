//! What the boot loader hands over, in either of two protocols: RAM ranges, and where ACPI starts.
//!
//! Copies through [`PhysicalMemory`]; maps nothing, keeps no pointer. Knows nothing of the board file.

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, PAGE_BYTES, PhysAddr};

use super::physical::{PhysicalMemory, Unreadable};
use crate::firmware::RAM_RANGES_MAX;

mod multiboot2;
mod start_info;
#[cfg(test)]
mod tests;

/// Most entries of a memory map looked at; firmware's are tens.
pub const MAP_ENTRIES_MAX: u32 = 1024;

/// Which loader entered the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Protocol {
    /// Xen's PVH: `hvm_start_info`.
    Pvh = 1,
    /// Multiboot2.
    Multiboot2 = 2,
}

/// What was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// RAM, whole frames only, in the loader's order.
    pub ram: ArrayVec<FrameRange, RAM_RANGES_MAX>,
    /// ACPI's root pointer structure, where the loader knows one.
    pub rsdp: Option<PhysAddr>,
    /// The boot command line, NUL-terminated, where the loader gives one.
    pub command_line: Option<PhysAddr>,
}

/// Most bytes of a command line that are read. Linux, `COMMAND_LINE_SIZE` of x86.
pub const COMMAND_LINE_MAX: usize = 2048;

/// Copies the NUL-terminated command line at `at`, a page's part at a time; what lies beyond the most is not read.
pub fn command_line(
    memory: &mut impl PhysicalMemory,
    at: PhysAddr,
) -> Result<ArrayVec<u8, COMMAND_LINE_MAX>, Unreadable> {
    const CHUNK_BYTES: usize = 64;
    let mut line = ArrayVec::new();
    let mut next = at;
    while line.len() < COMMAND_LINE_MAX {
        let mut chunk = [0; CHUNK_BYTES];
        // Chunks end where pages do: the line may end before the memory behind it is any.
        let bytes = CHUNK_BYTES - next.get() as usize % CHUNK_BYTES;
        memory.read(next, &mut chunk[..bytes])?;
        let end = chunk[..bytes].iter().position(|byte| *byte == 0);
        line.extend(chunk[..end.unwrap_or(bytes)].iter().copied().take(COMMAND_LINE_MAX - line.len()));
        if end.is_some() {
            break;
        }
        next = next.checked_add(bytes as u64).ok_or(Unreadable { at })?;
    }
    Ok(line)
}

/// Why what was handed over is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoverError {
    /// Outside what can be read.
    Unreadable {
        /// First byte asked for.
        at: PhysAddr,
    },
    /// No structure of that protocol at `at`.
    Magic {
        /// Where it should be.
        at: PhysAddr,
    },
    /// A length or count that cannot be.
    Length {
        /// The structure that says so.
        at: PhysAddr,
        /// What it says.
        length: u32,
    },
    /// The loader gives no memory map.
    NoMemoryMap,
    /// More than [`RAM_RANGES_MAX`] ranges of RAM.
    TooManyRanges {
        /// The structure that lists them.
        at: PhysAddr,
    },
}

impl From<Unreadable> for HandoverError {
    fn from(Unreadable { at }: Unreadable) -> Self {
        Self::Unreadable { at }
    }
}

/// Reads the structure at `at`.
pub fn read(memory: &mut impl PhysicalMemory, protocol: Protocol, at: PhysAddr) -> Result<Handover, HandoverError> {
    match protocol {
        Protocol::Pvh => start_info::read(memory, at),
        Protocol::Multiboot2 => multiboot2::read(memory, at),
    }
}

/// Keeps one entry of the memory map at `at` if it is RAM that holds a whole frame.
///
/// Type 1 is RAM in both protocols, as in ACPI Specification 6.5, "Address Range Types", AddressRangeMemory. The
/// all-zero entry that QEMU's microvm ends its map with is type 0, and no other type is ours to use.
fn keep_ram(
    ram: &mut ArrayVec<FrameRange, RAM_RANGES_MAX>,
    at: PhysAddr,
    (base, bytes, kind): (u64, u64, u32),
) -> Result<(), HandoverError> {
    const RAM: u32 = 1;
    let first = base.div_ceil(PAGE_BYTES);
    let end = base.saturating_add(bytes) / PAGE_BYTES;
    if kind != RAM || first >= end {
        return Ok(());
    }
    let Some(first_byte) = first.checked_mul(PAGE_BYTES) else { return Ok(()) };
    let range = FrameRange::new(Frame::containing(PhysAddr::new(first_byte)), end - first);
    ram.try_push(range).map_err(|_| HandoverError::TooManyRanges { at })
}
