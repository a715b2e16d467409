//! When entries are written, when they go, what that costs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::vec::Vec;

use paging::{El2, LongMode};

use super::{DOMAIN, Exhaustion, FIRST, Owner, Retention, SLOTS, cache, canary, frame, guest, load, visible};
use crate::mm::mapcache::{Exhausted, Figures, Leaked, Moment, OutsidePage};
use crate::sim::{HostFormat, Setup, Sim};

#[test]
fn a_strict_page_is_gone_after_its_guard_for_one_local_invalidation() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Strict, Exhaustion::Stop);
    let before = sim.watch.counts();
    let page = guest(&cache).map(frame(3)).expect("a slot is free");
    assert_eq!(page.load(FIRST), canary(frame(3)));
    assert_eq!(visible(&sim.cpu(0)), [frame(3)]);
    drop(page);
    assert_eq!(visible(&sim.cpu(0)), []);
    let after = sim.watch.counts();
    assert_eq!(after.entry_writes - before.entry_writes, 2);
    assert_eq!(after.local_page_flushes - before.local_page_flushes, 1);
    assert_eq!(after.local_flushes, before.local_flushes);
    assert_eq!((after.page_flushes, after.flushes), (0, 0), "no other CPU is disturbed");
}

#[test]
fn a_lazy_page_is_kept_for_its_domain_and_a_hit_writes_nothing() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Lazy, Exhaustion::Stop);
    drop(guest(&cache).map(frame(3)));
    assert_eq!(visible(&sim.cpu(0)), [frame(3)]);
    let before = sim.watch.counts();
    assert_eq!(guest(&cache).map(frame(3)).expect("it is mapped").load(FIRST), canary(frame(3)));
    let after = sim.watch.counts();
    assert_eq!(after.entry_writes, before.entry_writes);
    assert_eq!(after.publishes, before.publishes);
    assert_eq!((after.local_flushes, after.local_page_flushes), (before.local_flushes, before.local_page_flushes));
    load(&cache, Owner::Domain(DOMAIN + 1));
    assert_eq!(visible(&sim.cpu(0)), [], "nothing of one domain is there for the next");
    assert_eq!(sim.watch.counts().local_flushes, before.local_flushes + 1);
}

#[test]
fn a_frame_mapped_twice_has_one_entry_until_the_last_guard_goes() {
    for retention in [Retention::Strict, Retention::Lazy] {
        let sim = Sim::<El2>::new(Setup::SMALL);
        let cache = cache(&sim, 0, retention, Exhaustion::Stop);
        let [first, second] = [0; 2].map(|_| guest(&cache).map(frame(5)).expect("a slot is free"));
        assert_eq!(sim.watch.counts().entry_writes, 1);
        drop(first);
        assert_eq!(second.load(FIRST), canary(frame(5)));
        drop(second);
        assert_eq!(visible(&sim.cpu(0)).is_empty(), retention == Retention::Strict);
    }
}

fn slots_are_reused_after_one_invalidation_for_all<F: HostFormat>() {
    let sim = Sim::<F>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Lazy, Exhaustion::Stop);
    let rounds = 6;
    for number in 0..SLOTS as u64 * rounds {
        let page = guest(&cache).map(frame(number % 32)).expect("a slot is free");
        assert_eq!(page.load(FIRST), canary(frame(number % 32)));
    }
    let figures = cache.figures();
    assert_eq!(figures.misses, SLOTS as u64 * rounds);
    assert_eq!((figures.recycles, figures.flushes, figures.page_flushes), (rounds - 1, rounds - 1, 0));
    assert_eq!(sim.watch.counts().local_flushes, rounds - 1);
    assert_eq!(sim.watch.checker().violations(), 0);
}

#[test]
fn slots_are_reused_after_one_invalidation_for_all_in_both_formats() {
    slots_are_reused_after_one_invalidation_for_all::<El2>();
    slots_are_reused_after_one_invalidation_for_all::<LongMode>();
}

#[test]
fn frames_that_share_a_hint_are_mapped_together() {
    let sim = Sim::<El2>::new(Setup { ram: paging::FrameRange::new(Setup::SMALL.ram.first, 128), ..Setup::SMALL });
    let cache = cache(&sim, 0, Retention::Lazy, Exhaustion::Stop);
    let base = Setup::SMALL.ram.first.add(20);
    let frames = [base, base.add(32), base.add(64)];
    let pages: Vec<_> = frames.iter().map(|&frame| guest(&cache).map(frame).expect("a slot is free")).collect();
    for (frame, page) in frames.iter().zip(&pages) {
        assert_eq!(page.load(FIRST), canary(*frame));
    }
    drop(pages);
    drop(guest(&cache).map(base));
    assert_eq!(cache.figures().misses, 4, "its hint was another's");
}

#[test]
fn exhaustion_is_an_error_and_overwrites_nothing() {
    for retention in [Retention::Strict, Retention::Lazy] {
        let sim = Sim::<El2>::new(Setup::SMALL);
        let cache = cache(&sim, 0, retention, Exhaustion::Return);
        let pages: Vec<_> =
            (0..SLOTS as u64).map(|number| guest(&cache).map(frame(number)).expect("a slot is free")).collect();
        assert_eq!(guest(&cache).map(frame(9)).err(), Some(Exhausted));
        for (number, page) in pages.iter().enumerate() {
            assert_eq!(page.load(FIRST), canary(frame(number as u64)));
        }
        drop(pages);
        assert_eq!(guest(&cache).map(frame(9)).expect("slots are free again").load(FIRST), canary(frame(9)));
    }
}

/// What a panic said.
fn panic_of(body: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(body)).expect_err("this ends in a panic");
    payload.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn exhaustion_in_debug_builds_names_the_owners() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Strict, Exhaustion::BUILD);
    let pages: Vec<_> = (0..SLOTS as u64).map(|number| guest(&cache).map(frame(number))).collect();
    let report = panic_of(|| drop(guest(&cache).map(frame(9))));
    assert!(report.starts_with("map cache: every slot is live\n  slot 0: 0x4002_0000, 1 times, first by "), "{report}");
    assert_eq!(report.matches("mapcache/tests/rules.rs").count(), SLOTS, "{report}");
    drop(pages);
}

#[test]
fn a_leaked_guard_is_noticed_at_return_and_at_switch() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Strict, Exhaustion::Stop);
    assert_eq!(cache.check_empty(Moment::ReturnToGuest), Ok(()));
    core::mem::forget(guest(&cache).map(frame(2)));
    let leaked = Leaked { guards: 1, moment: Moment::ReturnToGuest };
    assert_eq!(cache.check_empty(Moment::ReturnToGuest), Err(leaked));
    let at_return = panic_of(|| cache.assert_empty(Moment::ReturnToGuest));
    assert!(at_return.starts_with("map cache: 1 guards alive at the return to a guest\n  slot 0: "), "{at_return}");
    let at_switch = panic_of(|| load(&cache, Owner::Nobody));
    assert!(at_switch.contains("at a domain switch") && at_switch.contains("tests/rules.rs"), "{at_switch}");
}

#[test]
fn figures_tell_what_happened() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Lazy, Exhaustion::Stop);
    // The last one writes an entry, so the figures look at how many are alive.
    let pages = [1, 1, 2].map(|number| guest(&cache).map(frame(number)).expect("a slot is free"));
    drop(pages);
    drop(guest(&cache).map(frame(2)));
    let expected = Figures { hits: 2, misses: 2, high_water: 3, ..Figures::default() };
    assert_eq!(cache.figures(), expected);
}

#[test]
fn copies_stay_in_the_page() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Strict, Exhaustion::Stop);
    let page = guest(&cache).map(frame(2)).expect("a slot is free");
    page.zero();
    page.copy_in(4091, b"ether").expect("it ends with the page");
    let mut back = [0; 6];
    page.copy_out(4090, &mut back).expect("it ends with the page");
    assert_eq!(&back, b"\0ether");
    assert_eq!(page.copy_in(4092, b"ether"), Err(OutsidePage));
    assert_eq!(page.copy_out(4092, &mut back), Err(OutsidePage));
    assert_eq!(page.copy_out(usize::MAX, &mut back), Err(OutsidePage));
    page.clean();
    assert_eq!(sim.memory.load_uncached(frame(2).address()), Some(0));
    assert_eq!(sim.memory.load(frame(3), FIRST), Some(canary(frame(3))));
}
