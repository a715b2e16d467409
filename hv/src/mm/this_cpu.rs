//! The processor of the real machine, as the memory system uses it.
//!
//! Interrupts are masked in the hypervisor from entry to exit, on both architectures, so there is nothing to mask. Never
//! hands out a reference to what it reaches.

// UNSAFETY: reads and writes the windows of the memory system.
#![expect(unsafe_code, reason = "memory behind planned windows")]

use core::marker::PhantomData;

use paging::{Frame, VirtAddr};

use crate::arch::this;
use crate::board;
use crate::board::types::Access;
use crate::cpu::CpuIndex;
use crate::machine::Machine;
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
        unsafe { (at.get() as *mut u64).write_volatile(value) }
    }

    fn copy_out(&self, from: VirtAddr, into: &mut [u8]) {
        assert_in_window(from, into.len() as u64);
        let (head, words, tail) = split(from, into.len());
        for (at, byte) in into[..head].iter_mut().enumerate() {
            *byte = load_byte(from, at);
        }
        for word in 0..words {
            let at = head + word * size_of::<u64>();
            let value = self.load(VirtAddr::new(from.get() + at as u64));
            into[at..at + size_of::<u64>()].copy_from_slice(&value.to_le_bytes());
        }
        let end = into.len();
        for (at, byte) in into[end - tail..].iter_mut().enumerate() {
            *byte = load_byte(from, end - tail + at);
        }
    }

    fn copy_in(&self, to: VirtAddr, from: &[u8]) {
        assert_in_window(to, from.len() as u64);
        let (head, words, tail) = split(to, from.len());
        for (at, byte) in from[..head].iter().enumerate() {
            store_byte(to, at, *byte);
        }
        let middle = from[head..].chunks_exact(size_of::<u64>()).take(words);
        for (word, bytes) in middle.enumerate() {
            let value = u64::from_le_bytes(bytes.try_into().expect("chunks of eight bytes"));
            self.store(VirtAddr::new(to.get() + (head + word * size_of::<u64>()) as u64), value);
        }
        let end = from.len();
        for (at, byte) in from[end - tail..].iter().enumerate() {
            store_byte(to, end - tail + at, *byte);
        }
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

/// Cuts a copy into bytes up to an aligned address, words, and bytes behind them.
fn split(at: VirtAddr, bytes: usize) -> (usize, usize, usize) {
    let head = (at.get().wrapping_neg() % WORD_BYTES) as usize;
    let head = head.min(bytes);
    let words = (bytes - head) / size_of::<u64>();
    (head, words, bytes - head - words * size_of::<u64>())
}

fn load_byte(from: VirtAddr, at: usize) -> u8 {
    // SAFETY: a byte of the range that `copy_out` was given, mapped by its caller.
    unsafe { ((from.get() + at as u64) as *const u8).read_volatile() }
}

fn store_byte(to: VirtAddr, at: usize, value: u8) {
    // SAFETY: a byte of the range that `copy_in` was given, mapped for writing by its caller.
    unsafe { ((to.get() + at as u64) as *mut u8).write_volatile(value) }
}
