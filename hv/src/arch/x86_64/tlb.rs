//! Forgetting translations, here and on the other processors.
//!
//! Never sets CR4.PGE, so no translation is global and a reload of CR3 forgets everything.

use core::sync::atomic::{Ordering, fence};

use paging::VirtAddr;
use x86_64::instructions::tlb;

use super::shootdown;

/// Orders entry writes before the next walk.
///
/// Stores reach the walker in program order, and a processor does not remember that an entry was not present: Intel
/// SDM vol. 3A, "Invalidation of TLBs and Paging-Structure Caches". What is left to hold back is the compiler.
pub fn publish() {
    fence(Ordering::SeqCst);
}

/// Forgets one page, or the block it lies in, with the structures that led to it.
///
/// INVLPG, Intel SDM vol. 2A; it serializes.
pub fn flush_page(at: VirtAddr) {
    tlb::flush(x86_64::VirtAddr::new(at.get()));
}

/// Forgets everything on this processor.
pub fn flush() {
    shootdown::forget();
}

/// Forgets everything on all processors.
pub fn flush_all() {
    flush();
    shootdown::all_others();
}

/// Forgets everything known of a guest: nothing, since no processor enters one yet and so none walks a guest's tables.
pub fn flush_guest(_vmid: u16) {
    publish();
}

/// Forgets one page on all processors.
pub fn flush_page_all(at: VirtAddr) {
    flush_page(at);
    shootdown::all_others();
}
