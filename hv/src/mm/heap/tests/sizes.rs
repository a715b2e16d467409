//! Pools that become blocks and pages again: when, what it costs, what happens when there is no table.

use std::vec::Vec;

use paging::{El2, Frame, FrameRange, Level, PAGE_BYTES, Root, TableAccess};

use super::{ANY, On, allocate, assert_all_agree, by_page, free, leaves};
use crate::mm::frames::{Order, Owner, READ_WRITE, Use};
use crate::mm::heap::{HeapError, HeapPages};
use crate::mm::here::Here;
use crate::mm::rig::{BLOCK, GIB, Sparse, System, bank, with};
use crate::mm::space::SizeChanges;

/// Pages of a pool; one frame holds its records.
const POOL: u64 = BLOCK - 1;
const ROOT: Frame = Frame::new(GIB);

fn fill(here: On<'_, '_, '_>, system: &mut System, pages: u64) -> Vec<HeapPages> {
    (0..pages).map(|_| allocate(here, system, Order::FRAME).expect("there is plenty")).collect()
}

fn changes(merged: u64, split: u64) -> SizeChanges {
    SizeChanges { merged, split }
}

/// Frames of each leaf of the heap.
fn leaf_sizes(machine: &Sparse) -> Vec<u64> {
    leaves(machine, ROOT).iter().map(|(_, frames)| frames.frames).collect()
}

#[test]
fn a_full_pool_is_one_block_and_pages_again_before_one_is_freed() {
    for choice in by_page() {
        with(&[bank(GIB, GIB)], &[], choice, |machine, here, system| {
            let baseline = system.domain.counts();
            let mut live = fill(here, system, POOL - 1);
            let by_pages = system.domain.counts().tables;
            assert_eq!((leaf_sizes(machine).len() as u64, system.heap.size_changes()), (POOL - 1, changes(0, 0)));
            live.extend(fill(here, system, 1));
            assert_eq!((leaf_sizes(machine), system.heap.size_changes()), ([BLOCK].into(), changes(1, 0)));
            assert_eq!((system.domain.counts().tables, system.domain.merged()), (by_pages - 1, 1));
            assert_all_agree(machine, here, system, &live);

            let gone = live.swap_remove(200);
            let at = gone.at();
            free(here, system, gone);
            assert_eq!((leaf_sizes(machine).len() as u64, system.heap.size_changes()), (POOL - 1, changes(1, 1)));
            assert_eq!((system.domain.counts().tables, system.domain.merged()), (by_pages, 0));
            assert_eq!(machine.translate(at), None);
            assert_all_agree(machine, here, system, &live);

            live.into_iter().for_each(|pages| free(here, system, pages));
            assert_eq!(system.domain.counts(), baseline, "table pages are back at the baseline");
            assert_eq!((leaf_sizes(machine), machine.rendezvous.get()), ([].into(), 2));
        });
    }
}

#[test]
fn chunks_of_any_order_fill_a_pool_and_break_it_up() {
    for (choice, broken) in by_page().flat_map(|choice| (0..9).map(move |order| (choice, order))) {
        with(&[bank(GIB, GIB)], &[], choice, |machine, here, system| {
            let baseline = system.domain.counts();
            let orders = (0..9).rev().map(Order::new);
            let mut live: Vec<_> =
                orders.map(|order| allocate(here, system, order).expect("there is plenty")).collect();
            assert_eq!((leaf_sizes(machine), system.heap.size_changes()), ([BLOCK].into(), changes(1, 0)));
            let gone = live.swap_remove(broken);
            let left = POOL - gone.order().frames();
            free(here, system, gone);
            assert_eq!(leaf_sizes(machine).len() as u64, left);
            assert_all_agree(machine, here, system, &live);
            live.into_iter().for_each(|pages| free(here, system, pages));
            assert_eq!(system.domain.counts(), baseline);
        });
    }
}

#[test]
fn a_page_that_comes_and_goes_does_not_merge_the_pool_each_time() {
    for choice in by_page() {
        with(&[bank(GIB, GIB)], &[], choice, |_, here, system| {
            let mut live = fill(here, system, POOL);
            for round in 1..2 * POOL {
                let page = live.pop().expect("the pool is full");
                free(here, system, page);
                live.extend(fill(here, system, 1));
                let expected = changes(1 + round / POOL, 1 + (round - 1) / POOL);
                assert_eq!(system.heap.size_changes(), expected, "once for as many maps as a pool has, round {round}");
            }
            live.into_iter().for_each(|pages| free(here, system, pages));
        });
    }
}

#[test]
fn pools_that_are_not_one_run_stay_pages() {
    for choice in by_page() {
        with(&[bank(GIB, GIB)], &[], choice, |_, here, system| {
            let mut live = fill(here, system, POOL - 1);
            let at = live[7].at();
            let leaf = paging::walk::<El2>(here.reach, Root::new(ROOT, Level::L0), at).steps().last();
            let leaf = leaf.expect("it is mapped");
            let other = El2::leaf(Level::L3, Frame::new(7), READ_WRITE);
            here.reach.write(leaf.table, leaf.index, other);
            live.extend(fill(here, system, 1));
            assert_eq!(system.heap.size_changes(), changes(0, 0));
            here.reach.write(leaf.table, leaf.index, leaf.entry);
            live.into_iter().for_each(|pages| free(here, system, pages));
        });
    }
}

#[test]
fn every_pool_of_a_full_machine_can_lose_a_page() {
    for choice in by_page() {
        with(&[bank(GIB, 40 * BLOCK)], &[], choice, |machine, here, system| {
            let baseline = system.domain.counts();
            let mut live = Vec::new();
            while let Ok(pages) = allocate(here, system, Order::FRAME) {
                live.push(pages);
            }
            let mut rest = Vec::new();
            while let Ok(frame) = system.domain.allocate(here, Order::FRAME, Owner::domain(0), ANY) {
                rest.push(frame);
            }
            let merged = system.domain.merged();
            assert!(merged > 30, "{merged} pools are blocks");
            assert_eq!(
                system.domain.counts().free,
                merged + crate::mm::buddy::HELD,
                "a table for each, and what is held"
            );
            let (kept, gone): (Vec<_>, Vec<_>) =
                live.into_iter().enumerate().partition(|(_, pages)| pages.frames().first.number() % BLOCK != 300);
            gone.into_iter().for_each(|(_, pages)| free(here, system, pages));
            assert_eq!((system.domain.merged(), system.heap.size_changes()), (0, changes(merged, merged)));
            assert_eq!(system.domain.counts().quarantined, 0);
            kept.into_iter().for_each(|(_, pages)| free(here, system, pages));
            for frame in rest {
                assert_eq!(system.domain.free(here, frame, Order::FRAME, Owner::domain(0)), Ok(()));
            }
            assert_eq!((system.domain.counts(), leaf_sizes(machine)), (baseline, [].into()));
        });
    }
}

#[test]
fn a_split_that_gets_no_table_loses_one_page_and_nothing_else() {
    for choice in by_page() {
        with(&[bank(GIB, 40 * BLOCK)], &[], choice, |machine, here, system| {
            let mut live = fill(here, system, POOL);
            let (lost, next) = (live.swap_remove(100), live.swap_remove(100));
            let (frame, at) = (lost.frames().first, lost.at());
            let before = system.domain.counts();
            system.domain.tables_left = Some(0);
            let freed = system.heap.free(here, &mut system.domain, lost);
            assert_eq!(freed, Err(HeapError::Quarantined(frame)));
            assert_eq!((leaf_sizes(machine), system.heap.size_changes()), ([BLOCK].into(), changes(1, 0)));
            assert_eq!((system.domain.counts().tables, system.domain.counts().free), (before.tables, before.free));
            assert_eq!(system.domain.frames().usage(here, frame), Use::Quarantined);
            system.domain.tables_left = None;
            free(here, system, next);
            assert_eq!((system.heap.size_changes(), machine.translate(at)), (changes(1, 1), Some(frame)));
            assert_all_agree(machine, here, system, &live);
            live.into_iter().for_each(|pages| free(here, system, pages));
            assert_eq!(leaves(machine, ROOT), [(at, FrameRange::new(frame, 1))], "what is lost stays where it was");
        });
    }
}

/// Fills a pool, breaks it up and empties it, with no more than `tables` tables; how often that failed.
fn with_tables(here: &mut Here<'_, Sparse, &Sparse>, system: &mut System, tables: u64) -> usize {
    system.domain.tables_left = Some(tables);
    let live: Vec<_> = (0..POOL).map(|_| allocate(here, system, Order::FRAME)).collect();
    let refused = live.iter().filter(|pages| pages.is_err()).count();
    let freed = live.into_iter().flatten().map(|pages| system.heap.free(here, &mut system.domain, pages));
    let lost = freed.filter(Result::is_err).count();
    system.domain.tables_left = None;
    refused + lost
}

#[test]
fn each_table_may_be_the_one_that_is_missing() {
    for choice in by_page() {
        let mut tables = 0;
        loop {
            let failures = with(&[bank(GIB, GIB)], &[], choice, |machine, here, system| {
                let before = system.domain.counts();
                let failures = with_tables(here, system, tables);
                let after = system.domain.counts();
                let lost = after.quarantined;
                assert_eq!(leaf_sizes(machine).len() as u64, if lost == 0 { 0 } else { 1 }, "with {tables} tables");
                assert!(lost > 0 || after == before, "with {tables} tables: {after:?}");
                failures
            });
            if failures == 0 {
                break;
            }
            tables += 1;
        }
        assert!(tables >= 2, "one for the pool at least, one for the split: {tables}");
    }
}

#[test]
fn bytes_of_a_block_keep_their_addresses() {
    for choice in by_page() {
        with(&[bank(GIB, GIB)], &[], choice, |_, here, system| {
            let mut live = fill(here, system, POOL);
            let last = live.pop().expect("the pool is full");
            for pages in &live {
                here.store(pages.at(), pages.frames().first.number());
            }
            free(here, system, last);
            for pages in &live {
                assert_eq!(here.load(pages.at()), pages.frames().first.number());
                assert_eq!(pages.at().get() % PAGE_BYTES, 0);
            }
            live.into_iter().for_each(|pages| free(here, system, pages));
        });
    }
}
