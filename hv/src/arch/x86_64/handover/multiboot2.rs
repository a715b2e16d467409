//! The boot information of Multiboot2: a list of tagged records.
//!
//! Uses the command line, the memory map and the copies of ACPI's root pointer; steps over the rest. Layout: Multiboot2 Specification
//! version 2.0, "Boot information format".

use core::ops::RangeInclusive;

use arrayvec::ArrayVec;
use paging::{FrameRange, PhysAddr};

use super::{Handover, HandoverError, MAP_ENTRIES_MAX, keep_ram};
use crate::arch::x86_64::physical::{PhysicalMemory, behind, read_array, u32_at, u64_at};
use crate::firmware::RAM_RANGES_MAX;

/// Lengths of boot information that are believed: from the fixed part and an end tag up.
const INFO_BYTES: RangeInclusive<u32> = 16..=1 << 20;

/// Tag types.
const END: u32 = 0;
const COMMAND_LINE: u32 = 1;
const MEMORY_MAP: u32 = 6;
const ACPI_OLD_RSDP: u32 = 14;
const ACPI_NEW_RSDP: u32 = 15;

/// Bytes of a tag's type and size.
const TAG_HEADER_BYTES: u64 = 8;

/// Reads the information at `at`.
pub(super) fn read(memory: &mut impl PhysicalMemory, at: PhysAddr) -> Result<Handover, HandoverError> {
    let fixed: [u8; 8] = read_array(memory, at)?;
    let total = u32_at(&fixed, 0);
    if !INFO_BYTES.contains(&total) || !at.is_aligned_to(8) {
        return Err(HandoverError::Length { at, length: total });
    }
    let mut ram = None;
    let mut rsdp = None;
    let mut command_line = None;
    let mut offset = 8;
    while offset + TAG_HEADER_BYTES <= u64::from(total) {
        let tag = behind(at, offset)?;
        let header: [u8; 8] = read_array(memory, tag)?;
        let (kind, bytes) = (u32_at(&header, 0), u32_at(&header, 4));
        if u64::from(bytes) < TAG_HEADER_BYTES || u64::from(bytes) > u64::from(total) - offset {
            return Err(HandoverError::Length { at: tag, length: bytes });
        }
        match kind {
            END => break,
            COMMAND_LINE => command_line = Some(behind(tag, TAG_HEADER_BYTES)?),
            MEMORY_MAP => ram = Some(memory_map(memory, tag, bytes)?),
            // The newer structure is the better one, whichever comes first.
            ACPI_NEW_RSDP => rsdp = Some(behind(tag, TAG_HEADER_BYTES)?),
            ACPI_OLD_RSDP if rsdp.is_none() => rsdp = Some(behind(tag, TAG_HEADER_BYTES)?),
            _ => {}
        }
        offset += u64::from(bytes).next_multiple_of(8);
    }
    Ok(Handover { ram: ram.ok_or(HandoverError::NoMemoryMap)?, rsdp, command_line })
}

/// The memory map tag: entry_size 8, entry_version 12, entries from 16 (base_addr 0, length 8, type 16).
fn memory_map(
    memory: &mut impl PhysicalMemory,
    tag: PhysAddr,
    bytes: u32,
) -> Result<ArrayVec<FrameRange, RAM_RANGES_MAX>, HandoverError> {
    let header: [u8; 16] = read_array(memory, tag)?;
    let entry_bytes = u32_at(&header, 8);
    if bytes < 16 || entry_bytes < 24 || !entry_bytes.is_multiple_of(8) {
        return Err(HandoverError::Length { at: tag, length: entry_bytes });
    }
    let entries = (bytes - 16) / entry_bytes;
    if entries > MAP_ENTRIES_MAX {
        return Err(HandoverError::Length { at: tag, length: entries });
    }
    let mut ram = ArrayVec::new();
    for number in 0..u64::from(entries) {
        let at = behind(tag, 16 + number * u64::from(entry_bytes))?;
        let entry: [u8; 24] = read_array(memory, at)?;
        keep_ram(&mut ram, tag, (u64_at(&entry, 0), u64_at(&entry, 8), u32_at(&entry, 16)))?;
    }
    Ok(ram)
}
