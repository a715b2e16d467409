//! The map cache: a page mapped and unmapped, in each of the ways it may go; a copy and a scrub through it.

use core::convert::Infallible;
use core::hint::black_box;

use paging::{Frame, FrameRange, PAGE_BYTES, VirtAddr};

use super::lap::measure_with;
use crate::board::DOMAINS;
use crate::mm::directmap;
use crate::mm::entry::Cells;
use crate::mm::mapcache::{self, Cache, Context, Mapped, OwnView, Owner};

const PAGE: usize = PAGE_BYTES as usize;

/// What is copied to a domain's frame, aligned as pages are.
static SOURCE: Aligned = Aligned([0x5a; PAGE]);

#[repr(align(8))]
struct Aligned([u8; PAGE]);

/// The domain that pages are retained for: one behind the plan's.
const VMID: u16 = DOMAINS.len() as u16 + 1;

/// With frames that nobody else uses.
pub(super) fn operations(frames: FrameRange) {
    let cache = mapcache::here();
    load(cache, Owner::Domain(VMID));
    let own = cache.enter(Context::Guest { vmid: VMID }).expect("it is loaded");
    let any = cache.enter(Context::Idle).expect("an idle context acts for whoever is loaded");
    if directmap::shown(frames.first).is_some() {
        measure_touch("shown by the directmap", own, frames.first);
    } else {
        strict(any, frames.first);
        retained(cache, own, frames);
    }
    copies(own, any, frames.first);
    load(cache, Owner::Nobody);
}

fn load(cache: &Cache, owner: Owner) {
    let Ok(()) = cache.switch(owner, || Ok::<(), Infallible>(()));
}

/// Maps a frame and unmaps it; where it was.
#[inline(always)]
fn touch(view: OwnView, frame: Frame) -> VirtAddr {
    let page = view.map(frame).expect("nobody else uses the cache");
    match page.cells() {
        Cells::Mapped(at) => at,
        Cells::Table(_) => unreachable!("a page has been mapped, not a table"),
    }
}

/// Each kind of map and unmap, in the same code.
#[inline(never)]
fn measure_touch(name: &str, view: OwnView, frame: Frame) {
    measure_with(format_args!("map and unmap, {name}"), frame, |frame| touch(view, frame));
}

fn strict(any: OwnView, frame: Frame) {
    measure_touch("strict", any, frame);
    let held = any.map(frame);
    measure_touch("strict, of a page that is held", any, frame);
    drop(held);
}

fn retained(cache: &Cache, own: OwnView, frames: FrameRange) {
    let mut fresh = (0..frames.frames).cycle().map(|number| frames.first.add(number));
    let mut next = || fresh.next().expect("it begins again");
    let used = next();
    touch(own, used);
    measure_touch("retained, hit", own, used);
    measure_touch("retained, miss", own, next());
    let recycles = || cache.figures().recycles;
    let mut until_recycled = || {
        let before = recycles();
        let maps = (1..).find(|_| {
            touch(own, next());
            recycles() > before
        });
        maps.expect("a cache with retained pages is full some time")
    };
    until_recycled();
    let period: u64 = until_recycled();
    for _ in 1..period {
        touch(own, next());
    }
    let before = recycles();
    measure_touch("retained, miss that recycles", own, next());
    assert!(recycles() == before + 1, "slots are recycled every {period} maps");
}

fn copies(own: OwnView, any: OwnView, frame: Frame) {
    let copy = |page: Mapped<'_, _, _>| page.copy_in(0, black_box(&SOURCE.0)).expect("a page has room for a page");
    let foreign = |frame| any.map_foreign(frame).expect("nobody else uses the cache");
    measure_with(format_args!("copy of 4 KiB to a domain's frame, strict"), frame, |frame| copy(foreign(frame)));
    touch(own, frame);
    let retained = |frame| own.map(frame).expect("nobody else uses the cache");
    measure_with(format_args!("copy of 4 KiB to a domain's frame, retained"), frame, |frame| copy(retained(frame)));
    measure_with(format_args!("scrub of 4 KiB"), frame, |frame| foreign(frame).scrub());
}
