//! What Linux shows of a PC's firmware, saved into a folder: the memory map, and ACPI's table of interrupt controllers.
//!
//! Never looks into the table; `codegen::import` does.

use std::path::{Path, PathBuf};

use codegen::import::{Firmware, MapEntry};
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// Where the table may be: copied as a file, or with the folders around it.
const TABLES: [&str; 2] = ["APIC", "acpi/tables/APIC"];
/// Linux, "sysfs-firmware-memmap": a folder a range, with its first byte, its last byte and its kind.
const MAP: &str = "memmap";

/// What was saved, and what it is called.
pub struct Saved {
    /// The tables.
    pub firmware: Firmware,
    /// SHA-256 of the memory map and the MADT, in hexadecimal.
    pub sha256: String,
}

/// Reads a folder; `None` where it holds no such table.
///
/// # Errors
/// A table without a memory map, or files that do not hold what Linux writes there.
pub fn read(folder: &Path) -> Result<Option<Saved>, Failure> {
    let Some(table) = TABLES.iter().map(|table| folder.join(table)).find(|table| table.is_file()) else {
        return Ok(None);
    };
    let madt = std::fs::read(&table).map_err(|error| unreadable(&table, &error))?;
    let map = map(&folder.join(MAP))?;
    let mut sum = Sha256::new();
    for MapEntry { first, last, kind } in &map {
        sum.update(format!("{first:#x} {last:#x} {kind}\n"));
    }
    sum.update(&madt);
    let sha256 = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Saved { firmware: Firmware { map, madt }, sha256 }))
}

/// The entries, by address.
fn map(folder: &Path) -> Result<Vec<MapEntry>, Failure> {
    let entries = folder.read_dir().map_err(|error| unreadable(folder, &error))?;
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(|e| unreadable(folder, &e))?;
    folders.retain(|path| path.is_dir());
    let mut map = folders.iter().map(|folder| entry(folder)).collect::<Result<Vec<_>, _>>()?;
    map.sort_by_key(|entry| entry.first);
    Ok(map)
}

fn entry(folder: &Path) -> Result<MapEntry, Failure> {
    let text = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map(|text| text.trim().to_owned()).map_err(|error| unreadable(&path, &error))
    };
    let number = |name: &str| {
        let text = text(name)?;
        let digits = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        digits.ok_or_else(|| {
            Failure::Usage(format!("{} holds {text:?}, which is no address", folder.join(name).display()))
        })
    };
    Ok(MapEntry { first: number("start")?, last: number("end")?, kind: text("type")? })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("cannot read {}: {error}", path.display()))
}
