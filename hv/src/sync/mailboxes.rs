//! Asking all other CPUs to forget translations, or to wait; and answering.
//!
//! One CPU asks at a time, one thing at a time, and asks the next when all have answered: the request is one word for
//! all, its number tells a new one from an old one, and an answer is that number. So no answer can be lost or be taken
//! for another's, whatever becomes of interrupts: they only make a CPU look.
//!
//! Who takes part polls: when interrupted, while idle, before it enters a guest, and wherever it waits for something that
//! another CPU may hold while it asks. Whoever asks, or waits for its turn to, has interrupts masked. A CPU stops where
//! it polls, so a lock that is not waited for with [`Mailboxes::waiting`] is not held where its holder polls.

use core::sync::atomic::AtomicU64;

use super::tickets::{Tickets, Turn};
use super::{Peer, Request, Word};
use crate::cpu::CpuIndex;

/// Looks at an answer before a CPU is interrupted again.
const REMIND_LOOKS: u64 = 1 << 16;
/// Looks at an answer before a CPU counts as dead.
const PATIENCE_LOOKS: u64 = 1 << 32;

/// One CPU's.
#[derive(Debug)]
struct Mailbox<W> {
    /// Whether it takes part: 1 or 0.
    present: W,
    /// Number of the last request that it answered.
    answered: W,
    /// Whether it is answering: 1 or 0. Only its own CPU looks, which may have interrupted itself.
    polling: W,
}

/// All CPUs'. A static in memory that every CPU has mapped; no value in it is an address but those to be forgotten.
#[derive(Debug)]
pub struct Mailboxes<const CPUS: usize, W = AtomicU64> {
    turns: Tickets<W>,
    /// Who asks: its number + 1, or 0.
    asking: W,
    request: W,
    /// Number of the request.
    number: W,
    boxes: [Mailbox<W>; CPUS],
}

impl<const CPUS: usize> Mailboxes<CPUS> {
    /// Nobody takes part yet.
    pub const fn new() -> Self {
        const fn word() -> AtomicU64 {
            AtomicU64::new(0)
        }
        Self {
            turns: Tickets::new(),
            asking: word(),
            request: word(),
            number: word(),
            boxes: [const { Mailbox { present: word(), answered: word(), polling: word() } }; CPUS],
        }
    }
}

impl<const CPUS: usize> Default for Mailboxes<CPUS> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a context may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    /// Forget, and wait.
    Stop,
    /// Only forget: it may have interrupted the holder of any lock.
    Forget,
}

impl<const CPUS: usize, W: Word> Mailboxes<CPUS, W> {
    #[cfg(test)]
    pub(super) fn of_words(zero: impl Fn() -> W) -> Self {
        let boxes = core::array::from_fn(|_| Mailbox { present: zero(), answered: zero(), polling: zero() });
        Self { turns: Tickets::of_words(&zero), asking: zero(), request: zero(), number: zero(), boxes }
    }

    /// This CPU takes part from now on. Whatever it remembers of shared translations is forgotten on return, and nobody
    /// is stopped.
    ///
    /// Until then nobody may free a shared table or change what this CPU uses: its hardware walks whatever its root leads
    /// to. Whoever starts a CPU keeps the memory system's lock until it has joined.
    pub fn join(&self, peer: &impl Peer) {
        // Nobody waits for it yet, so it need not answer.
        let _turn = self.turns.take(|| peer.relax());
        let own = self.own(peer);
        own.answered.store(self.number.load());
        own.present.store(1);
        peer.forget_all();
    }

    /// This CPU takes no part any more, and may use no shared translation.
    pub fn leave(&self, peer: &impl Peer) {
        let turn = self.turns.take(self.waiting(peer));
        self.own(peer).present.store(0);
        drop(turn);
    }

    /// Does what this CPU was asked to do, if it was. Where it was asked to wait, returns when it may go on.
    ///
    /// Not from a context that interrupts code with interrupts masked.
    #[inline]
    pub fn poll(&self, peer: &impl Peer) {
        if self.is_asked(peer) {
            self.answer(peer, May::Stop);
        }
    }

    /// The same, from a context that cannot be masked: an NMI. Does not wait; this CPU does, when it polls.
    pub fn poll_unmaskable(&self, peer: &impl Peer) {
        if self.is_asked(peer) {
            self.answer(peer, May::Forget);
        }
    }

    /// What a CPU does while it waits for something that another may hold.
    pub fn waiting(&self, peer: &impl Peer) -> impl FnMut() {
        move || {
            self.poll(peer);
            peer.relax();
        }
    }

    /// All CPUs, this one too, have forgotten what `request` says on return.
    pub fn request_all(&self, peer: &impl Peer, request: Request) {
        if self.asking.load() == Self::asker(peer) {
            // Inside its own rendezvous: those who wait answer.
            self.ask(peer, request);
            return;
        }
        let _turn = self.turn(peer);
        self.ask(peer, request);
    }

    /// Runs `body` while all other CPUs wait. See [`Machine::rendezvous`](crate::machine::Machine::rendezvous).
    pub fn rendezvous<R>(&self, peer: &impl Peer, body: impl FnOnce() -> R) -> R {
        assert!(self.asking.load() != Self::asker(peer), "one rendezvous at a time, and never inside another");
        let _turn = self.turn(peer);
        self.ask(peer, Request::Stop);
        let result = body();
        self.ask(peer, Request::GoOn);
        result
    }

    #[inline]
    fn is_asked(&self, peer: &impl Peer) -> bool {
        let own = self.own(peer);
        own.answered.load() != self.number.load() && own.present.load() == 1
    }

    #[cold]
    fn answer(&self, peer: &impl Peer, may: May) {
        let own = self.own(peer);
        if own.polling.load() == 1 {
            // This is an interrupt of the code below, which looks again.
            return;
        }
        loop {
            own.polling.store(1);
            let left = self.answer_until_nothing_is_asked(peer, own, may);
            own.polling.store(0);
            if left || !self.is_asked(peer) {
                return;
            }
        }
    }

    /// Whether something was left, since this context may not do it.
    fn answer_until_nothing_is_asked(&self, peer: &impl Peer, own: &Mailbox<W>, may: May) -> bool {
        let mut stopped = false;
        loop {
            let number = self.number.load();
            if own.answered.load() == number {
                if !stopped {
                    return false;
                }
                peer.relax();
                continue;
            }
            // It stays what it is until this CPU has answered.
            match Request::from_word(self.request.load()) {
                Request::ForgetPage(at) => peer.forget_page(at),
                Request::ForgetAll => peer.forget_all(),
                Request::Stop if may == May::Forget => return true,
                Request::Stop => stopped = true,
                Request::GoOn => {
                    stopped = false;
                    peer.synchronize();
                }
            }
            own.answered.store(number);
        }
    }

    /// Asks, and waits until all have answered. The caller has the turn.
    fn ask(&self, peer: &impl Peer, request: Request) {
        let number = self.number.load().wrapping_add(1);
        self.request.store(request.to_word());
        self.own(peer).answered.store(number);
        self.number.store(number);
        self.others(peer).for_each(|(other, _)| peer.interrupt(other));
        match request {
            Request::ForgetPage(at) => peer.forget_page(at),
            Request::ForgetAll => peer.forget_all(),
            Request::Stop | Request::GoOn => {}
        }
        self.others(peer).for_each(|(other, mailbox)| Self::await_answer(peer, other, mailbox, number));
    }

    fn await_answer(peer: &impl Peer, other: CpuIndex, mailbox: &Mailbox<W>, number: u64) {
        let mut looks = 0;
        while mailbox.answered.load() != number {
            peer.relax();
            looks += 1;
            assert!(looks < PATIENCE_LOOKS, "CPU {other} answers what it is asked");
            if looks % REMIND_LOOKS == 0 {
                peer.interrupt(other);
            }
        }
    }

    /// Those who take part, this CPU apart: none comes or goes while one has the turn.
    fn others(&self, peer: &impl Peer) -> impl Iterator<Item = (CpuIndex, &Mailbox<W>)> {
        let here = peer.cpu();
        let all = self.boxes.iter().enumerate().filter_map(|(number, own)| Some((CpuIndex::new(number)?, own)));
        all.filter(move |(other, mailbox)| *other != here && mailbox.present.load() == 1)
    }

    fn own(&self, peer: &impl Peer) -> &Mailbox<W> {
        &self.boxes[peer.cpu().get()]
    }

    fn asker(peer: &impl Peer) -> u64 {
        peer.cpu().get() as u64 + 1
    }

    fn turn(&self, peer: &impl Peer) -> Asking<'_, W> {
        let turn = self.turns.take(self.waiting(peer));
        self.asking.store(Self::asker(peer));
        Asking { asking: &self.asking, _turn: turn }
    }
}

/// A CPU's turn to ask.
struct Asking<'m, W: Word> {
    asking: &'m W,
    _turn: Turn<'m, W>,
}

impl<W: Word> Drop for Asking<'_, W> {
    fn drop(&mut self) {
        self.asking.store(0);
    }
}
