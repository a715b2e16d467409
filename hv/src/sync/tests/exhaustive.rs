//! Two CPUs in every interleaving, and with every value that a load may see where orders leave it open.

use std::vec::Vec;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::model::{Bytes, Machine, Program, Runtime};
use super::stories::{
    changes_size, joins_and_uses, joins_and_works, shoots_down, shoots_down_locked, stops_others, stops_others_locked,
    uses_first_page, works, works_and_stops_others, wrong_asks_nobody, wrong_has_nothing_forgotten,
    wrong_shoots_down_deaf, wrong_stops_nobody,
};
use crate::sync::Word;

/// A word of the model checker.
struct LoomWord(AtomicU64);

impl Word for LoomWord {
    fn load(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }

    fn add(&self, value: u64) -> u64 {
        self.0.fetch_add(value, Ordering::AcqRel)
    }
}

impl Bytes for UnsafeCell<u64> {
    fn new() -> Self {
        Self::new(0)
    }

    fn read(&self) {
        self.with(|_| ());
    }

    fn write(&self) {
        self.with_mut(|_| ());
    }
}

/// The model checker.
struct Loom;

impl Runtime for Loom {
    type Word = LoomWord;
    type Bytes = UnsafeCell<u64>;

    fn word(value: u64) -> LoomWord {
        LoomWord(AtomicU64::new(value))
    }

    fn relax() {
        thread::yield_now();
    }
}

type Programs = [Program<Loom, 2>; 2];

/// How long a story may be before it counts as endless.
const BRANCHES_MAX: usize = 20_000;

/// Runs both programs in every interleaving with at most `preemptions` switches that no CPU asked for.
fn check(preemptions: usize, late: &'static [usize], programs: Programs) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = BRANCHES_MAX;
    builder.check(move || {
        let machine = Arc::new(Machine::<Loom, 2>::new(late));
        let others: Vec<_> = programs[1..]
            .iter()
            .enumerate()
            .map(|(number, program)| {
                let (machine, program) = (Arc::clone(&machine), *program);
                thread::spawn(move || program(&machine.cpu(number + 1)))
            })
            .collect();
        programs[0](&machine.cpu(0));
        others.into_iter().for_each(|other| other.join().expect("no program panics"));
    });
}

/// Some interleaving fails: what `check` would have found.
fn fails(preemptions: usize, programs: Programs) -> bool {
    std::panic::catch_unwind(|| check(preemptions, &[], programs)).is_err()
}

#[test]
fn two_cpus_shoot_down_at_once() {
    check(4, &[], [shoots_down; 2]);
}

#[test]
fn who_waits_for_the_lock_answers_its_holder() {
    check(4, &[], [shoots_down_locked; 2]);
    assert!(fails(2, [wrong_shoots_down_deaf; 2]), "control: it waits for the holder, who waits for it");
}

#[test]
fn one_waits_for_the_lock_while_another_shoots_down_without_it() {
    check(4, &[], [shoots_down_locked, shoots_down]);
}

#[test]
fn a_page_is_nobodys_after_everybody_was_asked() {
    check(4, &[], [shoots_down, uses_first_page]);
    assert!(fails(2, [wrong_asks_nobody, uses_first_page]), "control: it is read");
}

#[test]
fn nobody_works_during_a_rendezvous() {
    check(4, &[], [stops_others, works]);
    assert!(fails(2, [wrong_stops_nobody, works]), "control: the other one works on");
}

#[test]
fn those_who_wait_forget_when_asked() {
    check(4, &[], [changes_size, uses_first_page]);
    assert!(fails(2, [wrong_has_nothing_forgotten, uses_first_page]), "control: what is remembered is used afterwards");
}

#[test]
fn two_cpus_want_a_rendezvous_at_once() {
    check(4, &[], [works_and_stops_others; 2]);
}

#[test]
fn who_waits_for_the_lock_is_stopped_by_its_holder() {
    check(4, &[], [stops_others_locked; 2]);
}

#[test]
fn who_joins_late_has_forgotten_what_it_saw_before_and_is_not_in_anybodys_way() {
    check(4, &[1], [shoots_down, joins_and_uses]);
    check(4, &[1], [stops_others, joins_and_works]);
}
