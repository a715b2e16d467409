//! The mapper's other half: takes translations out of a tree of tables.
//!
//! Splits nothing. Each removal is reported after the entry is invalid and before its frame can be
//! used for anything else, so that the caller can invalidate what the CPUs have cached.

use crate::access::{TableAccess, TableSource};
use crate::format::{Decoded, Format};
use crate::frame::Frame;
use crate::level::{Index, Level};
use crate::map::{MapError, Mapper};
use crate::request::Request;
use crate::table::Entry;
use crate::walk::{Leaf, Root};

/// What [`Mapper::unmap`] has just taken out of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed<F: Format> {
    /// A translation. CPUs may still use it until they are told.
    Leaf(Leaf<F>),
    /// The link to an empty table, which is freed when the callback returns. CPUs may still walk
    /// through it until they are told.
    Table {
        /// First input address that the table spanned.
        at: F::Input,
        /// Level of the table.
        level: Level,
        /// The table.
        table: Frame,
    },
}

impl<F: Format> Mapper<F> {
    /// Unmaps `frames` pages from `at` on, all of which are mapped.
    ///
    /// # Errors
    /// The tables are as they were and nothing was reported.
    pub fn unmap(
        &self,
        access: &mut impl TableAccess,
        source: &mut impl TableSource,
        at: F::Input,
        frames: u64,
        mut removed: impl FnMut(Removed<F>),
    ) -> Result<(), MapError<F>> {
        let request = Request::new::<F>(self.root.level, at, 0, frames)?;
        Self::check_mapped(access, self.root, request)?;
        self.clear(access, source, self.root, request, &mut removed);
        Ok(())
    }

    /// Whether `request` is made of whole leaves.
    fn check_mapped(access: &mut impl TableAccess, root: Root, request: Request) -> Result<(), MapError<F>> {
        let Root { frame: table, level } = root;
        for (index, piece) in request.pieces(level) {
            match (F::decode(level, access.read(table, index)), level.child()) {
                (Decoded::Leaf { .. }, _) if piece.fills_entry(level) => {}
                (Decoded::Leaf { .. }, _) => {
                    let at = piece.entry_start(level).at::<F>();
                    return Err(MapError::Split { at, level });
                }
                (Decoded::Table(next), Some(child)) => {
                    Self::check_mapped(access, Root::new(next, child), piece)?;
                }
                (Decoded::Invalid | Decoded::Unknown, _) | (Decoded::Table(_), None) => {
                    return Err(MapError::Unmapped { at: piece.at::<F>() });
                }
            }
        }
        Ok(())
    }

    /// Removes what [`Mapper::check_mapped`] has checked.
    fn clear(
        &self,
        access: &mut impl TableAccess,
        source: &mut impl TableSource,
        root: Root,
        request: Request,
        removed: &mut impl FnMut(Removed<F>),
    ) {
        let Root { frame: table, level } = root;
        for (index, piece) in request.pieces(level) {
            match (F::decode(level, access.read(table, index)), level.child()) {
                (Decoded::Leaf { frame, attributes }, _) => {
                    access.write(table, index, Entry::INVALID);
                    removed(Removed::Leaf(Leaf { at: piece.at::<F>(), level, frame, attributes }));
                }
                (Decoded::Table(next), Some(child)) => {
                    self.clear(access, source, Root::new(next, child), piece, removed);
                    if child > self.kept_tables && is_empty(access, next) {
                        access.write(table, index, Entry::INVALID);
                        let at = piece.entry_start(level).at::<F>();
                        removed(Removed::Table { at, level: child, table: next });
                        source.free(next);
                    }
                }
                (Decoded::Invalid | Decoded::Unknown, _) | (Decoded::Table(_), None) => {}
            }
        }
    }
}

/// Whether every entry of `table` is zero.
fn is_empty(access: &mut impl TableAccess, table: Frame) -> bool {
    Index::all().all(|index| access.read(table, index) == Entry::INVALID)
}
