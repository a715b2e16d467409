//! Frames that run out at any moment of a build.

use paging::{El2, LongMode, Npt, PAGE_BYTES, Stage2};

use super::{ASIDE, BASE, Image, Part, RETENTIONS, Retention, destroy, make, owned, plan, state, write};
use crate::domain::builder::{DomainPlan, pages_on};
use crate::mm::checker::Verdict;
use crate::mm::guest_rig::with;
use crate::mm::guest_tables::NestedFormat;
use crate::mm::rig::BLOCK;
use crate::sim::HostFormat;

/// Refuses the n-th frame, for all n, until a build needs fewer; returns how many builds failed.
fn every_frame_fails<F: HostFormat, G: NestedFormat>(seed: u64, retention: Retention, memory: &[Part]) -> u64 {
    let mut missing = 0;
    with::<F, _>(seed, Verdict::Stop, |rig, system| {
        let images = [Image { first: ASIDE.first.add(70), bytes: 2 * PAGE_BYTES + 77, at: pages_on(BASE, 3) }];
        write(rig.sim, &images[0], 1);
        let plan = DomainPlan { memory, images: &images, ..plan::<F>(retention, &[]) };
        let before = state(system);
        loop {
            system.domain.ration.limit(missing);
            let made = make::<F, G>(&rig.cpus[missing as usize % 2], system, &plan);
            system.domain.ration.lift();
            match made {
                Ok((built, _)) => {
                    destroy(&rig.cpus[0], system, built);
                    assert_eq!(state(system), before);
                    break;
                }
                Err(_) => {
                    assert_eq!(state(system), before, "frame {missing}");
                    assert_eq!(rig.sim.guest_memories(super::ID.vmid), 0);
                    missing += 1;
                }
            }
        }
        assert_eq!(owned(rig, system), []);
        let checker = rig.sim.watch.checker();
        assert_eq!((checker.violations(), checker.lost(), checker.zapped()), (0, 0, 0));
    });
    missing
}

#[test]
fn a_build_that_fails_leaves_everything_as_it_was_whichever_frame_is_missing() {
    let memory = [Part::Heap { at: BASE, pages: 20 }, Part::Heap { at: pages_on(BASE, 1 << 20), pages: 7 }];
    for (seed, retention) in RETENTIONS.into_iter().enumerate() {
        let failures = every_frame_fails::<El2, Stage2>(seed as u64, retention, &memory);
        // The area's root and two tables, six tables of the guest, two pages for each of two vCPUs, all its memory.
        assert!(failures > 3 + 6 + 4, "{retention:?}: {failures} builds failed");
    }
    every_frame_fails::<LongMode, Npt>(9, Retention::PoolWindow, &memory);
}

#[test]
fn a_build_with_blocks_and_planned_memory_fails_as_cleanly() {
    let planned = paging::FrameRange::new(ASIDE.first, 64);
    let memory =
        [Part::Planned { at: BASE, frames: planned }, Part::Heap { at: pages_on(BASE, BLOCK), pages: BLOCK + 5 }];
    every_frame_fails::<El2, Stage2>(5, Retention::PoolWindow, &memory);
}
