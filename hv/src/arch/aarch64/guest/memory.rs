//! Copies out of the loaded guest's memory, by its own addresses.
//!
//! One page is mapped by this CPU's map cache while it is copied; nothing of the guest becomes a reference.

// UNSAFETY: translates with AT.
#![expect(unsafe_code, reason = "address translation instructions")]

use core::arch::asm;

use aarch64_cpu::registers::{PAR_EL1, Readable, Writeable};
use paging::{Frame, FrameRange, PAGE_BYTES, PhysAddr, VirtAddr};

use super::GuestAddr;
use crate::board::types::Domain;
use crate::mm::mapcache::{self, Context};

/// The guest cannot read there itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Copies from `from` up to the end of its page or of `into`, and returns how much.
pub(super) fn read(domain: &Domain, from: GuestAddr, into: &mut [u8]) -> Result<usize, Unreadable> {
    let physical = translate(from)?;
    let frame = Frame::containing(physical);
    let memory = FrameRange::new(Frame::containing(domain.memory), domain.memory_bytes / PAGE_BYTES);
    if !memory.contains(frame) {
        return Err(Unreadable);
    }
    let offset = physical.page_offset() as usize;
    let bytes = into.len().min(PAGE_BYTES as usize - offset);
    let cache = mapcache::here().enter(Context::Guest { vmid: domain.vmid }).map_err(|_| Unreadable)?;
    let page = cache.map(frame).map_err(|_| Unreadable)?;
    // Lines that the guest wrote past, with its caches off, are forgotten, and those that it wrote with them on are
    // written back: what follows reads what it wrote.
    page.clean();
    page.copy_out(offset, &mut into[..bytes]).map_err(|_| Unreadable)?;
    Ok(bytes)
}

/// The frame that the hypervisor itself reads at `at`. Arm ARM, "AT S1E2R", PAR_EL1.
pub(super) fn shown(at: VirtAddr) -> Option<Frame> {
    // SAFETY: a translation without an access; PAR_EL1 is the guest's and put back by `result_of`.
    let found =
        result_of(|| unsafe { asm!("at s1e2r, {}", "isb", in(reg) at.get(), options(nostack, preserves_flags)) });
    found.map(|page| Frame::containing(PhysAddr::new(page)))
}

/// What the guest's tables, both stages, make of its address. Arm ARM, "AT S12E1R", PAR_EL1.
fn translate(at: GuestAddr) -> Result<PhysAddr, Unreadable> {
    // SAFETY: as `shown`.
    let found = result_of(|| unsafe { asm!("at s12e1r, {}", "isb", in(reg) at.0, options(nostack, preserves_flags)) });
    found.map(|page| PhysAddr::new(page + at.0 % PAGE_BYTES)).ok_or(Unreadable)
}

/// The physical page that an AT instruction finds. PAR_EL1 is the guest's: it is as it was on return.
fn result_of(translate: impl FnOnce()) -> Option<u64> {
    let kept = PAR_EL1.get();
    translate();
    let result = PAR_EL1.extract();
    PAR_EL1.set(kept);
    (!result.is_set(PAR_EL1::F)).then(|| result.read(PAR_EL1::PA) * PAGE_BYTES)
}
