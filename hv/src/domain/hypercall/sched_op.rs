//! `sched_op`. Xen, public/sched.h.
//!
//! A poll never waits: it may end at any time, and who polls looks again.

use super::{Call, Errno, Outcome, arguments, own};
use crate::domain::End;
use crate::domain::events;
use crate::domain::world::World;

const YIELD: u64 = 0;
const BLOCK: u64 = 1;
const SHUTDOWN: u64 = 2;
const POLL: u64 = 3;
const REMOTE_SHUTDOWN: u64 = 4;

/// `SHUTDOWN_*`.
const POWEROFF: u32 = 0;
const REBOOT: u32 = 1;
const SUSPEND: u32 = 2;
const CRASH: u32 = 3;
const WATCHDOG: u32 = 4;
const SOFT_RESET: u32 = 5;

/// Ports that one poll looks at.
const POLLED_MAX: u32 = 128;

pub(super) fn answer<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>) -> Outcome {
    let [command, at, ..] = call.args;
    match command {
        YIELD => Outcome::Yield,
        BLOCK => block(call),
        SHUTDOWN => shutdown(call, at),
        POLL => poll(call, at).unwrap_or_else(Outcome::from),
        REMOTE_SHUTDOWN => remote_shutdown(call, at).into(),
        _ => Errno::NoCall.into(),
    }
}

fn block<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>) -> Outcome {
    let caller = call.world.caller();
    let mut all = call.guests.lock(&*call.world);
    let due = events::unmask_upcalls(&*call.world, &mut *all, caller.domain, caller.vcpu);
    if due { Outcome::Answer(0) } else { Outcome::Block }
}

fn shutdown<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Outcome {
    let reason = match arguments::read::<SLOTS, 4>(&*call.world, at) {
        Ok(asked) => asked.u32(0),
        Err(error) => return error.into(),
    };
    match reason {
        POWEROFF => Outcome::End(End::PoweredOff),
        REBOOT => Outcome::End(End::Reset),
        CRASH | WATCHDOG => Outcome::End(End::Crashed),
        // There is nothing that could resume it, or keep its memory for its successor.
        SUSPEND | SOFT_RESET => Errno::NotSupported.into(),
        _ => Errno::Invalid.into(),
    }
}

/// `ports`, `nr_ports`, `timeout`.
fn poll<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Result<Outcome, Errno> {
    let me = call.world.caller().domain;
    let asked = arguments::read::<SLOTS, 24>(&*call.world, at)?;
    let (ports, count) = (asked.u64(0), asked.u32(8));
    if count > POLLED_MAX {
        return Err(Errno::Invalid);
    }
    for number in 0..u64::from(count) {
        let port = arguments::read::<SLOTS, 4>(&*call.world, ports.wrapping_add(4 * number))?.u32(0);
        if events::is_pending(&*call.world, &mut *call.guests.lock(&*call.world), me, port)? {
            return Ok(Outcome::Answer(0));
        }
    }
    Ok(Outcome::Yield)
}

/// Nobody ends another domain, and oneself has the other call.
fn remote_shutdown<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Errno {
    match arguments::read::<SLOTS, 8>(&*call.world, at) {
        Ok(asked) => own(call.world.caller().domain, asked.u16(0)).err().unwrap_or(Errno::Invalid),
        Err(error) => error,
    }
}
