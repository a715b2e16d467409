//! `event_channel_op`. Xen, public/event_channel.h.
//!
//! Two levels of bits only: `init_control` is unknown here, so guests stay with them.

use super::{Call, Done, Errno, Outcome, any, arguments, own};
use crate::domain::console_ring::Was;
use crate::domain::events::{self, Binding, CONSOLE_PORT, Sent};
use crate::domain::guests::Guest;
use crate::domain::world::{DomainNumber, World};

const BIND_INTERDOMAIN: u64 = 0;
const BIND_VIRQ: u64 = 1;
const CLOSE: u64 = 3;
const SEND: u64 = 4;
const STATUS: u64 = 5;
const ALLOC_UNBOUND: u64 = 6;
const BIND_IPI: u64 = 7;
const BIND_VCPU: u64 = 8;
const UNMASK: u64 = 9;
const RESET: u64 = 10;

/// `EVTCHNSTAT_*`.
const CLOSED: u32 = 0;
const UNBOUND: u32 = 1;
const INTERDOMAIN: u32 = 2;
const VIRQ: u32 = 4;
const IPI: u32 = 5;

pub(super) fn answer<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>) -> Outcome {
    let [command, at, ..] = call.args;
    let me = call.world.caller().domain;
    if command == SEND {
        return super::answer(send(call, me, at));
    }
    let mut all = call.guests.lock(&*call.world);
    let (world, all) = (&mut *call.world, &mut all[..]);
    super::answer(match command {
        BIND_INTERDOMAIN => bind_interdomain(world, all, me, at),
        BIND_VIRQ => bind_virq(world, all, me, at),
        CLOSE => port(world, at).and_then(|port| events::close(world, all, me, port)),
        STATUS => status(world, all, me, at),
        ALLOC_UNBOUND => alloc_unbound(world, all, me, at),
        BIND_IPI => bind_ipi(world, all, me, at),
        BIND_VCPU => bind_vcpu(world, all, me, at),
        UNMASK => port(world, at).and_then(|port| events::unmask(world, all, me, port)),
        RESET => reset(world, all, me, at),
        _ => Err(Errno::NoCall),
    })
}

/// The only field of most structures.
fn port<const SLOTS: usize>(world: &impl World<SLOTS>, at: u64) -> Result<u32, Errno> {
    Ok(arguments::read::<SLOTS, 4>(world, at)?.u32(0))
}

fn send<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, me: DomainNumber, at: u64) -> Done {
    let port = port(call.world, at)?;
    // Never bound to anything else, and sent to for every few bytes.
    if port == CONSOLE_PORT {
        return empty_ring(call, me);
    }
    let sent = events::send(call.world, &mut *call.guests.lock(&*call.world), me, port)?;
    match sent {
        Sent::Told => Ok(()),
        Sent::Console => empty_ring(call, me),
    }
}

/// Prints what is in the ring; a guest that had filled it learns that there is room.
fn empty_ring<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, me: DomainNumber) -> Done {
    let was = match &mut *call.guests.rings[me.index()].lock(W::wait) {
        Some(ring) => ring.empty(call.world).map_err(|_| Errno::NoMemory)?,
        None => Was::NotFull,
    };
    match was {
        Was::Full => events::raise(call.world, &mut *call.guests.lock(&*call.world), me, CONSOLE_PORT),
        Was::NotFull => {}
    }
    Ok(())
}

/// `dom`, `remote_dom`, then the port.
fn alloc_unbound<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut [Option<Guest>],
    me: DomainNumber,
    at: u64,
) -> Done {
    let asked = arguments::read::<SLOTS, 8>(world, at)?;
    own(me, asked.u16(0))?;
    let remote = if asked.u16(2) == super::SELF { me.get() } else { asked.u16(2) };
    let port = events::alloc_unbound(all, me, remote)?;
    told(world, all, me, port, at.wrapping_add(4))
}

/// `remote_dom`, `remote_port`, then the port.
fn bind_interdomain<const SLOTS: usize>(
    world: &mut impl World<SLOTS>,
    all: &mut [Option<Guest>],
    me: DomainNumber,
    at: u64,
) -> Done {
    let asked = arguments::read::<SLOTS, 12>(world, at)?;
    let remote = any(me, asked.u16(0)).ok_or(Errno::NoDomain)?;
    let port = events::bind_interdomain(world, all, me, remote, asked.u32(4))?;
    told(world, all, me, port, at.wrapping_add(8))
}

/// `virq`, `vcpu`, then the port.
fn bind_virq<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut [Option<Guest>],
    me: DomainNumber,
    at: u64,
) -> Done {
    let asked = arguments::read::<SLOTS, 12>(world, at)?;
    let port = events::bind_virq(all, me, asked.u32(0), asked.u32(4))?;
    told(world, all, me, port, at.wrapping_add(8))
}

/// `vcpu`, then the port.
fn bind_ipi<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut [Option<Guest>],
    me: DomainNumber,
    at: u64,
) -> Done {
    let asked = arguments::read::<SLOTS, 8>(world, at)?;
    let port = events::bind_ipi(all, me, asked.u32(0))?;
    told(world, all, me, port, at.wrapping_add(4))
}

/// Tells the guest its new port; a port that it cannot be told is closed again.
fn told<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut [Option<Guest>],
    me: DomainNumber,
    port: u32,
    at: u64,
) -> Done {
    arguments::write(world, at, &port.to_le_bytes()).inspect_err(|_| {
        events::close(world, all, me, port).expect("it was bound just now, and the lock is held still");
    })
}

/// `port`, `vcpu`.
fn bind_vcpu<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut [Option<Guest>],
    me: DomainNumber,
    at: u64,
) -> Done {
    let asked = arguments::read::<SLOTS, 8>(world, at)?;
    events::bind_vcpu(all, me, asked.u32(0), asked.u32(4))
}

/// `dom`, `port`; then `status`, `vcpu` and two words of what it is bound to.
fn status<const SLOTS: usize>(world: &impl World<SLOTS>, all: &mut [Option<Guest>], me: DomainNumber, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, 8>(world, at)?;
    own(me, asked.u16(0))?;
    let number = asked.u32(4);
    let events = &events::guest(all, me)?.events;
    let (status, vcpu, first, second) = match events.port(number) {
        Ok(port) => {
            let (status, first, second) = match port.binding {
                Binding::Free => (CLOSED, 0, 0),
                Binding::Unbound(remote) => (UNBOUND, u32::from(remote), 0),
                Binding::Interdomain(remote, port) => (INTERDOMAIN, u32::from(remote.get()), u32::from(port)),
                Binding::Virq(virq) => (VIRQ, u32::from(virq), 0),
                Binding::Ipi => (IPI, 0, 0),
                // The hypervisor's end is domain 0, and has no port.
                Binding::Console => (INTERDOMAIN, 0, 0),
            };
            (status, u32::from(port.vcpu), first, second)
        }
        Err(_) if (number as usize) < events::PORTS => (CLOSED, 0, 0, 0),
        Err(error) => return Err(error),
    };
    let mut answer = [0; 16];
    for (field, value) in answer.chunks_exact_mut(4).zip([status, vcpu, first, second]) {
        field.copy_from_slice(&value.to_le_bytes());
    }
    arguments::write(world, at.wrapping_add(8), &answer)
}

/// `dom`.
fn reset<const SLOTS: usize>(world: &impl World<SLOTS>, all: &mut [Option<Guest>], me: DomainNumber, at: u64) -> Done {
    own(me, arguments::read::<SLOTS, 2>(world, at)?.u16(0))?;
    events::close_all(world, all, me);
    Ok(())
}
