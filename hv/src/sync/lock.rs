//! A lock whose holder may ask other CPUs to forget, or to wait: those who wait for it answer.
//!
//! For the memory system's state. First come, first served. Taken with interrupts masked, never by their handlers.

use core::ops::{Deref, DerefMut};
use core::sync::atomic::AtomicU64;

use spin::mutex::{TicketMutex, TicketMutexGuard};

use super::Word;
use super::tickets::{Tickets, Turn};

/// A value that one CPU uses at a time.
#[derive(Debug)]
pub struct PolledLock<T, W = AtomicU64> {
    turns: Tickets<W>,
    /// Free whenever somebody has the turn.
    value: TicketMutex<T>,
}

impl<T> PolledLock<T> {
    /// A lock that nobody has.
    pub const fn new(value: T) -> Self {
        Self { turns: Tickets::new(), value: TicketMutex::new(value) }
    }
}

impl<T, W: Word> PolledLock<T, W> {
    #[cfg(test)]
    pub(super) fn of_words(zero: impl Fn() -> W, value: T) -> Self {
        Self { turns: Tickets::of_words(zero), value: TicketMutex::new(value) }
    }

    /// Waits for the lock. `wait` is [`Mailboxes::waiting`](super::Mailboxes::waiting) on a CPU that takes part; before
    /// it does, letting others go first is enough.
    #[inline]
    pub fn lock(&self, wait: impl FnMut()) -> Guard<'_, T, W> {
        let turn = self.turns.take(wait);
        let value = self.value.try_lock().expect("only who has the turn locks the value, and unlocks it first");
        Guard { value, _turn: turn }
    }
}

/// The value, until this is dropped.
#[must_use = "the lock is free when this is dropped"]
pub struct Guard<'l, T, W: Word = AtomicU64> {
    // Dropped in this order.
    value: TicketMutexGuard<'l, T>,
    _turn: Turn<'l, W>,
}

impl<T, W: Word> Deref for Guard<'_, T, W> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T, W: Word> DerefMut for Guard<'_, T, W> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
