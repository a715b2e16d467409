//! The processor of the real machine, as the memory system uses it.
//!
//! Interrupts are masked in the hypervisor from entry to exit, on both architectures, so there is nothing to mask. Never
//! hands out a reference to what it reaches.

// UNSAFETY: reads and writes the windows of the memory system.
#![expect(unsafe_code, reason = "memory behind planned windows")]

use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};

use paging::{Frame, VirtAddr};

use crate::arch::this;
use crate::board;
use crate::board::types::Access;
use crate::cpu::CpuIndex;
use crate::machine::{GuestMachine, Machine};
use crate::mm::directmap;
use crate::purpose::{WATCHER, Watcher};
use crate::sync;

/// Bytes of a word.
const WORD_BYTES: u64 = size_of::<u64>() as u64;

/// The CPU that runs this.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisCpu {
    /// Neither `Send` nor `Sync`: it is another CPU elsewhere.
    _here: PhantomData<*mut ()>,
}

impl ThisCpu {
    /// The calling CPU.
    pub const fn new() -> Self {
        Self { _here: PhantomData }
    }
}

/// Builds with checks: `bytes` bytes from `at` lie in one window, where no Rust object is.
#[inline(always)]
fn assert_in_window(at: VirtAddr, bytes: u64) {
    if cfg!(debug_assertions) {
        let region = board::region(at).expect("the memory system reaches planned regions only");
        assert!(region.access == Access::Window, "{at} lies in `{}`, which is no window", region.name);
        assert!(at.get() - region.base.get() + bytes <= region.bytes, "{at} and {bytes} bytes leave `{}`", region.name);
    }
}

impl Machine for ThisCpu {
    type Format = this::HostFormat;
    type Watch = Watcher;

    #[inline(always)]
    fn watch(&self) -> &Watcher {
        &WATCHER
    }

    #[inline(always)]
    fn cpu(&self) -> CpuIndex {
        this::cpu::index()
    }

    #[inline(always)]
    fn publish(&self) {
        this::tlb::publish();
    }

    #[inline(always)]
    fn flush_page_local(&self, at: VirtAddr) {
        this::tlb::flush_page(at);
    }

    fn flush_local(&self) {
        this::tlb::flush();
    }

    fn flush_page_all(&self, at: VirtAddr) {
        this::tlb::flush_page_all(at);
    }

    fn flush_all(&self) {
        this::tlb::flush_all();
    }

    #[inline(always)]
    fn without_interrupts<R>(&self, body: impl FnOnce() -> R) -> R {
        body()
    }

    fn rendezvous<R>(&self, body: impl FnOnce() -> R) -> R {
        sync::rendezvous(body)
    }

    #[inline(always)]
    fn shown(&self, frame: Frame) -> Option<VirtAddr> {
        directmap::shown(frame)
    }

    #[inline(always)]
    fn load(&self, at: VirtAddr) -> u64 {
        assert_in_window(at, WORD_BYTES);
        // SAFETY: the caller holds a mapping of this address in a window of the plan (contract of `Machine`), and no Rust
        // object lives there.
        unsafe { (at.get() as *const u64).read_volatile() }
    }

    #[inline(always)]
    fn store(&self, at: VirtAddr, value: u64) {
        assert_in_window(at, WORD_BYTES);
        // SAFETY: the caller holds a writable mapping of this address in a window of the plan, where no Rust object lives.
        let word = unsafe { AtomicU64::from_ptr(at.get() as *mut u64) };
        word.store(value, Ordering::Release);
    }

    #[inline(always)]
    fn exchange(&self, at: VirtAddr, old: u64, new: u64) -> bool {
        assert_in_window(at, WORD_BYTES);
        // SAFETY: as for `store`, and the address is aligned (contract of `Machine`).
        let word = unsafe { AtomicU64::from_ptr(at.get() as *mut u64) };
        word.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn copy_out(&self, from: VirtAddr, into: &mut [u8]) {
        assert_in_window(from, into.len() as u64);
        // SAFETY: the caller holds a mapping of the range in a window of the plan, where no Rust object lives; the slice
        // is a Rust object, so it lies elsewhere.
        unsafe { this::copy::bytes(from.get() as *const u8, into.as_mut_ptr(), into.len()) }
    }

    fn copy_in(&self, to: VirtAddr, from: &[u8]) {
        assert_in_window(to, from.len() as u64);
        // SAFETY: as for `copy_out`, and the mapping is writable.
        unsafe { this::copy::bytes(from.as_ptr(), to.get() as *mut u8, from.len()) }
    }

    /// Never inlined: an audit stops a machine here, while it copies from one frame to another.
    #[inline(never)]
    fn copy(&self, from: VirtAddr, to: VirtAddr, bytes: u64) {
        assert_in_window(from, bytes);
        assert_in_window(to, bytes);
        // SAFETY: the caller holds both mappings, in windows of the plan.
        unsafe { this::copy::bytes(from.get() as *const u8, to.get() as *mut u8, bytes as usize) }
    }

    fn zero(&self, at: VirtAddr, bytes: u64) {
        assert_in_window(at, bytes);
        // SAFETY: the caller holds a writable mapping of the range in a window of the plan, where no Rust object lives.
        unsafe { this::cache::zero(at, bytes) }
    }

    /// The architecture's fill cleans already.
    fn scrub(&self, at: VirtAddr, bytes: u64) {
        self.zero(at, bytes);
    }

    fn clean(&self, at: VirtAddr, bytes: u64) {
        assert_in_window(at, bytes);
        // SAFETY: the caller holds a mapping of the range.
        unsafe { this::cache::flush(at, bytes) }
    }
}

impl GuestMachine for ThisCpu {
    fn flush_guest(&self, vmid: u16) {
        this::tlb::flush_guest(vmid);
    }
}
