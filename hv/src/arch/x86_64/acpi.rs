//! Finds ACPI's table of processors and reads which of them can be started.
//!
//! Copies field by field through [`PhysicalMemory`]; believes a table only after its checksum, and no length
//! beyond [`TABLE_BYTES_MAX`]. Interprets no AML, follows no pointer but RSDP, root table and MADT.
//!
//! Layouts: ACPI Specification 6.5, "Root System Description Pointer (RSDP) Structure", "System Description Table
//! Header", "Multiple APIC Description Table (MADT)".

use paging::PhysAddr;

use super::physical::{PhysicalMemory, Unreadable, behind, read_array, u32_at, u64_at};

mod madt;
#[cfg(test)]
mod tests;

pub use madt::Processor;

/// Longest table this reader believes; a MADT of 4,096 x2APIC entries needs 64 KiB.
pub const TABLE_BYTES_MAX: u32 = 1 << 20;

/// Bytes that one checksum step copies.
const CHUNK_BYTES: usize = 256;

/// Bytes of the header that all system description tables share.
const HEADER_BYTES: u64 = 36;

/// Why the tables say nothing about the processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcpiError {
    /// Outside what can be read.
    Unreadable {
        /// First byte asked for.
        at: PhysAddr,
    },
    /// Another signature than the one expected there.
    Signature {
        /// Start of the table.
        at: PhysAddr,
    },
    /// The bytes do not add up to zero.
    Checksum {
        /// Start of the table.
        at: PhysAddr,
    },
    /// A length that cannot be.
    Length {
        /// Start of the table or entry.
        at: PhysAddr,
        /// What it says.
        bytes: u32,
    },
    /// The root table lists no MADT.
    NoMadt {
        /// Start of the root table.
        at: PhysAddr,
    },
}

impl From<Unreadable> for AcpiError {
    fn from(Unreadable { at }: Unreadable) -> Self {
        Self::Unreadable { at }
    }
}

/// The table of tables, in one of its two widths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootTable {
    /// RSDT: 32-bit pointers.
    Rsdt(PhysAddr),
    /// XSDT: 64-bit pointers.
    Xsdt(PhysAddr),
}

/// Where the root table is, by the pointer structure at `at`.
pub fn root_table(memory: &mut impl PhysicalMemory, at: PhysAddr) -> Result<RootTable, AcpiError> {
    let first: [u8; 20] = read_array(memory, at)?;
    if !first.starts_with(b"RSD PTR ") {
        return Err(AcpiError::Signature { at });
    }
    if sum(&first) != 0 {
        return Err(AcpiError::Checksum { at });
    }
    let rsdt = RootTable::Rsdt(PhysAddr::new(u64::from(u32_at(&first, 16))));
    // Revision 0 is ACPI 1.0, whose structure ends here.
    if first[15] < 2 {
        return Ok(rsdt);
    }
    let whole: [u8; 36] = read_array(memory, at)?;
    let bytes = u32_at(&whole, 20);
    if bytes as usize != whole.len() {
        return Err(AcpiError::Length { at, bytes });
    }
    if sum(&whole) != 0 {
        return Err(AcpiError::Checksum { at });
    }
    Ok(match u64_at(&whole, 24) {
        0 => rsdt,
        xsdt => RootTable::Xsdt(PhysAddr::new(xsdt)),
    })
}

/// Reads the MADT that `root` lists; `each` is told every processor that is enabled.
pub fn processors(
    memory: &mut impl PhysicalMemory,
    root: RootTable,
    each: impl FnMut(Processor),
) -> Result<(), AcpiError> {
    let (at, signature, pointer_bytes) = match root {
        RootTable::Rsdt(at) => (at, b"RSDT", 4),
        RootTable::Xsdt(at) => (at, b"XSDT", 8),
    };
    let bytes = checked_table(memory, at, signature)?;
    let mut entry = HEADER_BYTES;
    while entry + pointer_bytes <= u64::from(bytes) {
        let pointer = match root {
            RootTable::Rsdt(_) => u64::from(u32::from_le_bytes(read_array(memory, behind(at, entry)?)?)),
            RootTable::Xsdt(_) => u64::from_le_bytes(read_array(memory, behind(at, entry)?)?),
        };
        let table = PhysAddr::new(pointer);
        let found: [u8; 4] = read_array(memory, table)?;
        if &found == b"APIC" {
            let bytes = checked_table(memory, table, b"APIC")?;
            return madt::read(memory, table, bytes, each);
        }
        entry += pointer_bytes;
    }
    Err(AcpiError::NoMadt { at })
}

/// Length in bytes of the table at `at`, once signature, length and checksum are right.
fn checked_table(memory: &mut impl PhysicalMemory, at: PhysAddr, signature: &[u8; 4]) -> Result<u32, AcpiError> {
    let header: [u8; 8] = read_array(memory, at)?;
    if !header.starts_with(signature) {
        return Err(AcpiError::Signature { at });
    }
    let bytes = u32_at(&header, 4);
    if u64::from(bytes) < HEADER_BYTES || bytes > TABLE_BYTES_MAX {
        return Err(AcpiError::Length { at, bytes });
    }
    let mut total = 0u8;
    let mut done = 0;
    let mut chunk = [0; CHUNK_BYTES];
    while done < bytes as usize {
        let part = &mut chunk[..CHUNK_BYTES.min(bytes as usize - done)];
        memory.read(behind(at, done as u64)?, part)?;
        total = total.wrapping_add(sum(part));
        done += part.len();
    }
    if total == 0 { Ok(bytes) } else { Err(AcpiError::Checksum { at }) }
}

/// Sum modulo 256; zero for what carries a right checksum.
fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
