//! A guest's own translation, in software: where its virtual address lies in what it believes is physical memory, and a
//! copy of what is there.
//!
//! Reads each entry once, from the root down, through one mapping of the page that holds it; how that page is found is
//! the business of [`GuestTables`]. Whatever the guest wrote ends in an address or in a [`WalkError`]. Updates no
//! accessed or dirty flag, keeps no reference, and hands out no frame.

mod el1;
mod long_mode;
#[cfg(test)]
mod tests;

pub use el1::El1;
pub use long_mode::{GuestLongMode, NoExecute};

use core::fmt;

use paging::{Entry, Frame, Index, Ipa, Level, Memory, PAGE_BYTES};

use crate::machine::Machine;
use crate::mm::guest_tables::{GuestTables, NestedFormat};
use crate::mm::here::Here;
use crate::mm::mapcache::{Exhausted, View};

/// Virtual address of a guest, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuestVirt(u64);

impl GuestVirt {
    /// The address of byte `address`.
    pub const fn new(address: u64) -> Self {
        Self(address)
    }

    /// The address as an integer, bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Why a guest's address leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkError {
    /// No table translates it: outside of both ranges, or not canonical.
    OutOfRange,
    /// The guest uses a format that is not read here.
    Unsupported,
    /// The entry is not valid.
    Invalid(Level),
    /// The entry has bits that the format reserves, or an address that is too large.
    Malformed(Level),
    /// The entry may not be used before its access flag is set.
    AccessFlag(Level),
    /// A table lies where the guest has no memory; or, after the walk, its data does.
    NoMemory(Ipa),
    /// The guest's tables, or ours, do not let it be written.
    ReadOnly,
    /// The map cache has no slot left.
    Exhausted,
}

impl From<Exhausted> for WalkError {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl fmt::Display for WalkError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange => out.write_str("no table translates the address"),
            Self::Unsupported => out.write_str("the guest's tables have another granule or size"),
            Self::Invalid(level) => write!(out, "invalid entry at {level:?}"),
            Self::Malformed(level) => write!(out, "malformed entry at {level:?}"),
            Self::AccessFlag(level) => write!(out, "access flag clear at {level:?}"),
            Self::NoMemory(at) => write!(out, "the guest has no memory at {at}"),
            Self::ReadOnly => out.write_str("not to be written"),
            Self::Exhausted => out.write_str("no slot left in the map cache"),
        }
    }
}

/// What the guest's tables allow on the way to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Writing.
    pub write: bool,
    /// Use by the guest's applications.
    pub user: bool,
}

impl Grants {
    const ALL: Self = Self { write: true, user: true };

    const fn and(self, other: Self) -> Self {
        Self { write: self.write && other.write, user: self.user && other.user }
    }
}

/// Where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The first table; it may be smaller than a page.
    pub table: Ipa,
    /// Its level.
    pub level: Level,
    /// Which entry of it.
    pub index: u64,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The next table is here, and below it no more than this is allowed.
    Table(Ipa, Grants),
    /// The page or block begins here.
    Leaf(Ipa, Grants),
}

/// A guest's translation regime, as its registers have it: stage 1 of EL1, or long mode. Reads entries as the processor
/// would, not as a well-behaved guest would have written them.
pub trait Stage1 {
    /// Where the walk for `at` begins.
    ///
    /// # Errors
    /// Nothing translates it.
    fn start(&self, at: GuestVirt) -> Result<Start, WalkError>;

    /// What `entry` of a table at `level`, on the way to `at`, says.
    ///
    /// # Errors
    /// The processor would fault.
    fn decode(&self, at: GuestVirt, level: Level, entry: Entry) -> Result<Found, WalkError>;
}

/// An address that translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Where it is in what the guest believes is physical memory.
    pub at: Ipa,
    /// Level of the table whose leaf translates it.
    pub level: Level,
    /// What may be done.
    pub grants: Grants,
}

/// A guest's memory as the hypervisor reads it on this CPU.
pub struct GuestView<'g, 'h, 'c, F, M, const SLOTS: usize> {
    tables: &'g GuestTables<F>,
    here: &'g Here<'h, M, View<'c, M, SLOTS>>,
}

impl<'g, 'h, 'c, F: NestedFormat, M: Machine, const SLOTS: usize> GuestView<'g, 'h, 'c, F, M, SLOTS> {
    /// The memory behind `tables`, whose lock the caller holds.
    pub fn new(tables: &'g GuestTables<F>, here: &'g Here<'h, M, View<'c, M, SLOTS>>) -> Self {
        Self { tables, here }
    }

    /// Translates a virtual address of the guest.
    ///
    /// # Errors
    /// The guest's tables do not lead anywhere.
    pub fn walk(&self, regime: &impl Stage1, at: GuestVirt) -> Result<Walked, WalkError> {
        let Start { table, mut level, index } = regime.start(at)?;
        let (mut table, mut index, mut grants) = (table, index, Grants::ALL);
        loop {
            let entry = self.word(Ipa::new(table.get() + index * size_of::<Entry>() as u64))?;
            match regime.decode(at, level, Entry::new(entry))? {
                Found::Table(next, limits) => {
                    level = level.child().ok_or(WalkError::Malformed(level))?;
                    table = next;
                    index = at.get() / level.entry_bytes() % paging::ENTRIES as u64;
                    grants = grants.and(limits);
                }
                Found::Leaf(first, allowed) => {
                    let at = Ipa::new(first.get() + at.get() % level.entry_bytes());
                    return Ok(Walked { at, level, grants: grants.and(allowed) });
                }
            }
        }
    }

    /// Copies from the guest's virtual memory.
    ///
    /// # Errors
    /// At the first byte that cannot be read; what lies before it has been copied.
    pub fn copy_out(&self, regime: &impl Stage1, from: GuestVirt, into: &mut [u8]) -> Result<(), WalkError> {
        each_page(from, into.len(), |at, start, bytes| {
            let (frame, _) = self.frame(self.walk(regime, at)?.at)?;
            let page = self.here.reach.map(frame)?;
            page.copy_out(offset(at), &mut into[start..start + bytes]).map_err(|_| WalkError::OutOfRange)
        })
    }

    /// Copies to the guest's virtual memory.
    ///
    /// # Errors
    /// At the first byte that cannot be written; what lies before it has been.
    pub fn copy_in(&self, regime: &impl Stage1, to: GuestVirt, from: &[u8]) -> Result<(), WalkError> {
        each_page(to, from.len(), |at, start, bytes| {
            let walked = self.walk(regime, at)?;
            let (frame, writes) = self.frame(walked.at)?;
            if !walked.grants.write || !writes {
                return Err(WalkError::ReadOnly);
            }
            let page = self.here.reach.map(frame)?;
            page.copy_in(offset(at), &from[start..start + bytes]).map_err(|_| WalkError::OutOfRange)
        })
    }

    /// Reads an aligned word of the guest's, once.
    fn word(&self, at: Ipa) -> Result<u64, WalkError> {
        let (frame, _) = self.frame(at)?;
        let page = self.here.reach.map(frame)?;
        Ok(page.load(Index::new((at.page_offset() / size_of::<u64>() as u64) as usize)))
    }

    /// The frame of memory behind one of the guest's pages, and whether our tables let the guest write it.
    fn frame(&self, at: Ipa) -> Result<(Frame, bool), WalkError> {
        let leaf = self.tables.translate(self.here, at).ok_or(WalkError::NoMemory(at))?;
        match leaf.attributes.memory {
            Memory::Normal => {
                let inside = (at.get() - leaf.at.get()) / PAGE_BYTES;
                Ok((leaf.frame.add(inside), leaf.attributes.access.writes()))
            }
            Memory::Device => Err(WalkError::NoMemory(at)),
        }
    }
}

fn offset(at: GuestVirt) -> usize {
    (at.get() % PAGE_BYTES) as usize
}

/// Cuts `bytes` bytes from `at` on where pages begin, and calls `work` with each part: its address, where it begins in
/// the copy, how long it is.
fn each_page(
    at: GuestVirt,
    bytes: usize,
    mut work: impl FnMut(GuestVirt, usize, usize) -> Result<(), WalkError>,
) -> Result<(), WalkError> {
    let mut done = 0;
    while done < bytes {
        let here = GuestVirt::new(at.get().checked_add(done as u64).ok_or(WalkError::OutOfRange)?);
        let part = (PAGE_BYTES as usize - offset(here)).min(bytes - done);
        work(here, done, part)?;
        done += part;
    }
    Ok(())
}
