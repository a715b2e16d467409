//! Memory that others read past the caches.
//!
//! x86 caches are coherent with every processor and with DMA (Intel SDM vol. 3A, "Methods of Caching Available", WB),
//! so nothing is ever cleaned here.

// UNSAFETY: writes memory the caller names.
#![expect(unsafe_code, reason = "fills memory through its address")]

use paging::VirtAddr;

/// Zero-fills `bytes` from `at`.
///
/// # Safety
/// - The range is mapped writable on this CPU.
/// - Nobody holds a reference into it.
pub unsafe fn zero(at: VirtAddr, bytes: u64) {
    // SAFETY: both bullets of the contract.
    unsafe { core::ptr::write_bytes(at.get() as *mut u8, 0, bytes as usize) }
}

/// Nothing: the machine is coherent.
///
/// # Safety
/// None beyond the contract's common signature.
pub unsafe fn flush(_at: VirtAddr, _bytes: u64) {}
