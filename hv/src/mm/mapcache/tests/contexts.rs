//! Who is let in, and that bookkeeping follows the loaded domain.

use std::boxed::Box;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use paging::El2;

use super::{Cache, DOMAIN, Exhaustion, FIRST, GUEST, Owner, Retention, cache, canary, frame, guest, load, visible};
use crate::machine::Machine;
use crate::mm::mapcache::{Area, Context, MapCache, Refused};
use crate::sim::{Setup, Sim};

#[test]
fn contexts_that_cannot_be_masked_are_refused() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Lazy, Exhaustion::Stop);
    assert_eq!(cache.enter(Context::NonMaskable).err(), Some(Refused::NonMaskable));
    for context in [Context::Idle, Context::Interrupt, GUEST] {
        let view = cache.enter(context).expect("these may map");
        assert_eq!(view.map(frame(1)).expect("a slot is free").load(FIRST), canary(frame(1)), "{context:?}");
    }
}

#[test]
fn a_domain_that_is_not_loaded_is_refused() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Lazy, Exhaustion::Stop);
    let loaded = Owner::Domain(DOMAIN);
    let asked = Owner::Domain(DOMAIN + 1);
    let other = cache.enter(Context::Guest { vmid: DOMAIN + 1 });
    assert_eq!(other.err(), Some(Refused::OtherDomain { asked, loaded }));
    load(&cache, Owner::Nobody);
    let refused = Some(Refused::OtherDomain { asked: loaded, loaded: Owner::Nobody });
    assert_eq!(cache.enter(GUEST).err(), refused);
}

#[test]
fn a_view_does_not_outlive_its_domains_turn() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Lazy, Exhaustion::Stop);
    let stale = guest(&cache);
    load(&cache, Owner::Domain(DOMAIN + 1));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stale.map(frame(1))))).is_err());
    assert_eq!(visible(&sim.cpu(0)), []);
}

#[test]
fn a_switch_that_fails_half_way_leaves_nobody_loaded_and_nothing_mapped() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Lazy, Exhaustion::Stop);
    drop(guest(&cache).map(frame(1)));
    let seen = Cell::new(None);
    let failed = cache.switch(Owner::Domain(DOMAIN + 1), || {
        seen.set(Some((cache.loaded(), visible(&sim.cpu(0)).len())));
        Err("injected")
    });
    assert_eq!(failed, Err("injected"));
    assert_eq!(seen.get(), Some((Owner::Nobody, 0)), "emptied before the entry changes");
    for vmid in [DOMAIN, DOMAIN + 1] {
        let refused = Refused::OtherDomain { asked: Owner::Domain(vmid), loaded: Owner::Nobody };
        assert_eq!(cache.enter(Context::Guest { vmid }).err(), Some(refused));
    }
    let idle = cache.enter(Context::Idle).expect("nobody's mappings still work");
    assert_eq!(idle.map(frame(2)).expect("a slot is free").load(FIRST), canary(frame(2)));
    assert_eq!(visible(&sim.cpu(0)), []);
}

#[test]
fn only_the_loaded_domains_own_pages_are_retained() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Lazy, Exhaustion::Stop);
    drop(guest(&cache).map_foreign(frame(1)));
    drop(cache.enter(Context::Idle).expect("idle may map").map(frame(2)));
    drop(cache.enter(Context::Interrupt).expect("an interrupt may map").map(frame(3)));
    assert_eq!(visible(&sim.cpu(0)), []);
    drop(guest(&cache).map(frame(4)));
    assert_eq!(visible(&sim.cpu(0)), [frame(4)]);
}

/// A cache that an interrupt's handler can hold too.
fn shared_cache(seed: u64, retention: Retention) -> (&'static Sim<El2>, &'static Cache<'static>) {
    let sim: &'static Sim<El2> = Box::leak(Box::new(Sim::new(Setup { seed, ..Setup::SMALL })));
    let cpu = sim.cpu(0);
    let table = sim.private_leaves(cpu.cpu(), super::BASE);
    let area = Area { table: sim.table(table), frame: table, base: super::BASE };
    let cache: &'static Cache<'static> =
        Box::leak(Box::new(MapCache::new(cpu.clone(), area, retention, Exhaustion::Stop)));
    load(cache, Owner::Domain(DOMAIN));
    let turns = Rc::new(Cell::new(0));
    cpu.on_interrupt(move || {
        turns.set(turns.get() + 1);
        let view = cache.enter(Context::Interrupt).expect("an interrupt may map");
        // Sometimes the page that was interrupted, sometimes others.
        for number in [turns.get() % 5, 8 + turns.get() % 3] {
            let page = view.map(frame(number)).expect("room for a nested map");
            assert_eq!(page.load(FIRST), canary(frame(number)), "in the handler, seed {seed}");
        }
    });
    (sim, cache)
}

#[test]
fn interrupts_may_map_whenever_they_are_not_masked() {
    for retention in [Retention::Strict, Retention::Lazy] {
        for seed in 0..8 {
            let (sim, cache) = shared_cache(seed, retention);
            for number in 0..40 {
                let page = guest(cache).map(frame(number % 5)).expect("a slot is free");
                assert_eq!(page.load(FIRST), canary(frame(number % 5)), "seed {seed}");
                let second = guest(cache).map(frame((number + 1) % 5)).expect("a slot is free");
                drop(page);
                assert_eq!(second.load(FIRST), canary(frame((number + 1) % 5)), "seed {seed}");
            }
            assert!(cache.figures().high_water > 2, "handlers ran while guards were alive");
            assert_eq!(cache.figures().live, 0);
            assert_eq!(sim.watch.checker().violations(), 0);
        }
    }
}
