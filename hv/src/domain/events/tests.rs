//! Ports between two domains: each call, each error, and random calls beside a model.

mod random;

use paging::PAGE_BYTES;

use super::{CONSOLE_PORT, PORTS};
use crate::domain::hypercall::{Errno, Outcome};
use crate::domain::rig::{BASE, EMPTY, ONE, READ_ONLY, TWO, TestWorld, WINDOW, with_guests};

const ARGS: u64 = BASE + 0x100;
/// Where `shared_info` is until the guest moves it, its bits, and vCPU 0's `vcpu_info` in it.
const SHARED: u64 = WINDOW.ring.get() + PAGE_BYTES;
const PENDING: u64 = SHARED + 48;
const MASK: u64 = SHARED + 560;

const DONE: Outcome = Outcome::Answer(0);

fn failed(error: Errno) -> Outcome {
    error.into()
}

/// A call about events with these words as its structure.
fn op(world: &mut TestWorld<'_, '_>, command: u64, words: &[u64]) -> Outcome {
    world.poke(ARGS, words);
    world.call(32, [command, ARGS, 0, 0, 0])
}

/// A 32-bit field of the caller's structure.
fn field(world: &TestWorld<'_, '_>, at: u64) -> u32 {
    let word = world.peek(world.who(), ARGS + at / 8 * 8);
    (word >> (at % 8 * 8)) as u32
}

fn alloc(world: &mut TestWorld<'_, '_>, remote: u64) -> Result<u32, Outcome> {
    match op(world, 6, &[0x7ff0 | remote << 16]) {
        DONE => Ok(field(world, 4)),
        outcome => Err(outcome),
    }
}

fn bind(world: &mut TestWorld<'_, '_>, remote: u64, port: u32) -> Result<u32, Outcome> {
    match op(world, 0, &[remote | u64::from(port) << 32, 0]) {
        DONE => Ok(field(world, 8)),
        outcome => Err(outcome),
    }
}

fn on_port(world: &mut TestWorld<'_, '_>, command: u64, port: u32) -> Outcome {
    op(world, command, &[u64::from(port)])
}

/// `status`, `vcpu`, and what the port is bound to.
fn status(world: &mut TestWorld<'_, '_>, port: u32) -> Result<[u32; 4], Outcome> {
    match op(world, 5, &[0x7ff0 | u64::from(port) << 32, 0, 0]) {
        DONE => Ok([8, 12, 16, 20].map(|at| field(world, at))),
        outcome => Err(outcome),
    }
}

const SEND: u64 = 4;
const CLOSE: u64 = 3;
const UNMASK: u64 = 9;

/// Two domains with a port each, bound to each other.
fn connected(world: &mut TestWorld<'_, '_>) -> (u32, u32) {
    let first = alloc(world, 2).expect("there are ports");
    world.run(TWO, 0);
    let second = bind(world, 1, first).expect("it is unbound");
    world.upcalls.clear();
    world.run(ONE, 0);
    (first, second)
}

#[test]
fn an_event_reaches_the_other_domain_and_no_port_beside() {
    with_guests(|world| {
        let (first, second) = connected(world);
        world.run(TWO, 0);
        world.poke(PENDING, &[0]);
        world.poke(SHARED, &[0, 0]);
        world.run(ONE, 0);
        assert_eq!(on_port(world, SEND, first), DONE);
        assert_eq!(world.upcalls, [(TWO, 0)]);
        assert_eq!(world.peek(TWO, PENDING), 1 << second);
        assert_eq!((world.peek(TWO, SHARED) & 0xff, world.peek(TWO, SHARED + 8)), (1, 1), "upcall and selector");
        assert_eq!(world.peek(ONE, PENDING), 0, "the sender has none");
        assert_eq!(on_port(world, SEND, first), DONE);
        assert_eq!(world.upcalls.len(), 1, "it is pending already: nobody is told again");
    });
}

#[test]
fn a_masked_port_announces_nothing_until_it_is_unmasked() {
    with_guests(|world| {
        let (first, second) = connected(world);
        world.run(TWO, 0);
        world.poke(PENDING, &[0]);
        world.poke(SHARED, &[0, 0]);
        world.poke(MASK, &[1 << second]);
        world.run(ONE, 0);
        assert_eq!(on_port(world, SEND, first), DONE);
        assert_eq!((world.peek(TWO, PENDING), &world.upcalls[..]), (1 << second, &[][..]));
        world.run(TWO, 0);
        assert_eq!(on_port(world, UNMASK, second), DONE);
        assert_eq!((world.peek(TWO, MASK), &world.upcalls[..]), (0, &[(TWO, 0)][..]));
        assert_eq!(on_port(world, UNMASK, second), DONE);
        assert_eq!(world.upcalls.len(), 1, "it was not masked");
    });
}

#[test]
fn binding_announces_what_may_have_been_sent_before() {
    with_guests(|world| {
        let first = alloc(world, 2).expect("there are ports");
        assert_eq!(on_port(world, SEND, first), DONE, "to nobody yet");
        world.run(TWO, 0);
        let second = bind(world, 1, first).expect("it is unbound");
        assert_eq!(world.peek(TWO, PENDING), 1 << second);
    });
}

#[test]
fn only_whom_a_port_is_for_binds_to_it() {
    with_guests(|world| {
        let for_itself = alloc(world, 0x7ff0).expect("there are ports");
        let for_nobody = alloc(world, 7).expect("there are ports");
        world.run(TWO, 0);
        for port in [for_itself, for_nobody, CONSOLE_PORT, 0, 99, PORTS as u32, u32::MAX] {
            assert_eq!(bind(world, 1, port), Err(failed(Errno::Invalid)), "{port}");
        }
        for domain in [0, 3, 4, 0x7ff1, 0xffff] {
            assert_eq!(bind(world, domain, 1), Err(failed(Errno::NoDomain)), "{domain}");
        }
        world.run(ONE, 0);
        let second = bind(world, 0x7ff0, for_itself).expect("a port of its own");
        assert_eq!(on_port(world, SEND, for_itself), DONE);
        assert_eq!(world.peek(ONE, PENDING) >> second & 1, 1);
        assert_eq!(op(world, 6, &[2 | 1 << 16]), failed(Errno::NotPermitted), "a port in another domain");
    });
}

#[test]
fn a_closed_port_is_nobodys_and_its_peer_is_unbound() {
    with_guests(|world| {
        let (first, second) = connected(world);
        assert_eq!(status(world, first), Ok([2, 0, 2, second]));
        world.run(TWO, 0);
        assert_eq!(on_port(world, CLOSE, second), DONE);
        assert_eq!(world.peek(TWO, PENDING), 0, "its event is gone");
        assert_eq!(on_port(world, CLOSE, second), failed(Errno::Invalid));
        assert_eq!(on_port(world, SEND, second), failed(Errno::Invalid));
        assert_eq!(status(world, second), Ok([0; 4]));
        world.run(ONE, 0);
        assert_eq!(status(world, first), Ok([1, 0, 2, 0]));
        assert_eq!(on_port(world, SEND, first), DONE, "to nobody");
        world.run(TWO, 0);
        assert_eq!(bind(world, 1, first), Ok(second), "it may be bound again");
    });
}

#[test]
fn a_domain_that_ends_leaves_its_peers_unbound() {
    with_guests(|world| {
        let (first, _) = connected(world);
        world.end(TWO);
        assert_eq!(status(world, first), Ok([1, 0, 2, 0]));
        assert_eq!(on_port(world, SEND, first), DONE);
        assert_eq!(bind(world, 2, 1), Err(failed(Errno::NoDomain)));
    });
}

#[test]
fn the_consoles_port_stays() {
    with_guests(|world| {
        assert_eq!(status(world, CONSOLE_PORT), Ok([2, 0, 0, 0]));
        assert_eq!(on_port(world, CLOSE, CONSOLE_PORT), failed(Errno::Invalid));
        assert_eq!(op(world, 8, &[u64::from(CONSOLE_PORT) | 1 << 32]), DONE);
        assert_eq!(op(world, 10, &[0x7ff0]), DONE);
        assert_eq!(status(world, CONSOLE_PORT), Ok([2, 1, 0, 0]));
        assert_eq!(op(world, 10, &[2]), failed(Errno::NotPermitted));
    });
}

#[test]
fn ports_of_ones_own_tell_the_vcpu_they_are_for() {
    with_guests(|world| {
        world.poke(ARGS, &[BASE / PAGE_BYTES + 2, 0]);
        assert_eq!(world.call(24, [10, 1, ARGS, 0, 0]), DONE);
        world.upcalls.clear();
        world.poke(BASE + 2 * PAGE_BYTES, &[0, 0]);
        assert_eq!(op(world, 7, &[1]), DONE);
        let ipi = field(world, 4);
        assert_eq!(status(world, ipi), Ok([5, 1, 0, 0]));
        assert_eq!(on_port(world, SEND, ipi), DONE);
        assert_eq!(world.upcalls, [(ONE, 1)]);
        assert_eq!(op(world, 8, &[u64::from(ipi)]), failed(Errno::Invalid), "an IPI's vCPU is fixed");
        assert_eq!(op(world, 7, &[2]), failed(Errno::NoEntry));
        assert_eq!(op(world, 1, &[1, 0]), DONE);
        let virq = field(world, 8);
        assert_eq!(status(world, virq), Ok([4, 0, 1, 0]));
        assert_eq!(op(world, 1, &[1, 0]), failed(Errno::Exists));
        assert_eq!(op(world, 1, &[1 | 1 << 32, 0]), DONE, "the other vCPU's");
        assert_eq!(op(world, 1, &[1 | 2 << 32, 0]), failed(Errno::NoEntry));
        assert_eq!(op(world, 1, &[2, 0]), failed(Errno::NotPermitted), "the control domain's");
        assert_eq!(op(world, 1, &[24, 0]), failed(Errno::Invalid));
        assert_eq!(op(world, 1, &[u64::from(u32::MAX), 0]), failed(Errno::Invalid));
        assert_eq!(on_port(world, SEND, virq), failed(Errno::Invalid));
    });
}

#[test]
fn ports_run_out_and_are_not_lost() {
    with_guests(|world| {
        let ports: std::vec::Vec<_> = std::iter::from_fn(|| alloc(world, 2).ok()).collect();
        assert_eq!(ports.len(), PORTS - 2, "all but 0 and the console's");
        assert_eq!(alloc(world, 2), Err(failed(Errno::NoSpace)));
        assert_eq!(on_port(world, CLOSE, ports[3]), DONE);
        // A port that the guest cannot be told of is closed again.
        world.poke(READ_ONLY, &[0x7ff0 | 2 << 16]);
        assert_eq!(world.call(32, [6, READ_ONLY, 0, 0, 0]), failed(Errno::Fault));
        assert_eq!(alloc(world, 2), Ok(ports[3]));
    });
}

#[test]
fn blocking_lets_upcalls_through_and_ends_at_once_where_one_waits() {
    with_guests(|world| {
        world.poke(SHARED, &[0xff00]);
        assert_eq!(world.call(29, [1, 0, 0, 0, 0]), Outcome::Block);
        assert_eq!(world.peek(ONE, SHARED), 0);
        world.poke(SHARED, &[0xff01]);
        assert_eq!(world.call(29, [1, 0, 0, 0, 0]), DONE);
        assert_eq!(world.peek(ONE, SHARED), 1, "it is for the guest to take");
        world.run(ONE, 1);
        assert_eq!(world.call(29, [1, 0, 0, 0, 0]), Outcome::Block, "it has no vcpu_info");
    });
}

#[test]
fn a_poll_sees_pending_ports_and_nothing_else() {
    with_guests(|world| {
        let ports = BASE + 0x400;
        let mut poll = |count: u64, at: u64| {
            world.poke(ARGS, &[at, count, 0]);
            world.poke(ports, &[1 | 2 << 32]);
            world.call(29, [3, ARGS, 0, 0, 0])
        };
        assert_eq!(poll(1, ports), Outcome::Yield);
        assert_eq!(poll(2, ports), failed(Errno::Invalid), "port 2 is not bound");
        assert_eq!(poll(0, EMPTY), Outcome::Yield);
        assert_eq!(poll(1, EMPTY), failed(Errno::Fault));
        assert_eq!(poll(129, ports), failed(Errno::Invalid));
        world.poke(PENDING, &[1 << 1]);
        world.poke(ARGS, &[ports, 1, 0]);
        assert_eq!(world.call(29, [3, ARGS, 0, 0, 0]), DONE);
    });
}
