//! What the other CPUs do while a test drives one of them: programs, a step at a time.
//!
//! A step runs between any two things that the driven CPU does, unless the seed says not now, or the CPU is stopped. A
//! stopped CPU still looks ahead: its walker is not its program.

use std::boxed::Box;
use std::sync::Mutex;
use std::vec::Vec;

use super::{Cpu, HostFormat, Sim, lock};
use crate::cpu::CpuIndex;

/// A step.
type Body<F> = Box<dyn FnMut(&Cpu<'_, F>) + Send>;

/// One CPU's program.
struct Program<F: HostFormat> {
    cpu: usize,
    /// Taken out while it runs: a CPU does one thing at a time.
    body: Option<Body<F>>,
}

/// All programs, and who has stopped them.
pub(super) struct Beside<F: HostFormat> {
    programs: Mutex<Vec<Program<F>>>,
    stopped_by: Mutex<Option<CpuIndex>>,
}

impl<F: HostFormat> Beside<F> {
    pub(super) fn new() -> Self {
        Self { programs: Mutex::default(), stopped_by: Mutex::default() }
    }
}

impl<F: HostFormat> Sim<F> {
    /// From now on CPU `cpu`, which the test does not drive, runs `step` over and over beside the others.
    pub fn run_beside(&self, cpu: usize, step: impl FnMut(&Cpu<'_, F>) + Send + 'static) {
        lock(&self.beside.programs).push(Program { cpu, body: Some(Box::new(step)) });
    }

    pub(super) fn run_others(&self) {
        let programs = lock(&self.beside.programs).len();
        for number in 0..programs {
            if self.dice.roll(2) == 0 || lock(&self.beside.stopped_by).is_some() {
                continue;
            }
            let Some((cpu, mut body)) = self.take_program(number) else { continue };
            body(&self.cpu(cpu));
            lock(&self.beside.programs)[number].body = Some(body);
        }
    }

    fn take_program(&self, number: usize) -> Option<(usize, Body<F>)> {
        let program = &mut lock(&self.beside.programs)[number];
        Some((program.cpu, program.body.take()?))
    }

    pub(super) fn stop_others(&self, by: CpuIndex) {
        let before = lock(&self.beside.stopped_by).replace(by);
        assert_eq!(before, None, "one rendezvous at a time, and never inside another");
    }

    pub(super) fn release_others(&self) {
        *lock(&self.beside.stopped_by) = None;
    }
}
