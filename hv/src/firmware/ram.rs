//! RAM that may be used: the banks of the board file, or as much of them as firmware has.
//!
//! Never more than the board file lists, and never less than what is planned in it.

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, PAGE_BYTES, PhysAddr};

use super::{Facts, FirmwareError, Mismatch, first_uncovered, frames};
use crate::board::types::{BanksFrom, Origin, PhysRegion};
use crate::board::{self, BOOT, DOMAINS};

/// Pieces of RAM at most. More than a board has: what exceeds them stays unused.
pub const PIECES_MAX: usize = match board::BANKS_FROM {
    BanksFrom::File => board::RAM.len(),
    BanksFrom::Firmware => board::RAM.len() + 16,
};
/// Ranges that firmware keeps and the board file does not list, at most; a file that lists all RAM lists them all.
pub const KEPT_MAX: usize = match board::BANKS_FROM {
    BanksFrom::File => 0,
    BanksFrom::Firmware => 32,
};

/// The RAM that may be used.
#[derive(Clone, Debug)]
pub struct Ram {
    /// Disjoint, whole frames.
    pub pieces: ArrayVec<FrameRange, PIECES_MAX>,
    /// What firmware keeps of it.
    pub kept: ArrayVec<FrameRange, KEPT_MAX>,
}

impl Ram {
    /// All of the board file's banks.
    pub(super) fn of_file() -> Self {
        Self { pieces: board::RAM.iter().map(frames).collect(), kept: ArrayVec::new() }
    }

    /// What firmware has of them.
    ///
    /// # Errors
    /// When something is planned where firmware has no RAM, or keeps it.
    pub(super) fn of_firmware(facts: &Facts) -> Result<Self, Mismatch> {
        if facts.kept_lost > 0 {
            return Err(Mismatch::Unreadable(FirmwareError::TooManyKept));
        }
        let mut found = Self { pieces: ArrayVec::new(), kept: facts.kept.clone() };
        for bank in &board::RAM {
            present(frames(bank), &facts.ram, |piece| {
                let _used = found.pieces.try_push(piece);
            });
        }
        for (what, planned, from) in planned() {
            let mismatch = |at, why| Mismatch::Planned { source: facts.source, what, planned, at, why, from };
            if let Some(missing) = first_uncovered(planned, &found.pieces) {
                return Err(mismatch(missing, Misplaced::NoRam));
            }
            if let Some(both) = found.kept.iter().find_map(|kept| kept.intersection(planned)) {
                return Err(mismatch(both.first, Misplaced::Kept));
            }
        }
        Ok(found)
    }

    /// Bytes, kept ones included.
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes()).sum()
    }
}

impl Facts {
    /// Firmware keeps these frames.
    pub fn keep(&mut self, range: FrameRange) {
        let owned = |region: &PhysRegion| range_of(region.base, region.bytes).contains_range(range);
        if board::BANKS_FROM == BanksFrom::File || board::PHYS_REGIONS.iter().any(owned) {
            return;
        }
        self.kept_lost += usize::from(self.kept.try_push(range).is_err());
    }
}

/// Why something cannot be where it was planned.
#[derive(Clone, Copy, Debug)]
pub enum Misplaced {
    /// There is no RAM.
    NoRam,
    /// Firmware keeps it.
    Kept,
}

/// What the plan gave a place in RAM: the image with all behind it, the trampoline, domains' memory.
fn planned() -> impl Iterator<Item = (&'static str, FrameRange, Origin)> {
    let image = ("the image", range_of(BOOT.load, BOOT.footprint_bytes), BOOT.load_from);
    let trampoline = ("the trampoline", FrameRange::new(BOOT.trampoline, 1), BOOT.load_from);
    let trampoline = (BOOT.trampoline != Frame::new(0)).then_some(trampoline);
    let domains = DOMAINS.iter().map(|domain| (domain.name, range_of(domain.memory, domain.memory_bytes), domain.from));
    [image].into_iter().chain(trampoline).chain(domains)
}

/// Whole frames from `base` on.
fn range_of(base: PhysAddr, bytes: u64) -> FrameRange {
    FrameRange::new(Frame::containing(base), bytes / PAGE_BYTES)
}

/// The parts of `bank` that are RAM, ascending.
pub(super) fn present(bank: FrameRange, ram: &[FrameRange], mut part: impl FnMut(FrameRange)) {
    let mut at = bank.first;
    while at < bank.end() {
        let end = first_uncovered(FrameRange::between(at, bank.end()), ram).unwrap_or(bank.end());
        if at < end {
            part(FrameRange::between(at, end));
        }
        // The next one begins where a range does.
        let next = ram.iter().map(|range| range.first).filter(|first| *first > end).min();
        at = next.unwrap_or(bank.end());
    }
}
