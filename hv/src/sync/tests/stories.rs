//! What CPUs do to each other.
//!
//! Each program ends with its CPU leaving, which waits for its turn: a lost answer or a deadlock never ends. Programs
//! named `wrong` are controls.

use super::model::{Processor, Runtime};
use crate::sync::Request;

type Cpu<'p, 'm, R, const CPUS: usize> = &'p Processor<'m, R, CPUS>;

/// Uses another CPU's page, gives up its own.
pub(super) fn shoots_down<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.use_page(cpu.next());
    cpu.give_up(cpu.own_page());
    cpu.leave();
}

/// The same, holding the lock while it asks.
pub(super) fn shoots_down_locked<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.use_page(cpu.next());
    cpu.with_lock(|| cpu.give_up(Request::ForgetAll));
    cpu.leave();
}

/// The same, answering nobody while it waits for the lock.
pub(super) fn wrong_shoots_down_deaf<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.with_lock_deaf(|| cpu.give_up(Request::ForgetAll));
    cpu.leave();
}

/// Gives its page up without asking anybody.
pub(super) fn wrong_asks_nobody<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.unmap(cpu.number);
    cpu.use_alone(cpu.number);
    cpu.leave();
}

/// Uses CPU 0's page twice.
pub(super) fn uses_first_page<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.use_page(0);
    cpu.poll();
    cpu.use_page(0);
    cpu.leave();
}

/// Works with page 0 whenever it is not stopped.
pub(super) fn works<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.use_always(0);
    cpu.poll();
    cpu.use_always(0);
    cpu.leave();
}

/// Has page 0 to itself while the others wait.
pub(super) fn stops_others<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.rendezvous(|| cpu.use_alone(0));
    cpu.leave();
}

/// Believes to have page 0 to itself.
pub(super) fn wrong_stops_nobody<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.use_alone(0);
    cpu.leave();
}

/// Works, stops the others, works.
pub(super) fn works_and_stops_others<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.use_always(0);
    cpu.rendezvous(|| cpu.use_alone(0));
    cpu.use_always(0);
    cpu.leave();
}

/// Stops the others while it holds the lock.
pub(super) fn stops_others_locked<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.with_lock(|| cpu.rendezvous(|| cpu.use_alone(0)));
    cpu.leave();
}

/// What `Space` does: breaks an entry, has it forgotten, makes it again, all others waiting.
pub(super) fn changes_size<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.with_lock(|| {
        cpu.rendezvous(|| {
            cpu.unmap(0);
            cpu.machine.mailboxes.request_all(cpu, Request::ForgetAll);
            cpu.use_alone(0);
            cpu.map(0);
        });
    });
    cpu.leave();
}

/// Breaks an entry while the others wait, and uses what was behind it although nobody has forgotten.
pub(super) fn wrong_has_nothing_forgotten<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.rendezvous(|| cpu.unmap(0));
    cpu.use_alone(0);
    cpu.leave();
}

/// Starts while others are at it, having looked around, and uses CPU 0's page.
pub(super) fn joins_and_uses<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.look_at_page(0);
    cpu.join();
    cpu.use_page(0);
    cpu.leave();
}

/// Starts while others are at it, works.
pub(super) fn joins_and_works<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    cpu.join();
    cpu.use_always(0);
    cpu.leave();
}

/// A bit of everything, over and over.
pub(super) fn lives<R: Runtime, const CPUS: usize>(cpu: Cpu<'_, '_, R, CPUS>) {
    for round in 0..3 {
        cpu.use_page(cpu.next());
        cpu.poll();
        match (cpu.number + round) % 3 {
            0 => cpu.with_lock(|| cpu.give_up(cpu.own_page())),
            1 => cpu.with_lock(|| cpu.rendezvous(|| cpu.give_up(Request::ForgetAll))),
            _ => cpu.give_up(Request::ForgetAll),
        }
        cpu.map(cpu.number);
        cpu.leave();
        cpu.join();
    }
    cpu.leave();
}
