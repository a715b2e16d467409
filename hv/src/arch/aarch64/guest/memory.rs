//! Copies out of the loaded guest's memory, by its own addresses.
//!
//! One page is mapped in this CPU's private window while it is copied; nothing of the guest becomes a reference.

// UNSAFETY: translates with AT, reads a mapped page of a guest.
#![expect(unsafe_code, reason = "guest memory by copy")]

use core::arch::asm;

use aarch64_cpu::registers::{PAR_EL1, Readable, Writeable};
use paging::{Frame, FrameRange, PAGE_BYTES, PhysAddr, VirtAddr};

use super::GuestAddr;
use crate::arch::this::cache;
use crate::board::types::Domain;
use crate::mm::private;

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
    let offset = physical.page_offset();
    let bytes = (into.len() as u64).min(PAGE_BYTES - offset);
    let mut windows = private::here();
    let page = windows.page(frame);
    let at = VirtAddr::new(page.at().get() + offset);
    // SAFETY: the page is mapped while `page` lives. Lines that the guest wrote past, with its caches off, are
    // forgotten, and those that it wrote with them on are written back: what follows reads what it wrote.
    unsafe { cache::flush(at, bytes) };
    for (index, byte) in into.iter_mut().take(bytes as usize).enumerate() {
        // SAFETY: one byte of the mapped page; volatile, as the guest may write it at any time.
        *byte = unsafe { ((at.get() as usize + index) as *const u8).read_volatile() };
    }
    Ok(bytes as usize)
}

/// What the guest's tables, both stages, make of its address. Arm ARM, "AT S12E1R", PAR_EL1.
fn translate(at: GuestAddr) -> Result<PhysAddr, Unreadable> {
    let kept = PAR_EL1.get();
    // SAFETY: a translation without an access; PAR_EL1 is the guest's and put back below.
    unsafe { asm!("at s12e1r, {}", "isb", in(reg) at.0, options(nostack, preserves_flags)) }
    let result = PAR_EL1.extract();
    PAR_EL1.set(kept);
    if result.is_set(PAR_EL1::F) {
        return Err(Unreadable);
    }
    Ok(PhysAddr::new(result.read(PAR_EL1::PA) * PAGE_BYTES + at.0 % PAGE_BYTES))
}
