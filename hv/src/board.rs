//! The board this image is for: generated constants, and the two look-ups that reports need.
//!
//! Holds no value of its own: `layout.rs` and `tables.rs` are generated from the board file.

use core::fmt;

use paging::VirtAddr;

pub mod types;
#[cfg(test)]
mod tests;

use types::{Origin, Region};

include!(env!("TABULA_LAYOUT"));

/// The page tables, evaluated by the compiler, and the builders of each other CPU's own.
#[allow(missing_docs, reason = "generated; its header names the source")]
pub mod tables {
    include!(env!("TABULA_TABLES"));
}

/// The region that holds `at`.
pub fn region(at: VirtAddr) -> Option<&'static Region> {
    let behind = REGIONS.partition_point(|region| region.base.get() <= at.get());
    let region = REGIONS.get(behind.checked_sub(1)?)?;
    (at.get() - region.base.get() < region.bytes).then_some(region)
}

/// Prints an origin the way editors open it.
pub struct Place(pub Origin);

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Origin::Line(line) => write!(out, "{}:{line}", PLATFORM.file),
            Origin::BaseLine(line) => write!(out, "{}:{line}", PLATFORM.base_file),
            Origin::Default => write!(out, "{}, by default", PLATFORM.file),
        }
    }
}
