//! A CPU that is told by NMI alone: one comes between any two things that it does, and none is lost.
//!
//! It polls now and then, so that NMIs interrupt that, too, and sleeps in the end.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use std::boxed::Box;
use std::sync::Arc;

use super::model::{Machine, Runtime};
use super::random::Users;
use crate::sim::schedule::{self, Failed};
use crate::sync::{Request, Word};

/// A word before each use of which another CPU may go on, or an NMI come.
struct Interrupted(AtomicU64);

impl Word for Interrupted {
    fn load(&self) -> u64 {
        step();
        self.0.load(Ordering::SeqCst)
    }

    fn store(&self, value: u64) {
        step();
        self.0.store(value, Ordering::SeqCst);
    }

    fn add(&self, value: u64) -> u64 {
        step();
        self.0.fetch_add(value, Ordering::SeqCst)
    }
}

struct ByNmi;

impl Runtime for ByNmi {
    type Word = Interrupted;
    type Bytes = Users;

    fn word(value: u64) -> Interrupted {
        Interrupted(AtomicU64::new(value))
    }

    fn relax() {
        step();
    }

    fn interrupt(cpu: usize) {
        PENDING[cpu].store(1, Ordering::SeqCst);
    }
}

/// NMIs that have not been taken, by CPU. Only one test uses them.
static PENDING: [AtomicU64; CPUS] = [const { AtomicU64::new(0) }; CPUS];
const CPUS: usize = 2;
const SEEDS: u64 = 2000;
/// Fewer than the looks after which a CPU is interrupted again: a lost NMI stays lost.
const STEPS_MAX: u64 = 50_000;
const REQUESTS: u64 = 3;

type Handler = Box<dyn Fn()>;

std::thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
    static HANDLER: Cell<Option<Handler>> = const { Cell::new(None) };
}

fn step() {
    schedule::step();
    let number = NUMBER.get();
    if PENDING[number].load(Ordering::SeqCst) == 1
        && let Some(handler) = HANDLER.take()
    {
        // NMIs are blocked until the handler returns.
        PENDING[number].store(0, Ordering::SeqCst);
        handler();
        HANDLER.set(Some(handler));
    }
}

fn run(seed: u64) -> Result<(), Failed> {
    let machine = Arc::new(Machine::<ByNmi, CPUS>::new(&[]));
    let done = Arc::new(AtomicU64::new(0));
    let asking: Box<dyn FnOnce() + Send> = Box::new({
        let (machine, done) = (Arc::clone(&machine), Arc::clone(&done));
        move || {
            let cpu = machine.cpu(0);
            (0..REQUESTS).for_each(|_| machine.mailboxes.request_all(&cpu, Request::ForgetAll));
            done.store(1, Ordering::SeqCst);
        }
    });
    let answering: Box<dyn FnOnce() + Send> = Box::new(move || {
        NUMBER.set(1);
        let handlers = Arc::clone(&machine);
        HANDLER.set(Some(Box::new(move || handlers.mailboxes.poll_unmaskable(&handlers.cpu(1)))));
        (0..4).for_each(|_| machine.cpu(1).poll());
        while done.load(Ordering::SeqCst) == 0 {
            step();
        }
    });
    schedule::run(seed, STEPS_MAX, [asking, answering].into())
}

#[test]
fn an_nmi_between_any_two_steps_is_answered() {
    (0..SEEDS).for_each(|seed| assert_eq!(run(seed), Ok(()), "seed {seed}"));
}
