//! Turns, wakes, pins, and random histories in which nothing may be lost.

use std::collections::VecDeque;
use std::vec::Vec;

use proptest::prelude::*;

use super::{Affinity, AlreadyOn, Rest, Scheduler, Seat};
use crate::cpu::CpuIndex;

fn cpu(number: usize) -> CpuIndex {
    CpuIndex::new(number).expect("the model board has four CPUs")
}

fn seat(number: usize) -> Seat {
    Seat::new(number)
}

/// Floating vCPUs, all on.
fn floating<const SEATS: usize>() -> Scheduler<SEATS, 2> {
    let mut all = Scheduler::new(&[Affinity::Floating; SEATS]);
    (0..SEATS).for_each(|number| assert!(all.start(seat(number)).is_ok()));
    all
}

#[test]
fn turns_go_round() {
    let mut all = floating::<3>();
    let mut order = Vec::new();
    for _ in 0..7 {
        order.push(all.pick(cpu(0), 0).expect("three are ready").get());
        assert!(all.is_wanted(cpu(0)));
        all.rest(cpu(0), Rest::Yield);
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn four_on_two_cpus_have_as_many_turns_each() {
    let mut all = floating::<4>();
    let mut turns = [0; 4];
    for round in 0..100 {
        for at in 0..2 {
            turns[all.pick(cpu(at), round).expect("four are ready").get()] += 1;
        }
        (0..2).for_each(|at| all.rest(cpu(at), Rest::Yield));
    }
    assert_eq!(turns, [50; 4]);
}

#[test]
fn a_vcpu_runs_on_one_cpu_at_a_time() {
    let mut all = floating::<1>();
    assert_eq!(all.pick(cpu(0), 0), Some(seat(0)));
    assert_eq!(all.pick(cpu(1), 0), None);
    assert!(all.goes_on(cpu(0)) && !all.goes_on(cpu(1)));
}

#[test]
fn pinned_vcpus_run_where_they_are_pinned() {
    let mut all: Scheduler<2, 2> = Scheduler::new(&[Affinity::Pinned(cpu(1)), Affinity::Floating]);
    assert_eq!(all.start(seat(0)), Ok(cpu(1)));
    assert_eq!(all.pick(cpu(0), 0), None);
    assert!(!all.is_wanted(cpu(0)) && all.is_wanted(cpu(1)));
    assert_eq!(all.pick(cpu(1), 0), Some(seat(0)));
}

#[test]
fn who_waits_runs_when_woken_or_when_it_is_time() {
    let mut all = floating::<1>();
    assert_eq!(all.pick(cpu(1), 0), Some(seat(0)));
    all.rest(cpu(1), Rest::Until(10));
    assert_eq!((all.next_due(cpu(1)), all.next_due(cpu(0))), (Some(10), None));
    assert_eq!(all.pick(cpu(1), 9), None);
    assert_eq!(all.pick(cpu(0), 10), Some(seat(0)), "any CPU may take it then");
    all.rest(cpu(0), Rest::Until(u64::MAX));
    assert_eq!(all.pick(cpu(0), 11), None);
    assert_eq!(all.wake(seat(0)), Some(cpu(0)), "where it ran last, which has nothing to do");
    assert_eq!(all.wake(seat(0)), None, "once is enough");
    assert_eq!(all.pick(cpu(0), 11), Some(seat(0)));
}

#[test]
fn a_wake_between_the_look_and_the_wait_is_not_lost() {
    let mut all = floating::<1>();
    assert_eq!(all.pick(cpu(0), 0), Some(seat(0)));
    assert_eq!(all.wake(seat(0)), Some(cpu(0)));
    all.rest(cpu(0), Rest::Until(u64::MAX));
    assert_eq!(all.pick(cpu(0), 0), Some(seat(0)));
    all.rest(cpu(0), Rest::Until(u64::MAX));
    assert_eq!(all.pick(cpu(0), 0), None, "that wake is used up");
}

#[test]
fn who_is_switched_off_leaves_and_stays_off() {
    let mut all = floating::<2>();
    assert_eq!(all.pick(cpu(0), 0), Some(seat(0)));
    assert_eq!(all.start(seat(0)), Err(AlreadyOn));
    assert_eq!(all.stop(seat(0)), Some(cpu(0)));
    assert_eq!(all.stop(seat(1)), None);
    assert!(!all.goes_on(cpu(0)) && all.is_off(seat(0)));
    all.rest(cpu(0), Rest::Yield);
    assert_eq!(all.wake(seat(0)), None);
    assert_eq!(all.pick(cpu(0), 0), None);
    assert!(all.start(seat(0)).is_ok());
    assert_eq!(all.pick(cpu(1), 0), Some(seat(0)));
    all.rest(cpu(1), Rest::Off);
    assert!(all.is_off(seat(0)));
}

const SEATS: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Step {
    Start(usize),
    Stop(usize),
    Wake(usize),
    Look(usize),
    Yield(usize),
    Wait(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..SEATS).prop_map(Step::Start),
        (0..SEATS).prop_map(Step::Stop),
        (0..SEATS).prop_map(Step::Wake),
        (0..2_usize).prop_map(Step::Look),
        (0..2_usize).prop_map(Step::Yield),
        (0..2_usize).prop_map(Step::Wait),
    ]
}

/// The same in words: a queue, who runs, who waits.
#[derive(Default)]
struct Model {
    queue: VecDeque<usize>,
    runs: [Option<usize>; 2],
    waits: Vec<usize>,
    woken: Vec<usize>,
    /// Switched off while they ran.
    doomed: Vec<usize>,
}

impl Model {
    fn is_on(&self, seat: usize) -> bool {
        let runs = self.runs.contains(&Some(seat)) && !self.doomed.contains(&seat);
        runs || self.queue.contains(&seat) || self.waits.contains(&seat)
    }

    fn leave(&mut self, at: usize, rest: Rest) {
        let Some(seat) = self.runs[at].take() else { return };
        let woken = self.woken.contains(&seat);
        self.woken.retain(|other| *other != seat);
        if self.doomed.contains(&seat) {
            self.doomed.retain(|other| *other != seat);
        } else if rest == Rest::Yield || woken {
            self.queue.push_back(seat);
        } else {
            self.waits.push(seat);
        }
    }
}

proptest! {
    #[test]
    fn random_histories_agree_with_a_queue(steps in proptest::collection::vec(step(), 1..200)) {
        let mut all: Scheduler<SEATS, 2> = Scheduler::new(&[Affinity::Floating; SEATS]);
        let mut model = Model::default();
        for step in steps {
            match step {
                // One that was switched off is started again when its CPU has left it.
                Step::Start(number) if model.doomed.contains(&number) => {}
                Step::Start(number) => {
                    prop_assert_eq!(all.start(seat(number)).is_err(), model.is_on(number));
                    if !model.is_on(number) {
                        model.queue.push_back(number);
                    }
                }
                Step::Stop(number) => {
                    let running = model.runs.iter().position(|runs| *runs == Some(number));
                    let running = running.filter(|_| !model.doomed.contains(&number));
                    prop_assert_eq!(all.stop(seat(number)), running.map(cpu));
                    model.queue.retain(|other| *other != number);
                    model.waits.retain(|other| *other != number);
                    model.doomed.extend(running.map(|_| number));
                }
                Step::Wake(number) => {
                    let _looks = all.wake(seat(number));
                    if model.waits.contains(&number) {
                        model.waits.retain(|other| *other != number);
                        model.queue.push_back(number);
                    } else if model.is_on(number) && model.runs.contains(&Some(number)) {
                        model.woken.push(number);
                    }
                }
                Step::Look(at) => {
                    all.rest(cpu(at), Rest::Yield);
                    model.leave(at, Rest::Yield);
                    model.runs[at] = model.queue.pop_front();
                    prop_assert_eq!(all.pick(cpu(at), 0).map(Seat::get), model.runs[at]);
                }
                Step::Yield(at) => {
                    all.rest(cpu(at), Rest::Yield);
                    model.leave(at, Rest::Yield);
                }
                Step::Wait(at) => {
                    all.rest(cpu(at), Rest::Until(u64::MAX));
                    model.leave(at, Rest::Until(u64::MAX));
                }
            }
            for number in 0..SEATS {
                prop_assert_eq!(all.is_off(seat(number)), !model.is_on(number));
            }
        }
    }
}
