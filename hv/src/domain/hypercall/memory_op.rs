//! `memory_op`: where a guest has the pages that it shares with the hypervisor. Xen, public/memory.h.
//!
//! No page of a guest's changes its place: the page that it names takes the content of the one that served so far, and
//! serves from then on. What was there becomes the guest's to use.

use super::{Call, Done, Errno, Outcome, arguments, own};
use crate::domain::events;
use crate::domain::grants;
use crate::domain::guests::{Guest, SHARED, move_page};
use crate::domain::world::{DomainNumber, World, page_at};

const ADD_TO_PHYSMAP: u64 = 7;
const ADD_TO_PHYSMAP_BATCH: u64 = 23;

/// `XENMAPSPACE_*`.
const SHARED_INFO: u32 = 0;
const GRANT_TABLE: u32 = 1;
const GMFN: u32 = 2;
const GMFN_RANGE: u32 = 3;
const GMFN_FOREIGN: u32 = 4;
const DEV_MMIO: u32 = 5;

/// Pages of one batch: interrupts are masked meanwhile.
const BATCH_MAX: u16 = 256;

pub(super) fn answer<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>) -> Outcome {
    let [command, at, ..] = call.args;
    super::answer(match command {
        ADD_TO_PHYSMAP => add(call, at),
        ADD_TO_PHYSMAP_BATCH => add_batch(call, at),
        _ => Err(Errno::NoCall),
    })
}

/// `domid`, `size`, `space`, `idx`, `gpfn`.
fn add<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, 24>(&*call.world, at)?;
    let me = own(call.world.caller().domain, asked.u16(0))?;
    let all = &mut *call.guests.lock(&*call.world);
    place(&*call.world, all, me, asked.u32(4), asked.u64(8), asked.u64(16))
}

/// `domid`, `space`, `size`, `extra`, then three arrays of `size` elements: indices, places, errors.
fn add_batch<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, 32>(&*call.world, at)?;
    let (space, count) = (u32::from(asked.u16(2)), asked.u16(4));
    let (indices, places, errors) = (asked.u64(8), asked.u64(16), asked.u64(24));
    let me = own(call.world.caller().domain, asked.u16(0))?;
    if count > BATCH_MAX {
        return Err(Errno::TooBig);
    }
    for number in 0..u64::from(count) {
        let word = |array: u64| arguments::read::<SLOTS, 8>(&*call.world, array.wrapping_add(8 * number));
        let (index, page) = (word(indices)?.u64(0), word(places)?.u64(0));
        let placed = place(&*call.world, &mut *call.guests.lock(&*call.world), me, space, index, page);
        let error = placed.map_or_else(|error| -i32::from(error as u8), |()| 0);
        arguments::write(&*call.world, errors.wrapping_add(4 * number), &error.to_le_bytes())?;
    }
    Ok(())
}

/// Puts a page of a space where the guest wants it.
fn place<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut [Option<Guest>],
    me: DomainNumber,
    space: u32,
    index: u64,
    page: u64,
) -> Done {
    let guest = events::guest(all, me)?;
    let frame = || page_at(page).and_then(|at| world.frame(me, at)).ok_or(Errno::Invalid);
    match space {
        SHARED_INFO => {
            let new = frame()?;
            let old = core::mem::replace(&mut guest.shared, new);
            for info in guest.vcpus.iter_mut().take(SHARED.vcpus).flatten().filter(|info| info.frame == old) {
                info.frame = new;
            }
            move_page(world, me, old, new).map_err(|_| Errno::NoMemory)
        }
        GRANT_TABLE => {
            let slot = usize::try_from(index).ok().filter(|index| *index < grants::FRAMES).ok_or(Errno::Invalid)?;
            let new = frame()?;
            let old = core::mem::replace(&mut guest.grants.frames[slot], new);
            move_page(world, me, old, new).map_err(|_| Errno::NoMemory)
        }
        // Another domain's memory is shared by grants, a device's by the board file.
        GMFN_FOREIGN | DEV_MMIO => Err(Errno::NotPermitted),
        GMFN | GMFN_RANGE => Err(Errno::NotSupported),
        _ => Err(Errno::NoCall),
    }
}
