//! The device tree as a source of facts.
//!
//! Mapped only as far as it is used, and only while it is read.

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, PAGE_BYTES, PhysAddr};

use super::{Handoff, cpu};
use crate::fdt::{Fact, FdtError, HEADER_BYTES, Header, Range, Scan};
use crate::firmware::{Facts, FirmwareError, FirmwareWindow};
use crate::mm::directmap;

/// Bytes that a device tree is aligned to. Linux, "Booting AArch64 Linux", "Setup the device tree".
const ALIGNMENT: u64 = 8;

/// Reads the tree.
pub fn facts(handoff: &Handoff, window: &mut FirmwareWindow) -> Result<Facts, FirmwareError> {
    let at = handoff.device_tree;
    if at.get() == 0 || !at.is_aligned_to(ALIGNMENT) || at.get() >> cpu::pa_bits() != 0 {
        return Err(FirmwareError::Missing);
    }
    let too_large = |bytes| FirmwareError::TooLarge { at, bytes };
    let header = window.map(at, HEADER_BYTES as u64).map_err(|error| too_large(error.bytes))?;
    let used = match Header::parse(&header) {
        Ok(header) => header.used_bytes(),
        Err(FdtError::Magic) => return Err(FirmwareError::Missing),
        Err(_) => return Err(FirmwareError::Malformed { at }),
    };
    drop(header);
    let blob = window.map(at, used).map_err(|error| too_large(error.bytes))?;
    read(&blob).map_err(|_| FirmwareError::Malformed { at })
}

fn read(blob: &[u8]) -> Result<Facts, FdtError> {
    let (ram, kept) = (ArrayVec::new(), ArrayVec::new());
    let mut facts = Facts { source: "device tree", ram, kept, kept_lost: 0, cpus: None, directmap: None };
    let mut cpus = 0;
    for fact in Scan::new(blob)? {
        match fact? {
            Fact::Ram(range) => {
                if let Some(frames) = whole_frames(range) {
                    // Ranges past the last one kept can only make a bank look smaller, never larger.
                    let _kept = facts.ram.try_push(frames);
                }
            }
            Fact::Cpu => cpus += 1,
            Fact::CommandLine(line) => facts.directmap = directmap::read(line),
            Fact::Reserved(range) => facts.keep(touched(range)),
        }
    }
    facts.cpus = (cpus > 0).then_some(cpus);
    Ok(facts)
}

/// The frames that the range touches.
fn touched(range: Range) -> FrameRange {
    let last = range.base.saturating_add(range.bytes);
    FrameRange::new(Frame::new(range.base / PAGE_BYTES), last.div_ceil(PAGE_BYTES) - range.base / PAGE_BYTES)
}

/// The frames that lie in the range as a whole.
fn whole_frames(range: Range) -> Option<FrameRange> {
    let end = range.base.checked_add(range.bytes)? / PAGE_BYTES * PAGE_BYTES;
    let first = range.base.checked_next_multiple_of(PAGE_BYTES)?;
    let frames = FrameRange::between(Frame::containing(PhysAddr::new(first)), Frame::containing(PhysAddr::new(end)));
    (!frames.is_empty()).then_some(frames)
}
