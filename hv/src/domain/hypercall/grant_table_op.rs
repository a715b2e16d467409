//! `grant_table_op`: arrays of operations, each with a status of its own. Xen, public/grant_table.h.
//!
//! Version 1 only: `set_version` refuses the other, and guests stay with it.

use paging::{GuestAccess, Ipa};

use super::arguments::Copied;
use super::{Call, Done, Errno, Outcome, any, arguments, own};
use crate::domain::grants::{self, FRAMES, GrantRef, Map, Page, Side, Status};
use crate::domain::world::World;

const MAP_GRANT_REF: u64 = 0;
const UNMAP_GRANT_REF: u64 = 1;
const COPY: u64 = 5;
const QUERY_SIZE: u64 = 6;
const SET_VERSION: u64 = 8;
const GET_VERSION: u64 = 10;

/// `GNTMAP_host_map` and `GNTMAP_readonly`; the others are for other kinds of guests.
const HOST_MAP: u32 = 1 << 1;
const READONLY: u32 = 1 << 2;
/// `GNTCOPY_source_gref` and `GNTCOPY_dest_gref`.
const SOURCE_GREF: u16 = 1 << 0;
const DEST_GREF: u16 = 1 << 1;

/// Operations after which a call is interrupted.
const AT_ONCE: u64 = 16;

/// The version.
const VERSION: u32 = 1;

pub(super) fn answer<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>) -> Outcome {
    let [command, at, ..] = call.args;
    match command {
        MAP_GRANT_REF => each(call, 32, map::<SLOTS, W>),
        UNMAP_GRANT_REF => each(call, 24, unmap::<SLOTS, W>),
        COPY => each(call, 40, copy::<SLOTS, W>),
        QUERY_SIZE => each(call, 16, query_size::<SLOTS, W>),
        SET_VERSION => super::answer(set_version(call, at)),
        GET_VERSION => super::answer(get_version(call, at)),
        _ => Errno::NoCall.into(),
    }
}

/// Does the first operations of an array; if there are more, the call is to be repeated for them.
fn each<W>(call: &mut Call<'_, W>, bytes: u64, mut operation: impl FnMut(&mut Call<'_, W>, u64) -> Done) -> Outcome {
    let [command, at, count, fourth, fifth] = call.args;
    let now = (count & u64::from(u32::MAX)).min(AT_ONCE);
    for number in 0..now {
        if let Err(error) = operation(call, at.wrapping_add(bytes * number)) {
            return error.into();
        }
    }
    match (count & u64::from(u32::MAX)) - now {
        0 => Outcome::Answer(0),
        left => Outcome::Again([command, at.wrapping_add(bytes * now), left, fourth, fifth]),
    }
}

fn copy<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, 40>(&*call.world, at)?;
    let (bytes, flags) = (asked.u16(32), asked.u16(34));
    let sides = [side(call, &asked, 0, flags & SOURCE_GREF), side(call, &asked, 16, flags & DEST_GREF)];
    let status = match sides {
        [Ok(from), Ok(to)] => grants::copy(&*call.world, &mut *call.guests.lock(&*call.world), from, to, bytes),
        [Err(status), _] | [_, Err(status)] => status,
    };
    tell(call, at, 36, status)
}

/// `u.ref` or `u.gmfn`, `domid`, `offset`.
fn side<const SLOTS: usize, W: World<SLOTS>>(
    call: &Call<'_, W>,
    asked: &Copied<40>,
    first: usize,
    granted: u16,
) -> Result<Side, Status> {
    let me = call.world.caller().domain;
    let (domain, offset) = (asked.u16(first + 8), asked.u16(first + 10));
    let page = if granted == 0 {
        own(me, domain).map_err(|_| Status::Denied)?;
        Page::Own(asked.u64(first))
    } else {
        let by = any(me, domain).ok_or(Status::BadDomain)?;
        Page::Granted(GrantRef { by, entry: asked.u32(first) })
    };
    Ok(Side { page, offset })
}

/// `host_addr`, `flags`, `ref`, `dom`; then `status`, `handle`, `dev_bus_addr`.
fn map<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, 32>(&*call.world, at)?;
    let (address, flags, entry, domain) = (asked.u64(0), asked.u32(8), asked.u32(12), asked.u16(16));
    let access = match flags {
        HOST_MAP => Ok(GuestAccess::ReadWrite),
        flags if flags == HOST_MAP | READONLY => Ok(GuestAccess::Read),
        _ => Err(Status::General),
    };
    let by = any(call.world.caller().domain, domain).ok_or(Status::BadDomain);
    let place = Ipa::new(address);
    let mapped = match (access, by) {
        (Ok(access), Ok(by)) if place.is_frame_aligned() => {
            let map = Map { grant: GrantRef { by, entry }, at: place, access };
            grants::map(call.world, &mut *call.guests.lock(&*call.world), map)
        }
        (Ok(_), Ok(_)) => Err(Status::BadAddress),
        (Err(status), _) | (_, Err(status)) => Err(status),
    };
    match mapped {
        Ok(handle) => {
            // Devices see what the guest sees, never what is behind it.
            let mut answer = [0; 14];
            answer[2..6].copy_from_slice(&handle.to_le_bytes());
            answer[6..].copy_from_slice(&address.to_le_bytes());
            arguments::write(&*call.world, at.wrapping_add(18), &answer)
        }
        Err(status) => tell(call, at, 18, status),
    }
}

/// `host_addr`, `dev_bus_addr`, `handle`; then `status`.
fn unmap<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, 24>(&*call.world, at)?;
    let place = Ipa::new(asked.u64(0));
    let done = grants::unmap(call.world, &mut *call.guests.lock(&*call.world), asked.u32(16), place);
    tell(call, at, 20, done.err().unwrap_or(Status::Okay))
}

/// `dom`; then `nr_frames`, `max_nr_frames`, `status`.
fn query_size<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, 4>(&*call.world, at)?;
    if own(call.world.caller().domain, asked.u16(0)).is_err() {
        return tell(call, at, 12, Status::Denied);
    }
    let frames = (FRAMES as u64) << 32 | FRAMES as u64;
    arguments::write(&*call.world, at.wrapping_add(4), &frames.to_le_bytes())?;
    tell(call, at, 12, Status::Okay)
}

/// `version`, which says on return what is used.
fn set_version<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    let asked = arguments::read::<SLOTS, 4>(&*call.world, at)?.u32(0);
    if asked == VERSION { Ok(()) } else { Err(Errno::NoCall) }
}

/// `dom`, then `version`.
fn get_version<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>, at: u64) -> Done {
    own(call.world.caller().domain, arguments::read::<SLOTS, 4>(&*call.world, at)?.u16(0))?;
    arguments::write(&*call.world, at.wrapping_add(4), &VERSION.to_le_bytes())
}

/// An operation's status, in its structure.
#[inline(never)]
fn tell<const SLOTS: usize, W: World<SLOTS>>(call: &Call<'_, W>, at: u64, offset: u64, status: Status) -> Done {
    arguments::write(&*call.world, at.wrapping_add(offset), &(status as i16).to_le_bytes())
}
