//! What the machine says of itself, against what the board file says.
//!
//! The board file wins: firmware may have more than the file lists, never less. Nothing here is used to place
//! anything.

use core::fmt;

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, PhysAddr};

use crate::board::types::{BanksFrom, Cpu, Origin, RamBank};
use crate::board::{self, Place};
use crate::mm::directmap::Wish;
use crate::say;

pub use crate::mm::firmware_window::{FirmwareWindow, TooLarge};
pub use ram::{KEPT_MAX, Misplaced, PIECES_MAX, Ram};

mod ram;
#[cfg(test)]
mod tests;

/// Most RAM ranges kept.
pub const RAM_RANGES_MAX: usize = 64;

/// What the boot chain reported.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who reported it, as lines print it: `device tree`, `start info`.
    pub source: &'static str,
    /// RAM, whole frames, in the reporter's order; may touch or overlap.
    pub ram: ArrayVec<FrameRange, RAM_RANGES_MAX>,
    /// What of RAM firmware keeps, whole frames; on boards that take RAM from firmware.
    pub kept: ArrayVec<FrameRange, KEPT_MAX>,
    /// Ranges that found no room in `kept`.
    pub kept_lost: usize,
    /// Processors, where the report lists them.
    pub cpus: Option<usize>,
    /// What the boot command line wishes for; nothing where the board file fixes the policy.
    pub directmap: Option<Wish>,
}

/// Why there are no facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirmwareError {
    /// The boot chain passed nothing of a known kind.
    Missing,
    /// It passed something that contradicts itself.
    Malformed {
        /// Where that starts.
        at: PhysAddr,
    },
    /// It does not fit its window.
    TooLarge {
        /// Where it starts.
        at: PhysAddr,
        /// Bytes it says it has.
        bytes: u64,
    },
    /// It keeps more ranges of RAM than can be listed.
    TooManyKept,
    /// The image's stacks and tables have covered it.
    Covered {
        /// Where it starts.
        at: PhysAddr,
    },
}

/// How the machine falls short of the board file.
#[derive(Clone, Copy, Debug)]
pub enum Mismatch {
    /// What was handed over cannot be read.
    Unreadable(FirmwareError),
    /// The CPU's physical addresses are too narrow.
    PaBits {
        /// What the CPU implements.
        found: u8,
    },
    /// A bank is not all RAM.
    Ram {
        /// Who says so.
        source: &'static str,
        /// The bank.
        bank: &'static RamBank,
        /// Its first frame that is no RAM.
        missing: Frame,
    },
    /// Something is planned where it cannot be.
    Planned {
        /// Who says so.
        source: &'static str,
        /// What.
        what: &'static str,
        /// Where.
        planned: FrameRange,
        /// The first frame that it cannot have.
        at: Frame,
        /// Why not.
        why: Misplaced,
        /// The key that planned it.
        from: Origin,
    },
    /// A processor is not there.
    Cpus {
        /// Who says so.
        source: &'static str,
        /// Processors it lists.
        found: usize,
        /// The first one too many.
        cpu: &'static Cpu,
    },
}

/// What boot goes on with.
#[derive(Clone, Debug)]
pub struct Found {
    /// RAM that may be used.
    pub ram: Ram,
    /// What the command line wishes for.
    pub directmap: Option<Wish>,
}

/// Compares, and says where firmware has more than the file lists.
///
/// # Errors
/// When firmware has less than what the file needs.
pub fn check(found: Result<Facts, FirmwareError>, pa_bits: u8) -> Result<Found, Mismatch> {
    if pa_bits < board::PLATFORM.pa_bits {
        return Err(Mismatch::PaBits { found: pa_bits });
    }
    match found {
        Ok(facts) => Ok(Found { ram: compare(&facts)?, directmap: facts.directmap }),
        Err(FirmwareError::Missing) if board::BANKS_FROM == BanksFrom::File => {
            say!("the boot loader described no machine; RAM and CPUs are as the board file says");
            Ok(Found { ram: Ram::of_file(), directmap: None })
        }
        Err(error) => Err(Mismatch::Unreadable(error)),
    }
}

fn compare(facts: &Facts) -> Result<Ram, Mismatch> {
    let Facts { source, cpus, .. } = facts;
    let ram = match board::BANKS_FROM {
        BanksFrom::File => whole(facts)?,
        BanksFrom::Firmware => Ram::of_firmware(facts)?,
    };
    if let Some(found) = *cpus
        && let Some(cpu) = board::CPUS.get(found)
    {
        return Err(Mismatch::Cpus { source, found, cpu });
    }
    describe(facts, &ram);
    Ok(ram)
}

/// All of the file's banks, if firmware has them.
fn whole(facts: &Facts) -> Result<Ram, Mismatch> {
    for bank in &board::RAM {
        if let Some(missing) = first_uncovered(frames(bank), &facts.ram) {
            return Err(Mismatch::Ram { source: facts.source, bank, missing });
        }
    }
    Ok(Ram::of_file())
}

fn describe(facts: &Facts, ram: &Ram) {
    let source = facts.source;
    let reported: u64 = facts.ram.iter().map(|range| range.bytes()).sum();
    let planned: u64 = board::RAM.iter().map(|bank| bank.bytes).sum();
    let used = ram.bytes();
    match (board::BANKS_FROM, reported.saturating_sub(used)) {
        (BanksFrom::Firmware, more) => {
            let (used, planned, more) = (used >> 20, planned >> 20, more >> 10);
            say!("{source}: {used} MiB of RAM in the {planned} MiB of the board file; {more} KiB more stay unused");
        }
        (BanksFrom::File, 0) => say!("{source}: RAM as in the board file, {} MiB", planned >> 20),
        (BanksFrom::File, more) => {
            let more = more >> 10;
            say!("{source}: RAM as in the board file, {} MiB; {more} KiB more stay unused", planned >> 20);
        }
    }
    match facts.cpus {
        None => {}
        Some(found) if found == board::CPUS.len() => say!("{}: {found} CPUs as in the board file", facts.source),
        Some(found) => say!("{}: {found} CPUs, {} in the board file", facts.source, board::CPUS.len()),
    }
}

fn frames(bank: &RamBank) -> FrameRange {
    FrameRange::new(Frame::containing(bank.base), bank.bytes / paging::PAGE_BYTES)
}

/// The first frame of `wanted` that no range of `ram` holds.
pub fn first_uncovered(wanted: FrameRange, ram: &[FrameRange]) -> Option<Frame> {
    let mut at = wanted.first;
    while at < wanted.end() {
        match ram.iter().find(|range| range.contains(at)) {
            Some(range) => at = range.end(),
            None => return Some(at),
        }
    }
    None
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unreadable(error) => write!(out, "{error}"),
            Self::PaBits { found } => {
                let board::types::Platform { pa_bits, pa_bits_from, .. } = board::PLATFORM;
                let place = Place(pa_bits_from);
                write!(out, "memory.pa-bits-min ({place}) is {pa_bits}, this CPU has {found}")
            }
            Self::Ram { source, bank, missing } => {
                let (place, frames) = (Place(bank.from), frames(bank));
                write!(out, "memory.bank ({place}) is {frames}, the {source} has no RAM at {missing}")
            }
            Self::Planned { source, what, planned, at, why, from } => {
                let place = Place(from);
                write!(out, "{what} ({place}) is planned at {planned}, the {source} ")?;
                match why {
                    Misplaced::NoRam => write!(out, "has no RAM at {at}"),
                    Misplaced::Kept => write!(out, "keeps {at}"),
                }
            }
            Self::Cpus { source, found, cpu } => {
                let (place, listed) = (Place(cpu.from), board::CPUS.len());
                write!(out, "cpu.core ({place}) is one of {listed}, the {source} lists {found}")
            }
        }
    }
}

impl fmt::Display for FirmwareError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => out.write_str("the boot loader described no machine"),
            Self::TooManyKept => {
                write!(out, "firmware keeps more than {KEPT_MAX} ranges of RAM that the board file does not list")
            }
            Self::Malformed { at } => write!(out, "what the boot loader left at {at} contradicts itself"),
            Self::Covered { at } => {
                let board::types::Boot { load, load_from, .. } = board::BOOT;
                let place = Place(load_from);
                write!(
                    out,
                    "boot.load ({place}) is {load}, and there the stacks and tables cover what the boot loader left at {at}"
                )
            }
            Self::TooLarge { at, bytes } => {
                let place = Place(board::FIRMWARE.from);
                write!(out, "layout.firmware ({place}) is too small for the {bytes} bytes at {at}")
            }
        }
    }
}
