//! The one place that puts generated page tables into the image.
//!
//! Decides nothing: the plan says what the tables hold, the linker script where they lie.

// UNSAFETY: names a section of the image.
#![cfg_attr(bare, expect(unsafe_code, reason = "link_section"))]

use paging::Table;

use crate::board::tables;

/// All static tables, in the plan's order, evaluated by the compiler.
// SAFETY: the linker script gives `.tables` an extent of whole pages, mapped for reading and writing; nothing else
// is put there.
#[cfg_attr(bare, unsafe(link_section = ".tables"))]
#[used]
static BOOT_TABLES: [Table; tables::TABLES] = tables::boot_tables();

/// The static table with this number.
pub fn table(index: usize) -> &'static Table {
    &BOOT_TABLES[index]
}
