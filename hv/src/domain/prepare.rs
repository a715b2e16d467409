//! A domain's memory before its first instruction: blobs summed, everything else zero.
//!
//! Through this CPU's 2 MiB window only, one block at a time. All of it is cleaned to the point of coherency: a guest
//! starts with its MMU off and reads past the caches.

// UNSAFETY: reads and fills a guest's memory through the scrub window.
#![expect(unsafe_code, reason = "reads and fills guest memory")]

use core::ops::Range;

use paging::{Frame, Level, PhysAddr, VirtAddr};

use super::manifest::{Manifest, ManifestError, Sum};
use crate::arch::this;
use crate::board::BLOBS;
use crate::board::types::{Blob, Domain};
use crate::mm::private;
use crate::say;

/// Bytes mapped at once.
const BLOCK_BYTES: u64 = Level::L2.entry_bytes();

/// Sums the domain's blobs and zeroes the rest.
pub(super) fn memory(domain: &Domain, manifest: &Manifest) -> Result<(), ManifestError> {
    let before = this::cpu::ticks();
    let memory = Span::new(domain.memory, domain.memory_bytes);
    let mut at = memory.start;
    let mut zeroed = 0;
    while at < memory.end {
        let (piece, what) = next_piece(at, &memory, manifest);
        match what {
            None => {
                zeroed += piece.bytes();
                zero(piece);
            }
            Some((blob, sum)) => check(blob, piece, sum)?,
        }
        at = piece.end;
    }
    let ticks = this::cpu::ticks() - before;
    say!("domain {}: scrubbed {} KiB in {ticks} ticks", domain.name, zeroed >> 10);
    Ok(())
}

/// Physical bytes.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
}

impl Span {
    fn new(base: PhysAddr, bytes: u64) -> Self {
        Self { start: base.get(), end: base.get() + bytes }
    }

    fn bytes(self) -> u64 {
        self.end - self.start
    }
}

/// What lies at `at`: a blob, or memory up to the next one.
fn next_piece(at: u64, memory: &Span, manifest: &Manifest) -> (Span, Option<(&'static Blob, u64)>) {
    let mut end = memory.end;
    for (blob, record) in BLOBS.iter().zip(manifest) {
        let span = Span::new(blob.base, record.bytes);
        if span.start == at {
            return (span, Some((blob, record.sum)));
        }
        if span.start > at {
            end = end.min(span.start);
        }
    }
    (Span { start: at, end }, None)
}

/// Calls `work` with each mapped part of `span`.
fn each_block(span: Span, mut work: impl FnMut(VirtAddr, u64)) {
    let mut windows = private::here();
    let mut at = span.start;
    while at < span.end {
        let offset = at % BLOCK_BYTES;
        let bytes = (BLOCK_BYTES - offset).min(span.end - at);
        let block = windows.block(Frame::containing(PhysAddr::new(at - offset)));
        work(VirtAddr::new(block.at().get() + offset), bytes);
        at += bytes;
    }
}

fn zero(span: Span) {
    each_block(span, |at, bytes| {
        // SAFETY: `each_block` mapped the range for writing, and the domain that owns the memory has not started.
        unsafe { this::cache::zero(at, bytes) }
    });
}

fn check(blob: &'static Blob, span: Span, expected: u64) -> Result<(), ManifestError> {
    let mut sum = Sum::EMPTY;
    each_block(span, |at, bytes| {
        sum = words(bytes).fold(sum, |sum, part| sum.with(word(at, part)));
        // SAFETY: `each_block` mapped the range; nothing in it changes.
        unsafe { this::cache::flush(at, bytes) }
    });
    if sum.get() == expected { Ok(()) } else { Err(ManifestError::Sum { blob }) }
}

/// The words of `bytes` bytes; the last may be short.
fn words(bytes: u64) -> impl Iterator<Item = Range<u64>> {
    (0..bytes.div_ceil(8)).map(move |index| index * 8..(index * 8 + 8).min(bytes))
}

/// The bytes `part` behind `at` as a word, zeroes behind a short one.
fn word(at: VirtAddr, part: Range<u64>) -> u64 {
    if part.end - part.start == 8 {
        // SAFETY: `check` passes parts of a mapped range that starts on a page: blobs are planned on whole frames.
        return u64::from_le(unsafe { ((at.get() + part.start) as *const u64).read() });
    }
    part.rev().fold(0, |word, index| {
        // SAFETY: as above, one byte of the range.
        let byte = unsafe { ((at.get() + index) as *const u8).read() };
        word << 8 | u64::from(byte)
    })
}
