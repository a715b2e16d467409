//! What the machine says of itself, against what the board file says.
//!
//! The board file wins: firmware may have more than the file lists, never less. Nothing here is used to place
//! anything.

use core::fmt;

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, PhysAddr};

use crate::board::types::{Cpu, RamBank};
use crate::board::{self, Place};
use crate::mm::directmap::Wish;
use crate::say;

pub use crate::mm::firmware_window::{FirmwareWindow, TooLarge};

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

/// Compares; says what is more than the file lists, and returns what the command line wishes for.
pub fn check(found: Result<Facts, FirmwareError>, pa_bits: u8) -> Result<Option<Wish>, Mismatch> {
    if pa_bits < board::PLATFORM.pa_bits {
        return Err(Mismatch::PaBits { found: pa_bits });
    }
    match found {
        Ok(facts) => compare(&facts).map(|()| facts.directmap),
        Err(FirmwareError::Missing) => {
            say!("the boot loader described no machine; RAM and CPUs are as the board file says");
            Ok(None)
        }
        Err(error) => Err(Mismatch::Unreadable(error)),
    }
}

fn compare(facts: &Facts) -> Result<(), Mismatch> {
    let Facts { source, ram, cpus, .. } = facts;
    for bank in &board::RAM {
        let bank_frames = frames(bank);
        if let Some(missing) = first_uncovered(bank_frames, ram) {
            return Err(Mismatch::Ram { source, bank, missing });
        }
    }
    if let Some(found) = *cpus
        && let Some(cpu) = board::CPUS.get(found)
    {
        return Err(Mismatch::Cpus { source, found, cpu });
    }
    describe(facts);
    Ok(())
}

fn describe(facts: &Facts) {
    let reported: u64 = facts.ram.iter().map(|range| range.bytes()).sum();
    let planned: u64 = board::RAM.iter().map(|bank| bank.bytes).sum();
    match reported.checked_sub(planned) {
        None | Some(0) => say!("{}: RAM as in the board file, {} MiB", facts.source, planned >> 20),
        Some(more) => {
            let (source, more) = (facts.source, more >> 10);
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
