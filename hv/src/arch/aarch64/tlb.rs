//! Ordering entry writes and forgetting translations, EL2 regime.
//!
//! Source: Arm ARM (DDI 0487), "TLB maintenance instructions" and "Ordering and completion of TLB maintenance
//! instructions".

// UNSAFETY: TLB maintenance.
#![expect(unsafe_code, reason = "TLB maintenance instructions")]

use core::arch::asm;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{Readable, VTTBR_EL2, Writeable};
use paging::{PAGE_BYTES, VirtAddr};

/// Makes entries that became valid visible to this CPU's next walk.
pub fn publish() {
    barrier::dsb(barrier::ISHST);
    barrier::isb(barrier::SY);
}

/// Forgets a page on this CPU.
pub fn flush_page(at: VirtAddr) {
    // SAFETY: forgetting a translation whose entry is invalid changes no valid access; no `nomem`, so the store to the
    // entry stays before it.
    unsafe {
        asm!("dsb nshst", "tlbi vae2, {page}", "dsb nsh", "isb", page = in(reg) operand(at), options(nostack));
    }
}

/// Forgets everything of EL2 on this CPU.
pub fn flush() {
    // SAFETY: forgetting translations only makes later accesses walk again.
    unsafe { asm!("dsb nshst", "tlbi alle2", "dsb nsh", "isb", options(nostack)) }
}

/// Forgets everything of EL2 on all CPUs.
pub fn flush_all() {
    // SAFETY: as `flush`, on every CPU.
    unsafe { asm!("dsb ishst", "tlbi alle2is", "dsb ish", "isb", options(nostack)) }
}

/// Forgets a page on all CPUs.
pub fn flush_page_all(at: VirtAddr) {
    // SAFETY: as `flush_page`, for every CPU that shares the table.
    unsafe {
        asm!("dsb ishst", "tlbi vae2is, {page}", "dsb ish", "isb", page = in(reg) operand(at), options(nostack));
    }
}

/// VTTBR_EL2.VMID, bits [63:48]. Arm ARM, VTTBR_EL2.
pub(super) const VTTBR_VMID_SHIFT: u32 = 48;

/// Forgets everything known of a guest, both stages, on all CPUs: TLBI takes the VMID from VTTBR_EL2. Whatever root that
/// names meanwhile is not walked, as EL1's translations are out of context at EL2 and speculation makes none: Arm ARM,
/// "Use of out-of-context translation regimes".
pub fn flush_guest(vmid: u16) {
    let kept = VTTBR_EL2.get();
    VTTBR_EL2.set(u64::from(vmid) << VTTBR_VMID_SHIFT | kept & ((1 << VTTBR_VMID_SHIFT) - 1));
    // SAFETY: forgetting translations only makes later accesses walk again; no `nomem`, so the stores to the entries
    // stay before it.
    unsafe { asm!("dsb ishst", "isb", "tlbi vmalls12e1is", "dsb ish", options(nostack)) }
    VTTBR_EL2.set(kept);
    barrier::isb(barrier::SY);
}

/// Forgets what this CPU knows of the loaded guest's own tables: another of its vCPUs may use the same ASIDs for others.
pub(super) fn flush_vcpu() {
    // SAFETY: forgetting translations only makes later accesses walk again.
    unsafe { asm!("tlbi vmalle1", "dsb nsh", "isb", options(nostack)) }
}

/// TLBI by address: VA[55:12] in bits [43:0]. Arm ARM, "TLBI VAE2".
fn operand(at: VirtAddr) -> u64 {
    at.get() / PAGE_BYTES
}
