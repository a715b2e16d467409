//! Runs of addresses: disjoint, guarded, given back.

use std::vec::Vec;

use paging::{Frame, FrameRange, PAGE_BYTES};
use proptest::prelude::*;

use super::{Mapping, Vmap, VmapError};
use crate::mm::frames::READ_WRITE;
use crate::mm::heap::{Leaves, Policy};
use crate::mm::here::{Here, bytes};
use crate::mm::rig::{BLOCK, Choice, GIB, Sparse, System, VMAP, VMAP_PAGES, bank, with};
use crate::mm::space::SpaceError;

const CHOICE: Choice = Choice { policy: Policy::None, leaves: Leaves::Pages };

fn on<R>(test: impl FnOnce(&Sparse, &mut Here<'_, Sparse, &Sparse>, &mut System) -> R) -> R {
    with(&[bank(GIB, 40 * BLOCK)], &[], CHOICE, test)
}

fn frames(count: u64) -> FrameRange {
    FrameRange::new(Frame::new(GIB + 77), count)
}

fn map(here: &mut Here<'_, Sparse, &Sparse>, system: &mut System, count: u64) -> Result<Mapping, VmapError> {
    system.vmap.map(here, &mut system.domain, frames(count), READ_WRITE)
}

fn unmap(here: &mut Here<'_, Sparse, &Sparse>, system: &mut System, mapping: Mapping) {
    let expected = mapping.frames();
    assert_eq!(system.vmap.unmap(here, &mut system.domain, mapping), Ok(expected));
}

fn assert_guarded(machine: &Sparse, mapping: &Mapping) {
    let count = mapping.frames().frames;
    for page in 0..count {
        let at = bytes(mapping.at(), page * PAGE_BYTES);
        assert_eq!(machine.translate(at), Some(mapping.frames().first.add(page)));
    }
    assert_eq!(machine.translate(bytes(mapping.at(), count * PAGE_BYTES)), None, "a guard behind the run");
    assert_eq!(machine.translate(paging::VirtAddr::new(mapping.at().get() - PAGE_BYTES)), None, "and one below");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn runs_are_disjoint_and_come_back(
        steps in proptest::collection::vec(prop_oneof![(1_u64..130).prop_map(Ok), any::<usize>().prop_map(Err)], 1..80),
    ) {
        on(|machine, here, system| {
            let before = system.domain.counts();
            let mut live: Vec<Mapping> = Vec::new();
            for step in steps {
                match step {
                    Ok(count) => live.push(map(here, system, count).expect("the window is large enough")),
                    Err(which) if !live.is_empty() => {
                        let mapping = live.swap_remove(which % live.len());
                        let at = mapping.at();
                        unmap(here, system, mapping);
                        assert_eq!(machine.translate(at), None);
                    }
                    Err(_) => {}
                }
            }
            live.iter().for_each(|mapping| assert_guarded(machine, mapping));
            assert_eq!(system.vmap.live_pages(), live.iter().map(|mapping| mapping.frames().frames).sum::<u64>());
            live.into_iter().for_each(|mapping| unmap(here, system, mapping));
            assert_eq!(system.domain.counts(), before);
        });
    }
}

#[test]
fn the_bitmap_grows_when_it_must_and_the_window_ends() {
    on(|machine, here, system| {
        assert_eq!(machine.translate(bytes(VMAP, PAGE_BYTES)), None, "one page of bitmap at first");
        let first = map(here, system, 32_000).expect("the first page of bitmap follows that many");
        let second = map(here, system, 20_000).expect("two pages do");
        assert!(machine.translate(bytes(VMAP, PAGE_BYTES)).is_some());
        assert_eq!(map(here, system, 20_000).err(), Some(VmapError::WindowFull));
        let end = bytes(VMAP, VMAP_PAGES * PAGE_BYTES);
        assert!(bytes(second.at(), 20_000 * PAGE_BYTES) < end);
        unmap(here, system, first);
        let again = map(here, system, 20_000).expect("there is room again");
        [second, again].into_iter().for_each(|mapping| unmap(here, system, mapping));
    });
}

#[test]
fn a_run_that_gets_no_tables_leaves_nothing_behind() {
    on(|machine, here, system| {
        let first = map(here, system, 600).expect("there is plenty");
        let before = system.domain.counts();
        let mut failures = 0;
        let mapping = loop {
            system.domain.tables_left = Some(failures);
            match map(here, system, 2 * BLOCK) {
                Ok(mapping) => break mapping,
                Err(error) => assert_eq!(error, VmapError::Space(SpaceError::OutOfTables)),
            }
            assert_eq!(system.domain.counts(), before);
            failures += 1;
        };
        system.domain.tables_left = None;
        assert_eq!(failures, 2, "pages before and behind a block: each table has failed once");
        assert_guarded(machine, &mapping);
        [first, mapping].into_iter().for_each(|mapping| unmap(here, system, mapping));
        assert_eq!(system.domain.counts().tables, 0);
    });
}

#[test]
fn whole_blocks_of_frames_are_mapped_by_blocks() {
    on(|machine, here, system| {
        let before = system.domain.counts();
        for (first, count) in [(0, BLOCK), (77, 3 * BLOCK), (511, BLOCK + 1), (1, BLOCK - 1), (0, 5 * BLOCK + 9)] {
            let run = FrameRange::new(Frame::new(GIB + first), count);
            let blocks = (run.end().number() / BLOCK).saturating_sub(run.first.number().div_ceil(BLOCK));
            let writes = machine.entry_writes.get();
            let mapping = system.vmap.map(here, &mut system.domain, run, READ_WRITE).expect("there is plenty");
            let tables = system.domain.counts().tables - before.tables;
            assert_eq!(machine.entry_writes.get() - writes, count - blocks * (BLOCK - 1) + tables, "{run}");
            assert!(
                blocks == 0 || mapping.at().get() / PAGE_BYTES % BLOCK == first % BLOCK,
                "{run} lies as its frames"
            );
            assert_guarded(machine, &mapping);
            assert_eq!(system.vmap.unmap(here, &mut system.domain, mapping), Ok(run));
            assert_eq!(system.domain.counts(), before, "every table is back");
        }
    });
}

#[test]
fn addresses_are_used_again_only_after_they_were_given_back() {
    on(|_, here, system| {
        let first = map(here, system, 3).expect("there is plenty");
        let at = first.at();
        let second = map(here, system, 3).expect("there is plenty");
        assert_eq!(second.at(), bytes(at, 4 * PAGE_BYTES), "a guard lies between");
        unmap(here, system, first);
        let third = map(here, system, 4).expect("there is plenty");
        assert_ne!(third.at(), at, "the hole is too short for four and a guard");
        let fourth = map(here, system, 3).expect("there is plenty");
        assert_eq!(fourth.at(), at);
        [second, third, fourth].into_iter().for_each(|mapping| unmap(here, system, mapping));
    });
}

#[test]
fn a_window_that_is_smaller_than_a_page_of_bitmap_ends_all_the_same() {
    on(|_, here, system| {
        let base = bytes(VMAP, 0x1_0000_0000);
        let mut boot =
            crate::mm::boot_alloc::BootAllocator::new([FrameRange::new(Frame::new(GIB * 9), 9)], []).expect("one");
        let mut tables = crate::mm::space::BootTables::new(&mut boot);
        let mut small = Vmap::new(here, &mut tables, system.space, base, BLOCK).expect("nine frames");
        let mut live = Vec::new();
        while let Ok(mapping) = small.map(here, &mut system.domain, frames(9), READ_WRITE) {
            live.push(mapping);
        }
        assert_eq!(live.len() as u64, (BLOCK - 2) / 10);
        for mapping in live {
            assert!(small.unmap(here, &mut system.domain, mapping).is_ok());
        }
    });
}
