//! Where the loaded guest's addresses lead, by its own tables and by ours, and its instructions.
//!
//! One page is mapped by this CPU's map cache while it is copied; nothing of the guest becomes a reference.

// UNSAFETY: translates with AT.
#![expect(unsafe_code, reason = "address translation instructions")]

use core::arch::asm;

use aarch64_cpu::registers::{PAR_EL1, Readable, SCTLR_EL1, Writeable};
use paging::{Frame, FrameRange, PAGE_BYTES, PhysAddr, VirtAddr};

use crate::board::types::Domain;
use crate::fault::Attempt;
use crate::mm::guest_walk::GuestVirt;
use crate::mm::mapcache::{self, Context};

/// Copies from `from` up to the end of its page or of `into`, and returns how much; `None` where the guest cannot read
/// there itself.
pub(super) fn read(domain: &Domain, from: GuestVirt, into: &mut [u8]) -> Option<usize> {
    let physical = translate(from, Attempt::Read)?;
    let frame = Frame::containing(physical);
    let memory = FrameRange::new(Frame::containing(domain.memory), domain.memory_bytes / PAGE_BYTES);
    if !memory.contains(frame) {
        return None;
    }
    let offset = physical.page_offset() as usize;
    let bytes = into.len().min(PAGE_BYTES as usize - offset);
    let page = mapcache::here().enter(Context::Guest { vmid: domain.vmid }).ok()?.map(frame).ok()?;
    // Lines that the guest wrote past, with its caches off, are forgotten, and those that it wrote with them on are
    // written back: what follows reads what it wrote.
    if past_caches() {
        page.clean();
    }
    page.copy_out(offset, &mut into[..bytes]).ok()?;
    Some(bytes)
}

/// The frame that the hypervisor itself reads at `at`. Arm ARM, "AT S1E2R", PAR_EL1.
pub(super) fn shown(at: VirtAddr) -> Option<Frame> {
    // SAFETY: a translation without an access; PAR_EL1 is the guest's and put back by `result_of`.
    let found =
        result_of(|| unsafe { asm!("at s1e2r, {}", "isb", in(reg) at.get(), options(nostack, preserves_flags)) });
    found.map(|page| Frame::containing(PhysAddr::new(page)))
}

/// What the guest's tables, both stages, make of its address, where they allow the access. Arm ARM, "AT S12E1R",
/// "AT S12E1W", PAR_EL1.
pub fn translate(at: GuestVirt, access: Attempt) -> Option<PhysAddr> {
    let page = match access {
        // SAFETY: as `shown`.
        Attempt::Write => {
            result_of(|| unsafe { asm!("at s12e1w, {}", "isb", in(reg) at.get(), options(nostack, preserves_flags)) })
        }
        // SAFETY: as `shown`.
        Attempt::Read | Attempt::Execute => {
            result_of(|| unsafe { asm!("at s12e1r, {}", "isb", in(reg) at.get(), options(nostack, preserves_flags)) })
        }
    };
    page.map(|page| PhysAddr::new(page + at.get() % PAGE_BYTES))
}

/// Whether the guest's accesses go past the caches: its MMU or its data cache is off. Arm ARM, SCTLR_EL1.M, SCTLR_EL1.C.
pub fn past_caches() -> bool {
    !SCTLR_EL1.matches_all(SCTLR_EL1::M::Enable + SCTLR_EL1::C::Cacheable)
}

/// The physical page that an AT instruction finds. PAR_EL1 is the guest's: it is as it was on return.
fn result_of(translate: impl FnOnce()) -> Option<u64> {
    let kept = PAR_EL1.get();
    translate();
    let result = PAR_EL1.extract();
    PAR_EL1.set(kept);
    (!result.is_set(PAR_EL1::F)).then(|| result.read(PAR_EL1::PA) * PAGE_BYTES)
}
