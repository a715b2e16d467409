//! The marks around an operation, and what the image itself counts of it.
//!
//! Costs a call a mark, the same for every operation: the first measurements are of nothing.

use core::fmt;
use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use crate::mm::entry::Watch;
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
    between_marks(operation)
}

/// The same, with a value that nobody knows before, and one that somebody may use afterwards.
#[inline(always)]
pub(super) fn measure_with<T, R>(name: fmt::Arguments<'_>, value: T, operation: impl FnOnce(T) -> R) {
    say!("measure with a value: {name}");
    between_marks(|| {
        black_box(operation(black_box(value)));
    });
}

#[inline(always)]
fn between_marks<R>(operation: impl FnOnce() -> R) -> R {
    let before = WATCHER.operations();
    compiler_fence(Ordering::SeqCst);
    mark();
    compiler_fence(Ordering::SeqCst);
    let result = operation();
    compiler_fence(Ordering::SeqCst);
    mark();
    compiler_fence(Ordering::SeqCst);
    if let (Some(before), Some(after)) = (before, WATCHER.operations()) {
        say!("counted: {}", after.since(before));
    }
    result
}

/// What the marks themselves cost, and what handing in a value does.
pub(super) fn empty() {
    measure(format_args!("nothing"), || ());
    measure_with(format_args!("nothing"), 1_u64, |value| value);
}
