//! One at a time, in the order in which they came.
//!
//! Guards nothing itself; what a CPU does while it waits is its own affair.

use core::sync::atomic::AtomicU64;

use super::Word;

/// A queue.
#[derive(Debug)]
pub(super) struct Tickets<W> {
    next: W,
    serving: W,
}

impl Tickets<AtomicU64> {
    pub(super) const fn new() -> Self {
        Self { next: AtomicU64::new(0), serving: AtomicU64::new(0) }
    }
}

impl<W: Word> Tickets<W> {
    #[cfg(test)]
    pub(super) fn of_words(zero: impl Fn() -> W) -> Self {
        Self { next: zero(), serving: zero() }
    }

    /// Waits until it is this CPU's turn, which ends when the value is dropped.
    #[inline]
    pub(super) fn take(&self, mut wait: impl FnMut()) -> Turn<'_, W> {
        let ticket = self.next.add(1);
        while self.serving.load() != ticket {
            wait();
        }
        Turn { tickets: self, ticket }
    }
}

/// Nobody else has one.
#[derive(Debug)]
#[must_use = "the turn ends when this is dropped"]
pub(super) struct Turn<'t, W: Word> {
    tickets: &'t Tickets<W>,
    ticket: u64,
}

impl<W: Word> Drop for Turn<'_, W> {
    fn drop(&mut self) {
        self.tickets.serving.store(self.ticket.wrapping_add(1));
    }
}
