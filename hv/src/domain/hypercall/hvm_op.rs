//! `hvm_op`: parameters by which a guest finds its console. Xen, public/hvm/hvm_op.h, public/hvm/params.h.
//!
//! None of them can be set but the one that says how events are announced, and that one only to what it is.

use paging::PAGE_BYTES;

use super::{Call, Done, Errno, Outcome, arguments, own};
use crate::board::types::GuestConsole;
use crate::domain::events::{self, CONSOLE_PORT};
use crate::domain::world::World;

const SET_PARAM: u64 = 0;
const GET_PARAM: u64 = 1;

/// `HVM_PARAM_*`.
const CALLBACK_IRQ: u32 = 0;
const STORE_PFN: u32 = 1;
const STORE_EVTCHN: u32 = 2;
const CONSOLE_PFN: u32 = 17;
const CONSOLE_EVTCHN: u32 = 18;
/// `HVM_NR_PARAMS`.
const PARAMS: u32 = 39;

/// `domid`, `index`, `value`.
const STRUCT_BYTES: usize = 16;
const VALUE_OFFSET: u64 = 8;

pub(super) fn answer<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, console: GuestConsole) -> Outcome {
    let [command, at, ..] = call.args;
    super::answer(match command {
        SET_PARAM => set(call, at),
        GET_PARAM => get(call, console, at),
        _ => Err(Errno::NoCall),
    })
}

fn set<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, STRUCT_BYTES>(&*call.world, at)?;
    own(call.world.caller().domain, asked.u16(0))?;
    match asked.u32(4) {
        CALLBACK_IRQ if asked.u64(8) == call.world.callback() => Ok(()),
        CALLBACK_IRQ | PARAMS.. => Err(Errno::Invalid),
        _ => Err(Errno::NotPermitted),
    }
}

fn get<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, console: GuestConsole, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, STRUCT_BYTES>(&*call.world, at)?;
    let me = own(call.world.caller().domain, asked.u16(0))?;
    let ring = events::guest(&mut *call.guests.lock(&*call.world), me)?.ring.get() / PAGE_BYTES;
    let value = match (asked.u32(4), console) {
        (CALLBACK_IRQ, _) => call.world.callback(),
        (CONSOLE_PFN, GuestConsole::Hypercall) => ring,
        (CONSOLE_EVTCHN, GuestConsole::Hypercall) => u64::from(CONSOLE_PORT),
        // No store: 0 says so. No console: likewise.
        (STORE_PFN | STORE_EVTCHN | CONSOLE_PFN | CONSOLE_EVTCHN, _) => 0,
        (PARAMS.., _) => return Err(Errno::Invalid),
        _ => return Err(Errno::NotPermitted),
    };
    arguments::write(&*call.world, at.wrapping_add(VALUE_OFFSET), &value.to_le_bytes())
}
