//! Threads of the host as CPUs: one runs at a time, and a seed decides which, so that every run can be repeated.
//!
//! For what waits for others, which programs beside a test (`beside.rs`) cannot. Knows nothing of memory: who wants to be
//! interleaved calls [`step`] before each thing that others may see.

use std::boxed::Box;
use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex};
use std::vec::Vec;

use super::{Dice, lock};

/// The run ended before every program did: one panicked, or nobody got anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

/// Who runs.
struct Schedule {
    state: Mutex<State>,
    changed: Condvar,
    dice: Dice,
}

struct State {
    running: usize,
    /// Programs that have not ended, by number.
    alive: Vec<usize>,
    steps_left: u64,
    failed: bool,
}

std::thread_local! {
    /// The schedule that this thread is part of, and which program it runs.
    static HERE: RefCell<Option<(Arc<Schedule>, usize)>> = const { RefCell::new(None) };
}

/// Another CPU may go on here. Does nothing on a thread that is not part of a run.
pub fn step() {
    let here = HERE.with_borrow(Clone::clone);
    if let Some((schedule, number)) = here {
        schedule.step(number);
    }
}

/// Runs all programs, one a CPU, for `steps` steps at most.
///
/// # Errors
/// When one panicked, or not all came to an end.
pub fn run<'p>(seed: u64, steps: u64, programs: Vec<Box<dyn FnOnce() + Send + 'p>>) -> Result<(), Failed> {
    let state = State { running: 0, alive: (0..programs.len()).collect(), steps_left: steps, failed: false };
    let schedule = Arc::new(Schedule { state: Mutex::new(state), changed: Condvar::new(), dice: Dice::new(seed) });
    let ended = std::thread::scope(|scope| {
        let start = |(number, program): (usize, Box<dyn FnOnce() + Send + 'p>)| {
            let schedule = Arc::clone(&schedule);
            scope.spawn(move || {
                HERE.set(Some((Arc::clone(&schedule), number)));
                let end = End { schedule: &schedule, number };
                schedule.await_turn(number);
                program();
                drop(end);
            })
        };
        let threads: Vec<_> = programs.into_iter().enumerate().map(start).collect();
        // All of them, also when the first one has panicked.
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).filter(Result::is_err).count() == 0
    });
    if ended { Ok(()) } else { Err(Failed) }
}

/// The end of a program, however it comes.
struct End<'s> {
    schedule: &'s Schedule,
    number: usize,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.schedule.state);
        state.failed |= std::thread::panicking();
        state.alive.retain(|number| *number != self.number);
        self.schedule.choose(&mut state);
    }
}

impl Schedule {
    fn step(&self, number: usize) {
        if std::thread::panicking() {
            return;
        }
        let mut state = lock(&self.state);
        state.steps_left = state.steps_left.saturating_sub(1);
        if state.steps_left == 0 {
            state.failed = true;
        }
        self.choose(&mut state);
        drop(state);
        self.await_turn(number);
    }

    fn choose(&self, state: &mut State) {
        if !state.alive.is_empty() {
            state.running = state.alive[self.dice.roll(state.alive.len())];
        }
        self.changed.notify_all();
    }

    fn await_turn(&self, number: usize) {
        let mut state = lock(&self.state);
        while state.running != number && !state.failed {
            state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let failed = state.failed;
        drop(state);
        assert!(!failed, "the run has failed: CPU {number} stops where it is");
    }
}
