//! The marks around an operation, and what the image itself counts of it.
//!
//! Costs a call a mark, the same for every operation: the first measurements are of nothing.

use core::fmt;
use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use crate::mm::entry::{Operations, Watch};
use crate::mm::mapcache;
use crate::purpose::WATCHER;
use crate::say;

/// Marks passed: keeps [`mark`] a function of its own.
static MARKS: AtomicU64 = AtomicU64::new(0);

/// The counter outside takes its figures whenever this begins.
#[inline(never)]
fn mark() {
    MARKS.fetch_add(1, Ordering::Relaxed);
}

/// Runs `operation` between two marks, under a name.
#[inline(always)]
pub(super) fn measure<R>(name: fmt::Arguments<'_>, operation: impl FnOnce() -> R) -> R {
    say!("measure: {name}");
    let before = begin();
    let result = operation();
    end(before);
    result
}

/// The same, with a value that nobody knows before, and one that somebody may use afterwards. A closure that is handed
/// in at one place only is part of what is between the marks, not called from there.
#[inline(always)]
pub(super) fn measure_with<T, R>(name: fmt::Arguments<'_>, value: T, operation: impl FnOnce(T) -> R) {
    say!("measure with a value: {name}");
    let before = begin();
    black_box(operation(black_box(value)));
    end(before);
}

/// What was counted before an operation.
struct Before {
    seen: Option<Operations>,
    maps: u64,
}

#[inline(always)]
fn begin() -> Before {
    let before = Before { seen: WATCHER.operations(), maps: maps() };
    compiler_fence(Ordering::SeqCst);
    mark();
    compiler_fence(Ordering::SeqCst);
    before
}

#[inline(always)]
fn end(before: Before) {
    compiler_fence(Ordering::SeqCst);
    mark();
    compiler_fence(Ordering::SeqCst);
    say!("maps: {}", maps() - before.maps);
    if let (Some(seen), Some(after)) = (before.seen, WATCHER.operations()) {
        say!("counted: {}", after.since(seen));
    }
}

/// Pages that this CPU's map cache was asked for and did not find shown.
fn maps() -> u64 {
    let figures = mapcache::here().figures();
    figures.hits + figures.misses
}

/// What the marks themselves cost, and what handing in a value does.
pub(super) fn empty() {
    measure(format_args!("nothing"), || ());
    measure_with(format_args!("nothing"), 1_u64, |value| value);
}
