//! Shared translations at run time: leaves come and go, and so do the tables that hold them.
//!
//! Only ever turns invalid entries valid or valid ones invalid; where size alone changes, see `space/size.rs`. A table
//! that has lost its last entry is freed, after every CPU has forgotten the way through it. Never makes or frees a table right below a root: other CPUs' roots hold
//! copies of those entries ([`Space::make_root_entries`] is for the time before there are other CPUs).

mod tables;
mod size;
#[cfg(test)]
mod tests;

pub(crate) use size::by_size;
pub use size::{SizeChange, SizeChanges};
pub use tables::{BootTables, Occupancy, Tables};

use core::fmt;

use paging::{Decoded, Entry, Format, Frame, FrameRange, HostAttributes, Level, PAGE_BYTES, VirtAddr};

use crate::machine::Machine;
use crate::mm::here::{Here, Reach, bytes};

/// Why nothing was mapped or unmapped: the tables are as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpaceError {
    /// Something is mapped here already.
    Occupied(VirtAddr),
    /// There is no such leaf here.
    Vacant(VirtAddr),
    /// No table lies below this root entry, and none can be made any more.
    NoRootEntry(VirtAddr),
    /// No frame left for a table.
    OutOfTables,
}

impl fmt::Display for SpaceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Occupied(at) => write!(out, "{at} is mapped already"),
            Self::Vacant(at) => write!(out, "{at} is not mapped"),
            Self::NoRootEntry(at) => write!(out, "no root entry was made for {at}"),
            Self::OutOfTables => out.write_str("no frame left for a table"),
        }
    }
}

/// Size of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafSize {
    /// 4 KiB.
    Page,
    /// 2 MiB.
    Block,
}

impl LeafSize {
    const fn level(self) -> Level {
        match self {
            Self::Page => Level::L3,
            Self::Block => Level::L2,
        }
    }
}

/// What lies in some part of the shared tables. Parts of two values never share a 2 MiB block, so that each knows of
/// every change to the tables of its own.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    root: Frame,
    /// The last level 3 table and the block that it translates: pages of a pool follow each other.
    last: Option<(u64, Frame)>,
    size_change: SizeChange,
    changes: SizeChanges,
}

/// The entries of a request that lie in one table.
struct Piece {
    at: VirtAddr,
    entries: u64,
    frame: Frame,
}

impl Piece {
    fn entry(&self, level: Level, entry: u64) -> (VirtAddr, Frame) {
        (bytes(self.at, entry * level.entry_bytes()), self.frame.add(entry * level.entry_frames()))
    }
}

/// Cuts a range of leaves where tables begin.
fn pieces(level: Level, at: VirtAddr, frames: FrameRange) -> impl Iterator<Item = Piece> {
    let leaf = level.entry_frames();
    debug_assert!(at.is_aligned_to(level.entry_bytes()) && frames.frames.is_multiple_of(leaf), "whole leaves");
    let mut done = 0;
    core::iter::from_fn(move || {
        let left = (frames.frames - done) / leaf;
        let here = bytes(at, done * PAGE_BYTES);
        let entries = left.min(512 - here.index(level).get() as u64);
        let piece = Piece { at: here, entries, frame: frames.first.add(done) };
        done += entries * leaf;
        (entries > 0).then_some(piece)
    })
}

/// The tables on the way to one address, from the root down.
struct Path {
    tables: [Frame; 4],
    deepest: Level,
}

impl Path {
    fn deepest(&self) -> Frame {
        self.tables[self.deepest as usize]
    }

    fn parent(&self, level: Level) -> (Level, Frame) {
        let above = Level::ALL[level as usize - 1];
        (above, self.tables[above as usize])
    }
}

impl Space {
    /// The translations below `root`, a table at level 0.
    pub const fn new(root: Frame) -> Self {
        let changes = SizeChanges { merged: 0, split: 0 };
        Self { root, last: None, size_change: SizeChange::UnderRendezvous, changes }
    }

    /// Gives every root entry that `bytes` from `at` touch a table, empty unless it is there already. Before any other
    /// CPU has a root.
    ///
    /// # Errors
    /// When there is no frame for a table; those made are kept.
    pub fn make_root_entries<M: Machine>(
        &self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        at: VirtAddr,
        size_bytes: u64,
    ) -> Result<(), SpaceError> {
        let Some(last) = size_bytes.checked_sub(1) else { return Ok(()) };
        let slots = bytes(at, last).index(Level::L0).get() - at.index(Level::L0).get();
        for slot in 0..=slots as u64 {
            let at = bytes(at, slot * Level::L0.entry_bytes());
            if here.read(self.root, at.index(Level::L0)) == Entry::INVALID {
                let table = tables.allocate(here).ok_or(SpaceError::OutOfTables)?;
                here.write(Level::L0, self.root, at, M::Format::table(table));
            }
        }
        here.publish();
        Ok(())
    }

    /// Maps `frames` from `at` on with leaves of one size.
    ///
    /// # Errors
    /// Nothing is mapped and every table is back.
    pub fn map<M: Machine>(
        &mut self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        size: LeafSize,
        at: VirtAddr,
        frames: FrameRange,
        attributes: HostAttributes,
    ) -> Result<(), SpaceError> {
        let level = size.level();
        if let Err(error) = self.prepare(here, tables, level, at, frames) {
            for piece in pieces(level, at, frames) {
                self.prune(here, tables, level, piece.at);
            }
            return Err(error);
        }
        for piece in pieces(level, at, frames) {
            let table = self.find(here, level, piece.at).expect("prepare has made it");
            for entry in 0..piece.entries {
                let (at, frame) = piece.entry(level, entry);
                here.write(level, table, at, M::Format::leaf(level, frame, attributes));
            }
            tables.gained(here, table, piece.entries);
        }
        here.publish();
        Ok(())
    }

    /// Unmaps leaves of one size; every CPU has forgotten them, and the tables that became empty, on return.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn unmap<M: Machine>(
        &mut self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        size: LeafSize,
        at: VirtAddr,
        frames: FrameRange,
    ) -> Result<(), SpaceError> {
        let level = size.level();
        for piece in pieces(level, at, frames) {
            let table = self.find(here, level, piece.at).ok_or(SpaceError::Vacant(piece.at))?;
            for entry in 0..piece.entries {
                let (at, expected) = piece.entry(level, entry);
                match M::Format::decode(level, here.read(table, at.index(level))) {
                    Decoded::Leaf { frame, .. } if frame == expected => {}
                    _ => return Err(SpaceError::Vacant(at)),
                }
            }
        }
        for piece in pieces(level, at, frames) {
            let table = self.find(here, level, piece.at).expect("checked above");
            for entry in 0..piece.entries {
                here.write(level, table, piece.entry(level, entry).0, Entry::INVALID);
            }
            let freed = match tables.lost(here, table, piece.entries) {
                Occupancy::Empty => self.unlink(here, tables, level, piece.at),
                Occupancy::Live | Occupancy::Kept => [None; 2],
            };
            for entry in 0..piece.entries {
                here.flush_page(piece.entry(level, entry).0);
            }
            freed.into_iter().flatten().for_each(|table| Self::free(here, tables, table));
        }
        Ok(())
    }

    /// Gives a table back that no CPU can reach any more.
    fn free<M: Machine>(here: &mut Here<'_, M, impl Reach>, tables: &mut impl Tables, table: Frame) {
        here.released(FrameRange::new(table, 1));
        tables.free(here, table);
    }

    /// Makes the tables on the way to one leaf, and leaves the leaf empty.
    ///
    /// # Errors
    /// When there is no frame for one; those made are kept.
    pub fn make_tables<M: Machine>(
        &mut self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        size: LeafSize,
        at: VirtAddr,
    ) -> Result<(), SpaceError> {
        if self.find(here, size.level(), at).is_none() {
            self.make(here, tables, size.level(), at)?;
            here.publish();
        }
        Ok(())
    }

    /// Where `at` leads, by the tables.
    pub fn translate<M: Machine>(&self, here: &mut Here<'_, M, impl Reach>, at: VirtAddr) -> Option<Frame> {
        let root = paging::Root::new(self.root, Level::L0);
        paging::walk::<M::Format>(here.reach, root, at).physical().map(Frame::containing)
    }

    /// Makes the tables that `map` needs and checks that their entries are free.
    fn prepare<M: Machine>(
        &mut self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        level: Level,
        at: VirtAddr,
        frames: FrameRange,
    ) -> Result<(), SpaceError> {
        for piece in pieces(level, at, frames) {
            let table = match self.find(here, level, piece.at) {
                Some(table) => table,
                None => self.make(here, tables, level, piece.at)?,
            };
            for entry in 0..piece.entries {
                let (at, _) = piece.entry(level, entry);
                if here.read(table, at.index(level)) != Entry::INVALID {
                    return Err(SpaceError::Occupied(at));
                }
            }
        }
        Ok(())
    }

    /// The table at `level` that translates `at`, if there is one.
    fn find<M: Machine>(&mut self, here: &mut Here<'_, M, impl Reach>, level: Level, at: VirtAddr) -> Option<Frame> {
        let block = at.get() / Level::L2.entry_bytes();
        match self.last {
            Some((last, table)) if last == block && level == Level::L3 => return Some(table),
            Some(_) | None => {}
        }
        let path = self.path(here, level, at);
        let table = (path.deepest == level).then(|| path.deepest())?;
        if level == Level::L3 {
            self.last = Some((block, table));
        }
        Some(table)
    }

    /// The tables on the way to `at`, down to `level` or to where they end.
    fn path<M: Machine>(&self, here: &mut Here<'_, M, impl Reach>, level: Level, at: VirtAddr) -> Path {
        let mut path = Path { tables: [self.root; 4], deepest: Level::L0 };
        while path.deepest < level {
            let entry = here.read(path.deepest(), at.index(path.deepest));
            let (Decoded::Table(next), Some(child)) = (M::Format::decode(path.deepest, entry), path.deepest.child())
            else {
                break;
            };
            path.tables[child as usize] = next;
            path.deepest = child;
        }
        path
    }

    /// Makes and links what is missing on the way to `at`; [`Space::prune`] takes it back.
    fn make<M: Machine>(
        &mut self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        level: Level,
        at: VirtAddr,
    ) -> Result<Frame, SpaceError> {
        let mut path = self.path(here, level, at);
        if path.deepest == Level::L0 {
            return Err(SpaceError::NoRootEntry(at));
        }
        while path.deepest < level {
            let (above, parent) = (path.deepest, path.deepest());
            if here.read(parent, at.index(above)) != Entry::INVALID {
                return Err(SpaceError::Occupied(at));
            }
            let table = tables.allocate(here).ok_or(SpaceError::OutOfTables)?;
            here.write(above, parent, at, M::Format::table(table));
            tables.gained(here, parent, 1);
            path.deepest = path.deepest.child().expect("it lies above `level`");
            path.tables[path.deepest as usize] = table;
        }
        Ok(path.deepest())
    }

    /// Frees the tables on the way to `at` that hold nothing.
    fn prune<M: Machine>(
        &mut self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        level: Level,
        at: VirtAddr,
    ) {
        let path = self.path(here, level, at);
        match (path.deepest, tables.lost(here, path.deepest(), 0)) {
            (Level::L2 | Level::L3, Occupancy::Empty) => {
                let freed = self.unlink(here, tables, path.deepest, at);
                here.flush_page(at);
                freed.into_iter().flatten().for_each(|table| Self::free(here, tables, table));
            }
            (Level::L0 | Level::L1, _) | (_, Occupancy::Live | Occupancy::Kept) => {}
        }
    }

    /// Takes the empty table at `level` out of the tree, and the one above if that was its last entry. They may be freed
    /// when every CPU has forgotten the way through them.
    fn unlink<M: Machine>(
        &mut self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        level: Level,
        at: VirtAddr,
    ) -> [Option<Frame>; 2] {
        let path = self.path(here, level, at);
        let mut level = level;
        let mut freed = [None; 2];
        for slot in &mut freed {
            let (above, parent) = path.parent(level);
            *slot = Some(path.tables[level as usize]);
            here.write(above, parent, at, Entry::INVALID);
            let occupancy = tables.lost(here, parent, 1);
            level = above;
            if occupancy != Occupancy::Empty || level == Level::L1 {
                break;
            }
        }
        self.last = None;
        freed
    }
}
