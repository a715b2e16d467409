//! `vcpu_op`. Xen, public/vcpu.h.
//!
//! vCPUs are started and stopped by the firmware's interface, not by this one.

use paging::{Index, PAGE_BYTES};

use super::{Call, Done, Errno, Outcome, arguments};
use crate::domain::events;
use crate::domain::guests::{Registered, SHARED, VcpuInfo};
use crate::domain::world::{World, page_at};

const IS_UP: u64 = 3;
const GET_RUNSTATE_INFO: u64 = 4;
const REGISTER_RUNSTATE_MEMORY_AREA: u64 = 5;
const REGISTER_VCPU_INFO: u64 = 10;

/// `struct vcpu_runstate_info`: running (0) since ever, no time in any state. Time that others took is not accounted.
const RUNNING: [u8; 48] = [0; 48];

pub(super) fn answer<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>) -> Outcome {
    let [command, vcpu, at, ..] = call.args;
    let caller = call.world.caller();
    let vcpus = events::guest(&mut *call.guests.lock(&*call.world), caller.domain).map(|guest| guest.vcpus.len());
    let vcpu = match (u32::try_from(vcpu), vcpus) {
        (Ok(vcpu), Ok(vcpus)) if (vcpu as usize) < vcpus => vcpu,
        _ => return Errno::NoEntry.into(),
    };
    match command {
        IS_UP => Outcome::Answer(u64::from(call.world.is_up(vcpu))),
        GET_RUNSTATE_INFO => super::answer(arguments::write(&*call.world, at, &RUNNING)),
        REGISTER_RUNSTATE_MEMORY_AREA => super::answer(runstate(call, at)),
        REGISTER_VCPU_INFO => super::answer(register_vcpu_info(call, vcpu, at)),
        _ => Errno::Invalid.into(),
    }
}

/// A pointer to the area, which is written once: what it says does not change.
fn runstate<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    let area = arguments::read::<SLOTS, 8>(&*call.world, at)?.u64(0);
    arguments::write(&*call.world, area, &RUNNING)
}

/// `mfn`, `offset`, reserved.
fn register_vcpu_info<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, vcpu: u32, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, 16>(&*call.world, at)?;
    let (page, offset) = (asked.u64(0), asked.u32(8) as usize);
    let word = offset / size_of::<u64>();
    if !offset.is_multiple_of(size_of::<u64>()) || word + SHARED.vcpu_words > PAGE_BYTES as usize / size_of::<u64>() {
        return Err(Errno::Invalid);
    }
    let me = call.world.caller().domain;
    let frame = page_at(page).and_then(|at| call.world.frame(me, at)).ok_or(Errno::Invalid)?;
    let mut all = call.guests.lock(&*call.world);
    let guest = events::guest(&mut *all, me)?;
    let new = VcpuInfo { frame, word: Index::new(word), registered: Registered::Yes };
    let info = guest.vcpus.get_mut(vcpu as usize).ok_or(Errno::NoEntry)?;
    match info {
        Some(VcpuInfo { registered: Registered::Yes, .. }) => Err(Errno::Invalid),
        Some(VcpuInfo { registered: Registered::No, .. }) | None => {
            *info = Some(new);
            events::announce_all(call.world, guest, me, vcpu);
            Ok(())
        }
    }
}
