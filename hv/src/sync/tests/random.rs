//! Four CPUs, in as many interleavings as there are seeds.
//!
//! Words are seen in one order by all: what orders leave open is for `exhaustive.rs`.

use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::boxed::Box;
use std::vec::Vec;

use super::model::{Bytes, Machine, Program, Runtime};
use super::stories::{
    changes_size, joins_and_uses, joins_and_works, lives, shoots_down, shoots_down_locked, stops_others,
    stops_others_locked, uses_first_page, works, wrong_asks_nobody, wrong_has_nothing_forgotten,
    wrong_shoots_down_deaf, wrong_stops_nobody,
};
use crate::sim::schedule::{self, Failed};
use crate::sync::Word;

const CPUS: usize = 4;
const SEEDS: u64 = 150;
/// More than any story takes that makes progress.
const STEPS_MAX: u64 = 100_000;

/// A word before each use of which another CPU may go on.
struct Stepped(AtomicU64);

impl Word for Stepped {
    fn load(&self) -> u64 {
        schedule::step();
        self.0.load(Ordering::SeqCst)
    }

    fn store(&self, value: u64) {
        schedule::step();
        self.0.store(value, Ordering::SeqCst);
    }

    fn add(&self, value: u64) -> u64 {
        schedule::step();
        self.0.fetch_add(value, Ordering::SeqCst)
    }
}

/// How many read it; below zero while somebody writes.
pub(super) struct Users(AtomicI64);

impl Bytes for Users {
    fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    fn read(&self) {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) >= 0, "read while it is another's");
        schedule::step();
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn write(&self) {
        assert!(self.0.swap(i64::MIN / 2, Ordering::SeqCst) == 0, "taken while it is read");
        schedule::step();
        self.0.store(0, Ordering::SeqCst);
    }
}

/// A seed's order.
struct Seeded;

impl Runtime for Seeded {
    type Word = Stepped;
    type Bytes = Users;

    fn word(value: u64) -> Stepped {
        Stepped(AtomicU64::new(value))
    }

    fn relax() {
        schedule::step();
    }
}

type Programs = [Program<Seeded, CPUS>; CPUS];

fn run(seed: u64, late: &[usize], programs: Programs) -> Result<(), Failed> {
    let machine = &Machine::<Seeded, CPUS>::new(late);
    let start = |(number, program): (usize, Program<Seeded, CPUS>)| -> Box<dyn FnOnce() + Send + '_> {
        Box::new(move || program(&machine.cpu(number)))
    };
    schedule::run(seed, STEPS_MAX, programs.into_iter().enumerate().map(start).collect::<Vec<_>>())
}

fn check(late: &[usize], programs: Programs) {
    (0..SEEDS).for_each(|seed| assert_eq!(run(seed, late, programs), Ok(()), "seed {seed}"));
}

/// Some seed finds something.
fn fails(programs: Programs) -> bool {
    (0..SEEDS).any(|seed| run(seed, &[], programs).is_err())
}

#[test]
fn four_cpus_shoot_down_at_once() {
    check(&[], [shoots_down; CPUS]);
    check(&[], [shoots_down_locked; CPUS]);
    check(&[], [shoots_down, shoots_down_locked, uses_first_page, shoots_down_locked]);
}

#[test]
fn all_kinds_of_requests_meet() {
    check(&[], [shoots_down, stops_others_locked, shoots_down_locked, changes_size]);
    check(&[], [changes_size, uses_first_page, uses_first_page, shoots_down]);
    check(&[], [stops_others, works, works, works]);
    check(&[2, 3], [stops_others, works, joins_and_works, joins_and_works]);
    check(&[3], [shoots_down, uses_first_page, shoots_down_locked, joins_and_uses]);
}

#[test]
fn cpus_come_and_go() {
    check(&[], [lives; CPUS]);
}

#[test]
fn controls_are_found() {
    assert!(fails([wrong_shoots_down_deaf; CPUS]), "it waits for the holder, who waits for it");
    assert!(fails([wrong_asks_nobody, uses_first_page, uses_first_page, works]), "it is read");
    assert!(fails([wrong_stops_nobody, works, works, works]), "the others work on");
    assert!(
        fails([wrong_has_nothing_forgotten, uses_first_page, uses_first_page, uses_first_page]),
        "it is remembered"
    );
}
