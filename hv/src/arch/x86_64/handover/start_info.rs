//! `hvm_start_info`, the structure that a PVH loader leaves.
//!
//! Version 1 and later: version 0 carries no memory map. Layout: Xen public header `arch-x86/hvm/start_info.h`.

use arrayvec::ArrayVec;
use paging::PhysAddr;

use super::{Handover, HandoverError, MAP_ENTRIES_MAX, keep_ram};
use crate::arch::x86_64::physical::{PhysicalMemory, behind, read_array, u32_at, u64_at};

/// `XEN_HVM_START_MAGIC_VALUE`.
const MAGIC: u32 = 0x336e_c578;

/// Bytes of one `hvm_memmap_table_entry`.
const ENTRY_BYTES: u64 = 24;

/// Reads the structure at `at`.
pub(super) fn read(memory: &mut impl PhysicalMemory, at: PhysAddr) -> Result<Handover, HandoverError> {
    // magic 0, version 4, flags 8, nr_modules 12, modlist 16, cmdline 24, rsdp 32, memmap 40, memmap_entries 48.
    let info: [u8; 56] = read_array(memory, at)?;
    if u32_at(&info, 0) != MAGIC {
        return Err(HandoverError::Magic { at });
    }
    let entries = u32_at(&info, 48);
    if u32_at(&info, 4) == 0 || entries == 0 {
        return Err(HandoverError::NoMemoryMap);
    }
    if entries > MAP_ENTRIES_MAX {
        return Err(HandoverError::Length { at, length: entries });
    }
    let map = PhysAddr::new(u64_at(&info, 40));
    let mut ram = ArrayVec::new();
    for number in 0..u64::from(entries) {
        // addr 0, size 8, type 16.
        let entry: [u8; ENTRY_BYTES as usize] = read_array(memory, behind(map, number * ENTRY_BYTES)?)?;
        keep_ram(&mut ram, map, (u64_at(&entry, 0), u64_at(&entry, 8), u32_at(&entry, 16)))?;
    }
    let rsdp = Some(u64_at(&info, 32)).filter(|at| *at != 0).map(PhysAddr::new);
    let command_line = Some(u64_at(&info, 24)).filter(|at| *at != 0).map(PhysAddr::new);
    Ok(Handover { ram, rsdp, command_line })
}
