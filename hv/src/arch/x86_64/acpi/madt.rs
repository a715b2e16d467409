//! The Multiple APIC Description Table: the processors in it.
//!
//! Knows the two structures that name one and steps over the others. Layouts: ACPI Specification 6.5, "Processor Local
//! APIC Structure", "Processor Local x2APIC Structure".

use paging::PhysAddr;

use super::AcpiError;
use crate::arch::x86_64::physical::{PhysicalMemory, behind, read_array, u32_at};

/// First interrupt controller structure, bytes from the start of the table.
const STRUCTURES: u64 = 44;

/// Local APIC flags, Enabled, bit 0: ready for use.
const ENABLED: u32 = 1;

/// One enabled processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Its local APIC's identifier.
    pub apic_id: u32,
}

/// Reads the structures of a table whose length and checksum are right.
pub(super) fn read(
    memory: &mut impl PhysicalMemory,
    table: PhysAddr,
    bytes: u32,
    mut each: impl FnMut(Processor),
) -> Result<(), AcpiError> {
    let total = u64::from(bytes);
    if total < STRUCTURES {
        return Err(AcpiError::Length { at: table, bytes });
    }
    let mut offset = STRUCTURES;
    while offset + 2 <= total {
        let at = behind(table, offset)?;
        let [kind, length]: [u8; 2] = read_array(memory, at)?;
        let rest = total - offset;
        if length < 2 || u64::from(length) > rest {
            return Err(AcpiError::Length { at, bytes: u32::from(length) });
        }
        structure(memory, at, (kind, length), &mut each)?;
        offset += u64::from(length);
    }
    Ok(())
}

/// Takes what one structure says; a known type with another length is refused.
fn structure(
    memory: &mut impl PhysicalMemory,
    at: PhysAddr,
    (kind, length): (u8, u8),
    each: &mut impl FnMut(Processor),
) -> Result<(), AcpiError> {
    match (kind, length) {
        // Type 0, Processor Local APIC: APIC ID at 3, flags at 4.
        (0, 8) => {
            let bytes: [u8; 8] = read_array(memory, at)?;
            if u32_at(&bytes, 4) & ENABLED != 0 {
                each(Processor { apic_id: u32::from(bytes[3]) });
            }
        }
        // Type 9, Processor Local x2APIC: x2APIC ID at 4, flags at 8.
        (9, 16) => {
            let bytes: [u8; 16] = read_array(memory, at)?;
            if u32_at(&bytes, 8) & ENABLED != 0 {
                each(Processor { apic_id: u32_at(&bytes, 4) });
            }
        }
        (0 | 9, _) => return Err(AcpiError::Length { at, bytes: u32::from(length) }),
        _ => {}
    }
    Ok(())
}
