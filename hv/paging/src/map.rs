//! The mapper: adds translations to a tree of tables.
//!
//! Only ever turns an invalid entry into a valid one, so there is nothing to invalidate after
//! [`Mapper::map`]. All checks and all allocation come before the first change: an error leaves the
//! tables as they were. Removing is in `unmap.rs`.

use core::fmt;
use core::marker::PhantomData;

use crate::access::{TableAccess, TableSource};
use crate::addr::PhysAddr;
use crate::format::{Decoded, Format};
use crate::frame::{Frame, FrameRange};
use crate::level::{Index, Level};
use crate::request::Request;
use crate::table::Entry;
use crate::walk::Root;

/// Why nothing was mapped or unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError<F: Format> {
    /// Something is mapped here already, or an entry is none the format writes.
    Overlap {
        /// The first such address of the request.
        at: F::Input,
    },
    /// Nothing to unmap here.
    Unmapped {
        /// The first such address of the request.
        at: F::Input,
    },
    /// A block lies here of which only a part was to be unmapped.
    Split {
        /// First address of the block.
        at: F::Input,
        /// Level of the table that holds it.
        level: Level,
    },
    /// The source has no frame left for a table.
    OutOfTables,
    /// The address is not at the start of a page.
    Misaligned {
        /// The address.
        at: F::Input,
    },
    /// The root does not reach all of the request.
    OutOfRange {
        /// First address of the request.
        at: F::Input,
    },
    /// An entry cannot hold these frame numbers.
    FrameOutOfRange {
        /// The frames.
        frames: FrameRange,
    },
    /// The format does not grant these attributes.
    Attributes(F::Attributes),
}

impl<F: Format> fmt::Display for MapError<F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap { at } => write!(out, "{at} is mapped already"),
            Self::Unmapped { at } => write!(out, "{at} is not mapped"),
            Self::Split { at, level } => {
                write!(out, "the block of {} bytes at {at} would be split", level.entry_bytes())
            }
            Self::OutOfTables => out.write_str("no frame left for a table"),
            Self::Misaligned { at } => write!(out, "{at} is not at the start of a page"),
            Self::OutOfRange { at } => write!(out, "the root does not reach all pages from {at}"),
            Self::FrameOutOfRange { frames } => write!(out, "no entry can hold {frames}"),
            Self::Attributes(attributes) => write!(out, "{attributes:?} is never granted"),
        }
    }
}

impl<F: Format> core::error::Error for MapError<F> {}

/// Edits the tree of tables below one root.
#[derive(Clone, Copy, Debug)]
pub struct Mapper<F: Format> {
    pub(crate) root: Root,
    pub(crate) largest_leaf: Level,
    pub(crate) kept_tables: Level,
    format: PhantomData<F>,
}

impl<F: Format> Mapper<F> {
    /// Uses the largest leaves of the format; tables that become empty are freed, the root is not.
    pub const fn new(root: Root) -> Self {
        Self { root, largest_leaf: Level::L0, kept_tables: root.level, format: PhantomData }
    }

    /// Uses no leaf larger than those at `level`: for CPUs without 1 GiB pages, or to map by page.
    pub const fn with_largest_leaf(self, level: Level) -> Self {
        Self { largest_leaf: level, ..self }
    }

    /// Never frees tables at `level` or above, even when they are empty: for static tables and for
    /// those that several roots share.
    pub const fn with_kept_tables(self, level: Level) -> Self {
        Self { kept_tables: level, ..self }
    }

    /// Maps `frames` from `at` on, with the largest leaves that fit.
    ///
    /// A new table is complete before it is linked.
    ///
    /// # Errors
    /// The tables are as they were and every frame taken from `source` is back.
    pub fn map(
        &self,
        access: &mut impl TableAccess,
        source: &mut impl TableSource,
        at: F::Input,
        frames: FrameRange,
        attributes: F::Attributes,
    ) -> Result<(), MapError<F>> {
        let request = self.check(at, frames, attributes)?;
        let missing = self.missing_tables(access, Some(self.root.frame), self.root.level, request)?;
        let mut reserve = Reserve::fill(access, source, missing).ok_or(MapError::OutOfTables)?;
        self.fill(access, &mut reserve, self.root, request, attributes);
        Ok(())
    }

    /// How many tables [`Mapper::map`] would take from its source.
    ///
    /// # Errors
    /// Those of [`Mapper::map`], but for want of tables.
    pub fn tables_needed(
        &self,
        access: &mut impl TableAccess,
        at: F::Input,
        frames: FrameRange,
        attributes: F::Attributes,
    ) -> Result<u64, MapError<F>> {
        let request = self.check(at, frames, attributes)?;
        self.missing_tables(access, Some(self.root.frame), self.root.level, request)
    }

    /// What does not depend on what the tables hold.
    fn check(&self, at: F::Input, frames: FrameRange, attributes: F::Attributes) -> Result<Request, MapError<F>> {
        if !F::attributes_allowed(attributes) {
            return Err(MapError::Attributes(attributes));
        }
        let end = frames.first.number().saturating_add(frames.frames);
        if end > F::FRAME_LIMIT {
            return Err(MapError::FrameOutOfRange { frames });
        }
        Request::new::<F>(self.root.level, at, frames.first.number(), frames.frames)
    }

    /// How many tables `request` needs that are not there; `table` is `None` below a missing one.
    fn missing_tables(
        &self,
        access: &mut impl TableAccess,
        table: Option<Frame>,
        level: Level,
        request: Request,
    ) -> Result<u64, MapError<F>> {
        let mut missing = 0;
        for (index, piece) in request.pieces(level) {
            let found = table.map_or(Decoded::Invalid, |table| F::decode(level, access.read(table, index)));
            missing += match (found, level.child()) {
                (Decoded::Invalid, _) if self.fits_leaf(level, piece) => 0,
                (Decoded::Invalid, Some(child)) => 1 + self.missing_tables(access, None, child, piece)?,
                (Decoded::Table(next), Some(child)) => self.missing_tables(access, Some(next), child, piece)?,
                (Decoded::Leaf { .. } | Decoded::Unknown, _) | (Decoded::Invalid | Decoded::Table(_), None) => {
                    return Err(MapError::Overlap { at: piece.at::<F>() });
                }
            };
        }
        Ok(missing)
    }

    /// Writes what [`Mapper::missing_tables`] has checked and counted.
    fn fill(
        &self,
        access: &mut impl TableAccess,
        reserve: &mut Reserve,
        root: Root,
        request: Request,
        attributes: F::Attributes,
    ) {
        let Root { frame: table, level } = root;
        for (index, piece) in request.pieces(level) {
            match (F::decode(level, access.read(table, index)), level.child()) {
                (Decoded::Table(next), Some(child)) => {
                    self.fill(access, reserve, Root::new(next, child), piece, attributes);
                }
                (_, Some(child)) if !self.fits_leaf(level, piece) => {
                    let next = reserve.take(access);
                    self.fill(access, reserve, Root::new(next, child), piece, attributes);
                    access.write(table, index, F::table(next));
                }
                _ => {
                    let leaf = F::leaf(level, Frame::new(piece.first), attributes);
                    access.write(table, index, leaf);
                }
            }
        }
    }

    fn fits_leaf(&self, level: Level, piece: Request) -> bool {
        match level {
            Level::L3 => true,
            Level::L0 | Level::L1 | Level::L2 => {
                level >= self.largest_leaf && F::leaf_allowed(level) && piece.fits_leaf(level)
            }
        }
    }
}

/// Tables taken from a source and not yet linked. Each holds the address of the next in its first
/// entry, whose lowest bits are clear: invalid in every format.
struct Reserve {
    head: Option<Frame>,
}

impl Reserve {
    const LINK: Index = Index::new(0);

    /// Takes `tables` tables; gives all back and returns `None` if there are not as many.
    fn fill(access: &mut impl TableAccess, source: &mut impl TableSource, tables: u64) -> Option<Self> {
        let mut reserve = Self { head: None };
        for left in (0..tables).rev() {
            let Some(table) = source.allocate() else {
                for _ in left + 1..tables {
                    source.free(reserve.take(access));
                }
                return None;
            };
            // Frame 0 ends the chain: no source hands it out, null pointers lead there.
            let next = reserve.head.map_or(0, |next| next.address().get());
            access.write(table, Self::LINK, Entry::new(next));
            reserve.head = Some(table);
        }
        Some(reserve)
    }

    /// Takes one table out, all zero again.
    fn take(&mut self, access: &mut impl TableAccess) -> Frame {
        let table = self.head.expect("as many tables were taken as were counted");
        let link = access.read(table, Self::LINK).get();
        access.write(table, Self::LINK, Entry::INVALID);
        self.head = (link != 0).then(|| Frame::containing(PhysAddr::new(link)));
        table
    }
}
