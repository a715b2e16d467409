//! What one CPU maps is in no other CPU's sight, and nothing beside it in anyone's.

use paging::{El2, LongMode};

use super::{BASE, Exhaustion, FIRST, Retention, cache, canary, frame, guest, visible};
use crate::sim::{Fault, HostFormat, Setup, Sim};

const SEEDS: u64 = 20;

fn mapped_here_only<F: HostFormat>(retention: Retention) {
    for seed in 0..SEEDS {
        let sim = Sim::<F>::new(Setup { seed, ..Setup::SMALL });
        let [here, there] = [0, 1].map(|cpu| cache(&sim, cpu, retention, Exhaustion::Stop));
        let page = guest(&here).map(frame(7)).expect("a slot is free");
        assert_eq!(sim.cpu(0).try_load(BASE), Ok(canary(frame(7))));
        assert!(matches!(sim.cpu(1).try_load(BASE), Err(Fault::Translation(_))), "the address was passed on");
        assert_eq!(visible(&sim.cpu(1)), []);
        assert_eq!(visible(&sim.cpu(0)), [frame(7)], "its neighbours are not in sight");

        let other = guest(&there).map(frame(8)).expect("a slot is free");
        assert_eq!(sim.cpu(1).try_load(BASE), Ok(canary(frame(8))), "the same address, another frame");
        assert_eq!(page.load(FIRST), canary(frame(7)));
        assert_eq!([0, 1].map(|cpu| visible(&sim.cpu(cpu))), [[frame(7)], [frame(8)]]);
        drop(page);
        drop(other);
        for cpu in [0, 1] {
            assert_eq!(visible(&sim.cpu(cpu)).is_empty(), retention == Retention::Strict);
        }
    }
}

#[test]
fn a_page_is_in_sight_of_its_cpu_alone() {
    for retention in [Retention::Strict, Retention::Lazy] {
        mapped_here_only::<El2>(retention);
        mapped_here_only::<LongMode>(retention);
    }
}

#[test]
fn scrubbed_pages_are_zero_for_readers_past_the_caches() {
    let sim = Sim::<El2>::new(Setup::SMALL);
    let cache = cache(&sim, 0, Retention::Strict, Exhaustion::Stop);
    let page = guest(&cache).map(frame(4)).expect("a slot is free");
    page.zero();
    page.clean();
    let uncached = |offset| sim.memory.load_uncached(frame(4).address().checked_add(offset)?);
    assert!((0..4096).step_by(8).all(|offset| uncached(offset) == Some(0)));
    assert_eq!(sim.memory.load_uncached(frame(5).address()), Some(canary(frame(5))));
}
