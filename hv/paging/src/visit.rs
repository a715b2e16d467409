//! The visitor: everything that a tree of tables holds, in address order.
//!
//! Made for tables that nobody vouches for: it never panics and always ends, because levels
//! strictly descend. Tables that link to themselves can make that long; a visitor may stop early.

use core::ops::ControlFlow;

use crate::access::TableAccess;
use crate::addr::PAGE_BYTES;
use crate::format::{Decoded, Format};
use crate::frame::Frame;
use crate::level::{Index, Level};
use crate::table::Entry;
use crate::walk::{Leaf, Root};

/// An entry that the format never writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown<F: Format> {
    /// First input address that it spans.
    pub at: F::Input,
    /// Level of the table that holds it.
    pub level: Level,
    /// The table that holds it.
    pub table: Frame,
    /// Its bits.
    pub entry: Entry,
}

/// An entry that is not invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit<F: Format> {
    /// A link; what it leads to is visited next.
    Table {
        /// First input address that the linked table spans.
        at: F::Input,
        /// Level of the linked table.
        level: Level,
        /// The linked table.
        table: Frame,
    },
    /// A translation.
    Leaf(Leaf<F>),
    /// Something the format never writes.
    Unknown(Unknown<F>),
}

/// Visits every entry below `root` that is not invalid, until the visitor breaks.
pub fn for_each_entry<F: Format, B>(
    access: &mut impl TableAccess,
    root: Root,
    mut visitor: impl FnMut(Visit<F>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    visit_table(access, root, 0, &mut visitor)
}

/// Calls `each` for every translation below `root`, in address order.
///
/// # Errors
/// At the first entry that the format never writes; later leaves have not been visited.
pub fn for_each_leaf<F: Format>(
    access: &mut impl TableAccess,
    root: Root,
    mut each: impl FnMut(Leaf<F>),
) -> Result<(), Unknown<F>> {
    let end = for_each_entry(access, root, |visit| match visit {
        Visit::Table { .. } => ControlFlow::Continue(()),
        Visit::Leaf(leaf) => {
            each(leaf);
            ControlFlow::Continue(())
        }
        Visit::Unknown(unknown) => ControlFlow::Break(unknown),
    });
    match end {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(unknown) => Err(unknown),
    }
}

/// Visits the table `root`, whose first entry translates page number `page`.
fn visit_table<F: Format, B>(
    access: &mut impl TableAccess,
    root: Root,
    page: u64,
    visitor: &mut impl FnMut(Visit<F>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let Root { frame: table, level } = root;
    for index in Index::all() {
        let page = page + index.get() as u64 * level.entry_frames();
        let at = F::input(page * PAGE_BYTES);
        let entry = access.read(table, index);
        let unknown = Visit::Unknown(Unknown { at, level, table, entry });
        match (F::decode(level, entry), level.child()) {
            (Decoded::Invalid, _) => {}
            (Decoded::Leaf { frame, attributes }, _) => {
                visitor(Visit::Leaf(Leaf { at, level, frame, attributes }))?;
            }
            (Decoded::Table(table), Some(level)) => {
                visitor(Visit::Table { at, level, table })?;
                visit_table(access, Root::new(table, level), page, visitor)?;
            }
            (Decoded::Unknown, _) | (Decoded::Table(_), None) => visitor(unknown)?,
        }
    }
    ControlFlow::Continue(())
}
