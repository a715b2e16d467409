//! The linked image: the generated page tables in it, and what its sections leave of their extents.
//!
//! Decides nothing: the plan says what the tables hold and how long extents are, the linker script where all of it lies.

// UNSAFETY: names a section of the image.
#![cfg_attr(bare, expect(unsafe_code, reason = "link_section"))]

#[cfg(bare)]
mod ends;
/// On the host nothing was linked: every section fills its extent.
#[cfg(not(bare))]
mod ends {
    pub(super) fn end(_section: &str) -> Option<paging::VirtAddr> {
        None
    }
}

use paging::{Frame, FrameRange, PAGE_BYTES, Table, VirtAddr};

use crate::board::tables;
use crate::board::types::Section;

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

/// Pages of an extent that its section does not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slack {
    /// Where they are mapped.
    pub at: VirtAddr,
    /// What is mapped there.
    pub frames: FrameRange,
}

/// What a section leaves of its extent.
pub fn slack(section: &Section) -> Slack {
    let pages = section.bytes / PAGE_BYTES;
    let used = ends::end(section.name).map_or(pages, |end| (end.get() - section.link.get()).div_ceil(PAGE_BYTES));
    let used = used.min(pages);
    Slack {
        at: VirtAddr::new(section.link.get() + used * PAGE_BYTES),
        frames: FrameRange::new(Frame::containing(section.base).add(used), pages - used),
    }
}
