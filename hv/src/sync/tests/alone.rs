//! What needs no model checker: words, statics, CPUs that interrupt themselves. Threads of the host are CPUs here.

use core::cell::Cell;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;

use paging::VirtAddr;

use crate::board::CPUS;
use crate::cpu::CpuIndex;
use crate::sync::{Mailboxes, Peer, PolledLock, Request};

static MAILBOXES: Mailboxes<{ CPUS.len() }> = Mailboxes::new();
static LOCK: PolledLock<Vec<(usize, u64)>> = PolledLock::new(Vec::new());

#[test]
fn requests_survive_as_words() {
    for request in [
        Request::ForgetPage(VirtAddr::new(0)),
        Request::ForgetPage(VirtAddr::new(0xffff_8000_0000_0000)),
        Request::ForgetAll,
        Request::Stop,
        Request::GoOn,
    ] {
        assert_eq!(Request::from_word(request.to_word()), request);
    }
    let inside = Request::ForgetPage(VirtAddr::new(0x1234));
    assert_eq!(Request::from_word(inside.to_word()), Request::ForgetPage(VirtAddr::new(0x1000)));
}

/// A CPU that counts what it does, and is interrupted while it does it.
struct Scribe {
    number: usize,
    forgot: Cell<u64>,
    went_on: Cell<u64>,
    interrupt: fn(&Scribe),
    depth: Cell<u32>,
    /// Since it was last asked, or asked itself.
    waits: Cell<u64>,
}

/// Waits in a row in which nobody asks this CPU for anything. They take minutes: a busy host may keep every other thread
/// from running for long, and each wait lets others run.
const WAITS_MAX: u64 = 400_000_000;

impl Scribe {
    fn new(number: usize, interrupt: fn(&Scribe)) -> Self {
        let count = || Cell::new(0);
        Self { number, forgot: count(), went_on: count(), interrupt, depth: Cell::new(0), waits: count() }
    }

    /// Counts, and is interrupted; an interrupt is not interrupted.
    fn note(&self, counter: &Cell<u64>) {
        counter.set(counter.get() + 1);
        self.waits.set(0);
        if self.depth.replace(1) == 0 {
            (self.interrupt)(self);
            self.depth.set(0);
        }
    }
}

impl Peer for Scribe {
    fn cpu(&self) -> CpuIndex {
        CpuIndex::new(self.number).expect("the model board has as many")
    }

    fn forget_page(&self, _: VirtAddr) {
        self.note(&self.forgot);
    }

    fn forget_all(&self) {
        self.note(&self.forgot);
    }

    fn synchronize(&self) {
        self.note(&self.went_on);
    }

    fn interrupt(&self, _: CpuIndex) {}

    fn relax(&self) {
        self.waits.set(self.waits.get() + 1);
        assert!(self.waits.get() < WAITS_MAX, "CPU {} waits for ever", self.number);
        std::thread::yield_now();
    }
}

const ROUNDS: u64 = 300;

/// Takes the lock and asks everybody, `ROUNDS` times; then answers until all have finished. How often it forgot.
fn asks_and_answers(number: usize, finished: &AtomicUsize) -> u64 {
    let cpu = Scribe::new(number, |cpu| MAILBOXES.poll_unmaskable(cpu));
    for round in 0..ROUNDS {
        let mut list = LOCK.lock(MAILBOXES.waiting(&cpu));
        list.push((number, round));
        MAILBOXES.request_all(&cpu, Request::ForgetPage(VirtAddr::new(round * paging::PAGE_BYTES)));
        MAILBOXES.rendezvous(&cpu, || MAILBOXES.request_all(&cpu, Request::ForgetAll));
    }
    finished.fetch_add(1, Ordering::SeqCst);
    while finished.load(Ordering::SeqCst) < CPUS.len() {
        MAILBOXES.poll(&cpu);
        cpu.relax();
    }
    assert_eq!(cpu.went_on.get(), ROUNDS * (CPUS.len() as u64 - 1));
    cpu.forgot.get()
}

#[test]
fn statics_serve_all_cpus_of_the_board_at_once() {
    let finished = AtomicUsize::new(0);
    let finished = &finished;
    // All take part before the first one asks.
    (0..CPUS.len()).for_each(|number| MAILBOXES.join(&Scribe::new(number, |_| ())));
    let forgot: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..CPUS.len()).map(|number| scope.spawn(move || asks_and_answers(number, finished))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no CPU panics")).collect()
    });
    assert_eq!(forgot, [2 * ROUNDS * CPUS.len() as u64; CPUS.len()], "each CPU each time, its own and the others'");
    let list = LOCK.lock(core::hint::spin_loop);
    for number in 0..CPUS.len() {
        let own: Vec<u64> = list.iter().filter(|entry| entry.0 == number).map(|entry| entry.1).collect();
        assert_eq!(own, (0..ROUNDS).collect::<Vec<_>>());
    }
}

#[test]
fn an_unmaskable_interrupt_forgets_but_does_not_wait() {
    let mailboxes = Mailboxes::<2>::new();
    let (in_body, mailboxes) = (&AtomicUsize::new(0), &mailboxes);
    let answering = Scribe::new(1, |_| ());
    mailboxes.join(&Scribe::new(0, |_| ()));
    mailboxes.join(&answering);
    std::thread::scope(|scope| {
        let asking = scope.spawn(move || {
            let cpu = Scribe::new(0, |_| ());
            mailboxes.request_all(&cpu, Request::ForgetAll);
            mailboxes.rendezvous(&cpu, || in_body.store(1, Ordering::SeqCst));
        });
        while answering.forgot.get() < 2 {
            mailboxes.poll_unmaskable(&answering);
            answering.relax();
        }
        for _ in 0..1000 {
            mailboxes.poll_unmaskable(&answering);
            std::thread::yield_now();
        }
        assert_eq!(in_body.load(Ordering::SeqCst), 0, "it was asked to stop, and has not");
        while in_body.load(Ordering::SeqCst) == 0 {
            mailboxes.poll(&answering);
            answering.relax();
        }
        assert_eq!(answering.went_on.get(), 1);
        asking.join().expect("it was answered");
    });
}

#[test]
fn a_rendezvous_inside_another_is_refused() {
    let mailboxes = Mailboxes::<2>::new();
    let cpu = Scribe::new(0, |_| ());
    mailboxes.join(&cpu);
    let nested = || mailboxes.rendezvous(&cpu, || mailboxes.rendezvous(&cpu, || ()));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(nested)).is_err());
}

#[test]
fn those_who_take_no_part_are_not_waited_for() {
    let mailboxes = Mailboxes::<4>::new();
    let cpu = Scribe::new(0, |_| ());
    mailboxes.request_all(&cpu, Request::ForgetAll);
    mailboxes.join(&cpu);
    assert_eq!(mailboxes.rendezvous(&cpu, || 7), 7);
    let other = Scribe::new(3, |_| ());
    mailboxes.poll(&other);
    mailboxes.join(&other);
    mailboxes.leave(&other);
    mailboxes.request_all(&cpu, Request::ForgetAll);
    assert_eq!((cpu.forgot.get(), other.forgot.get(), other.went_on.get()), (3, 1, 0));
}
