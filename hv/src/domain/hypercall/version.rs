//! `xen_version`: what the hypervisor calls itself. Xen, public/version.h.
//!
//! The version is that of the ABI it follows; the rest tells guests no more than they need.

use super::{Call, Done, Errno, Outcome, arguments};
use crate::domain::world::World;
use paging::PAGE_BYTES;

const VERSION: u64 = 0;
const EXTRAVERSION: u64 = 1;
const COMPILE_INFO: u64 = 2;
const CAPABILITIES: u64 = 3;
const CHANGESET: u64 = 4;
const PLATFORM_PARAMETERS: u64 = 5;
const GET_FEATURES: u64 = 6;
const PAGESIZE: u64 = 7;
const GUEST_HANDLE: u64 = 8;
const COMMANDLINE: u64 = 9;
const BUILD_ID: u64 = 10;

/// 4.17: major in the upper half.
const ABI: u64 = 4 << 16 | 17;

/// `XENFEAT_auto_translated_physmap` and `XENFEAT_not_direct_mapped`. Xen, public/features.h.
const FEATURES: u32 = 1 << 2 | 1 << 16;

/// Bytes of the texts, which are shorter; the rest is zeroes.
const EXTRAVERSION_BYTES: usize = 16;
/// `compiler[64]`, `compile_by[16]`, `compile_domain[32]`, `compile_date[32]`.
const COMPILE_INFO_BYTES: usize = 144;
const CAPABILITIES_BYTES: usize = 1024;
const CHANGESET_BYTES: usize = 64;
const COMMANDLINE_BYTES: usize = 1024;

pub(super) fn answer<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>) -> Outcome {
    let [what, at, ..] = call.args;
    let world = &*call.world;
    super::answer(match what {
        VERSION => return Outcome::Answer(ABI),
        PAGESIZE => return Outcome::Answer(PAGE_BYTES),
        EXTRAVERSION => text(world, at, b".0-tabula", EXTRAVERSION_BYTES),
        COMPILE_INFO => text(world, at, b"rustc", COMPILE_INFO_BYTES),
        CAPABILITIES => text(world, at, b"xen-3.0-aarch64 ", CAPABILITIES_BYTES),
        CHANGESET => text(world, at, b"none", CHANGESET_BYTES),
        COMMANDLINE => text(world, at, b"<denied>", COMMANDLINE_BYTES),
        // No part of the guest's address space is the hypervisor's.
        PLATFORM_PARAMETERS => arguments::write(world, at, &[0; 8]),
        // A handle is an identifier that is known elsewhere; there is no elsewhere.
        GUEST_HANDLE => arguments::write(world, at, &[0; 16]),
        GET_FEATURES => features(world, at),
        BUILD_ID => Err(Errno::NoData),
        _ => Err(Errno::NoCall),
    })
}

/// The first submap is the only one (`XENFEAT_NR_SUBMAPS`).
fn features<const SLOTS: usize>(world: &impl World<SLOTS>, at: u64) -> Done {
    let submap = arguments::read::<SLOTS, 4>(world, at)?.u32(0);
    if submap != 0 {
        return Err(Errno::Invalid);
    }
    arguments::write(world, at.wrapping_add(4), &FEATURES.to_le_bytes())
}

/// A text, and zeroes up to the end of its field.
#[inline(never)]
fn text<const SLOTS: usize>(world: &impl World<SLOTS>, at: u64, text: &[u8], bytes: usize) -> Done {
    const ZEROES: [u8; 64] = [0; 64];
    arguments::write(world, at, text)?;
    let mut done = text.len();
    while done < bytes {
        let part = ZEROES.len().min(bytes - done);
        arguments::write(world, at.wrapping_add(done as u64), &ZEROES[..part])?;
        done += part;
    }
    Ok(())
}
