//! The hypervisor's heap under every policy: what is mapped, for whom, what it costs, what happens when it fails.

mod hostile;
mod sizes;
mod beside;
mod threads;

use std::vec::Vec;

use paging::{Decoded, El2, Entry, Frame, FrameRange, Level, Root, TableAccess, VirtAddr};
use proptest::prelude::*;

use super::{Heap, HeapError, HeapPages, Leaves, OnDemand, Policy, Window};
use crate::mm::buddy::Counts;
use crate::mm::frames::{Bank, Node, Order, Owner, READ_WRITE, Use};
use crate::mm::here::Here;
use crate::mm::rig::{AREA, BLOCK, Choice, GIB, NoTables, Sparse, System, WINDOW, bank, with};
use crate::mm::space::{LeafSize, Space, SpaceError};

const ANY: Node = Node(0);

type On<'a, 'm, 'r> = &'a mut Here<'m, Sparse, &'r Sparse>;

fn allocate(here: On<'_, '_, '_>, system: &mut System, order: Order) -> Result<HeapPages, HeapError> {
    system.heap.allocate(here, &mut system.domain, order, ANY)
}

fn free(here: On<'_, '_, '_>, system: &mut System, pages: HeapPages) {
    assert_eq!(system.heap.free(here, &mut system.domain, pages), Ok(()));
}

/// Leaves of the window and of the area, slot 0 of which is its own.
fn leaves(machine: &Sparse, root: Frame) -> Vec<(VirtAddr, FrameRange)> {
    let mut found = Vec::new();
    let area = AREA.base.get() + BLOCK * paging::PAGE_BYTES..AREA.base.get() + AREA.slots * BLOCK * paging::PAGE_BYTES;
    paging::for_each_leaf::<El2>(&mut &*machine, Root::new(root, Level::L0), |leaf| {
        if leaf.at.get() >= WINDOW || area.contains(&leaf.at.get()) {
            found.push((leaf.at, FrameRange::new(leaf.frame, leaf.level.entry_frames())));
        }
    })
    .expect("the heap writes no entry that its format does not have");
    found
}

fn assert_all_agree(machine: &Sparse, here: &Here<'_, Sparse, &Sparse>, system: &System, live: &[HeapPages]) {
    for pages in live {
        for (page, frame) in (0..pages.order().frames()).map(|page| (page, pages.frames().first.add(page))) {
            let at = crate::mm::here::bytes(pages.at(), page * paging::PAGE_BYTES);
            assert_eq!(machine.translate(at), Some(frame));
            assert_eq!(system.heap.address_of(here, &system.domain, frame), Some(at));
            assert_eq!(system.heap.frame_of(here, &system.domain, at), Some(frame));
        }
    }
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![6 => 0_u8..2, 2 => 2_u8..9, 1 => 9_u8..11].prop_map(Order::new)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_mapped_is_allocated_and_what_is_allocated_is_mapped(
        choice in proptest::sample::select(&Choice::ALL[..]),
        steps in proptest::collection::vec(prop_oneof![order().prop_map(Ok), any::<usize>().prop_map(Err)], 1..80),
    ) {
        with(&[bank(GIB, 30 * BLOCK), bank(3 * GIB, 30 * BLOCK)], &[], choice, |machine, here, system| {
            let (root, baseline) = (Frame::new(GIB), system.domain.counts());
            let mut live: Vec<HeapPages> = Vec::new();
            for step in steps {
                match step {
                    Ok(order) => live.extend(allocate(here, system, order)),
                    Err(which) if !live.is_empty() => {
                        let pages = live.swap_remove(which % live.len());
                        free(here, system, pages);
                    }
                    Err(_) => {}
                }
                let pages: u64 = live.iter().map(|pages| pages.frames().frames).sum();
                assert_eq!(system.heap.live_pages(), pages);
            }
            assert_all_agree(machine, here, system, &live);
            let mapped = leaves(machine, root);
            let frames: u64 = mapped.iter().map(|(_, frames)| frames.frames).sum();
            match (choice.policy, choice.leaves) {
                (Policy::Full, _) => assert_eq!(frames, 60 * BLOCK),
                (_, Leaves::Pages) => assert_eq!(frames, system.heap.live_pages()),
                (_, Leaves::Blocks) => assert!(mapped.iter().all(|(_, frames)| {
                    live.iter().any(|pages| pages.frames().intersects(*frames))
                })),
            }
            live.into_iter().for_each(|pages| free(here, system, pages));
            assert_eq!(system.domain.counts(), baseline);
            assert!(choice.policy == Policy::Full || leaves(machine, root).is_empty());
        });
    }
}

/// All policies that map by page.
fn by_page() -> impl Iterator<Item = Choice> {
    mapping().filter(|choice| choice.leaves == Leaves::Pages)
}

/// All policies that map.
fn mapping() -> impl Iterator<Item = Choice> {
    Choice::ALL.into_iter().filter(|choice| choice.policy != Policy::Full)
}

#[test]
fn a_failed_table_leaves_nothing_behind_whichever_it_is() {
    for choice in mapping() {
        for order in [Order::FRAME, Order::new(5), Order::new(10)] {
            let mut failures = 0;
            loop {
                let (refused, needed) = with(&[bank(GIB, GIB)], &[], choice, |machine, here, system| {
                    let before = (system.domain.counts(), leaves(machine, Frame::new(GIB)));
                    system.domain.tables_left = Some(failures);
                    let result = allocate(here, system, order);
                    let refused = result.is_err();
                    let needed = system.domain.counts().tables - before.0.tables;
                    system.domain.tables_left = None;
                    result.into_iter().for_each(|pages| free(here, system, pages));
                    assert_eq!((system.domain.counts(), leaves(machine, Frame::new(GIB))), before);
                    (refused, needed)
                });
                if !refused {
                    assert_eq!(needed, failures, "{choice:?}, {order:?}: each one has failed once");
                    break;
                }
                failures += 1;
            }
        }
    }
}

/// Tables that `pages` heap pages need, and the heap's state before and after.
fn tables_of(choice: Choice, pages: usize) -> (u64, Counts, Counts) {
    with(&[bank(GIB, GIB)], &[], choice, |_, here, system| {
        let before = system.domain.counts();
        let live: Vec<_> =
            (0..pages).map(|_| allocate(here, system, Order::FRAME).expect("a gigabyte is enough")).collect();
        let tables = system.domain.counts().tables - before.tables;
        live.into_iter().for_each(|pages| free(here, system, pages));
        (tables, before, system.domain.counts())
    })
}

#[test]
fn pooled_pages_need_one_table_for_512_and_8_more() {
    for choice in mapping() {
        for pages in [1, 511, 512, 5000] {
            let (tables, before, after) = tables_of(choice, pages);
            assert!(tables <= pages as u64 / 512 + 8, "{choice:?}: {tables} tables for {pages} pages");
            assert_eq!(after, before);
        }
    }
    let full = Choice { policy: Policy::Full, leaves: Leaves::Pages };
    assert_eq!(tables_of(full, 5000).0, 0);
}

#[test]
fn scattered_pages_need_a_table_each() {
    let choice = Choice { policy: Policy::OnDemand, leaves: Leaves::Pages };
    with(&[bank(GIB, GIB)], &[], choice, |_, here, system| {
        let (before, mut space) = (system.domain.counts().tables, Space::new(Frame::new(GIB)));
        for block in 0..100 {
            let at = VirtAddr::new(WINDOW + block * BLOCK * paging::PAGE_BYTES);
            let frame = FrameRange::new(Frame::new(GIB + block * BLOCK), 1);
            assert_eq!(space.map(here, &mut system.domain, LeafSize::Page, at, frame, READ_WRITE), Ok(()));
        }
        assert!(system.domain.counts().tables - before >= 100);
    });
}

#[test]
fn without_a_window_both_directions_cost_the_same_however_many_pools_there_are() {
    let choice = Choice { policy: Policy::None, leaves: Leaves::Pages };
    let costs = [1, 20_000].map(|pages| {
        with(&[bank(GIB, GIB)], &[], choice, |machine, here, system| {
            let live: Vec<_> =
                (0..pages).map(|_| allocate(here, system, Order::FRAME).expect("a gigabyte is enough")).collect();
            let last = live.last().expect("at least one");
            let loads = || machine.loads.get();
            let start = loads();
            assert_eq!(system.heap.frame_of(here, &system.domain, last.at()), Some(last.frames().first));
            let backwards = loads() - start;
            assert_eq!(system.heap.address_of(here, &system.domain, last.frames().first), Some(last.at()));
            (backwards, loads() - start - backwards)
        })
    });
    assert_eq!(costs, [(1, 1), (1, 1)], "one word each way");
}

#[test]
fn parts_of_a_chunk_are_freed_on_their_own() {
    for choice in by_page() {
        with(&[bank(GIB, GIB)], &[], choice, |machine, here, system| {
            let before = system.domain.counts();
            for (order, keep) in [(4, 11), (8, 1), (8, 255), (11, BLOCK), (11, 3 * BLOCK), (3, 0), (3, 8)] {
                let pages = allocate(here, system, Order::new(order)).expect("a gigabyte is enough");
                let (at, frames) = (pages.at(), pages.frames());
                let mut parts = Vec::new();
                let cut = system.heap.split(here, &mut system.domain, pages, keep, |part| parts.push(part));
                assert_eq!(cut, Ok(()));
                assert_eq!(parts.iter().map(|part| part.frames().frames).sum::<u64>(), frames.frames);
                let (kept, rest): (Vec<_>, Vec<_>) =
                    parts.into_iter().partition(|part| part.frames().first.number() < frames.first.number() + keep);
                rest.into_iter().for_each(|part| free(here, system, part));
                assert_all_agree(machine, here, system, &kept);
                let behind = crate::mm::here::bytes(at, keep * paging::PAGE_BYTES);
                assert!(keep == frames.frames || machine.translate(behind).is_none(), "what was freed is not mapped");
                kept.into_iter().for_each(|part| free(here, system, part));
            }
            assert_eq!(system.domain.counts(), before);
        });
    }
}

#[test]
fn pages_that_cannot_be_unmapped_are_never_used_again() {
    for choice in by_page() {
        with(&[bank(GIB, 40 * BLOCK)], &[], choice, |machine, here, system| {
            let pages = allocate(here, system, Order::FRAME).expect("there is plenty");
            let frame = pages.frames().first;
            let root = Root::new(Frame::new(GIB), Level::L0);
            let walk = paging::walk::<El2>(here.reach, root, pages.at());
            let leaf = walk.steps().last().expect("it is mapped");
            let other = El2::leaf(Level::L3, Frame::new(7), READ_WRITE);
            here.reach.write(leaf.table, leaf.index, other);
            let freed = system.heap.free(here, &mut system.domain, pages);
            assert_eq!(freed, Err(HeapError::Quarantined(frame)));
            assert_eq!(system.domain.counts().quarantined, 1);
            assert_eq!(system.domain.frames().usage(here, frame), Use::Quarantined);
            assert_eq!(here.reach.read(leaf.table, leaf.index), other, "evidence is kept");
            while let Ok(pages) = allocate(here, system, Order::FRAME) {
                assert_ne!(pages.frames().first, frame);
            }
            assert!(machine.flushes.get() < 100, "nothing was unmapped");
        });
    }
}

/// RAM below and above a root entry's end.
fn two_slots() -> [Bank; 2] {
    [bank(GIB, 40 * BLOCK), Bank { node: Node(1), ..bank(513 * GIB, 40 * BLOCK) }]
}

#[test]
fn ram_in_two_root_slots_has_both_entries_from_the_start() {
    let choice = Choice { policy: Policy::OnDemand, leaves: Leaves::Pages };
    with(&two_slots(), &[], choice, |machine, here, system| {
        let root = Frame::new(GIB);
        let entries = |machine: &Sparse| -> Vec<Entry> {
            let index = |slot| VirtAddr::new(slot * Level::L0.entry_bytes()).index(Level::L0);
            (0..512).map(|slot| (&mut &*machine).read(root, index(slot))).collect()
        };
        let before = entries(machine);
        let used: Vec<_> = (0..512).filter(|slot| before[*slot] != Entry::INVALID).collect();
        assert_eq!(used, [20, 256, 257], "the hypervisor's own, and one for each 512 GiB that RAM lies in");
        assert!(leaves(machine, root).is_empty());
        let pages = system.heap.allocate(here, &mut system.domain, Order::FRAME, Node(1)).expect("there is plenty");
        assert!(two_slots()[1].frames.contains(pages.frames().first));
        assert_eq!(pages.at().get() / Level::L0.entry_bytes(), 257);
        assert_eq!(machine.translate(pages.at()), Some(pages.frames().first));
        free(here, system, pages);
        assert_eq!(entries(machine), before, "no root entry comes or goes after boot");
    });
}

#[test]
fn a_root_entry_that_was_forgotten_is_an_error_and_not_a_new_entry() {
    let choice = Choice { policy: Policy::None, leaves: Leaves::Pages };
    with(&two_slots(), &[], choice, |machine, here, system| {
        let before = system.domain.counts();
        let window = Window { base: VirtAddr::new(WINDOW), first: Frame::new(GIB) };
        let root = Frame::new(GIB);
        let mut none = NoTables;
        let ram = two_slots().map(|bank| bank.frames);
        let made = OnDemand::new(here, &mut none, Space::new(root), window, &ram, Leaves::Pages).err();
        assert_eq!(made, Some(SpaceError::OutOfTables));
        let backing = OnDemand::new(here, &mut none, Space::new(root), window, &[], Leaves::Pages).expect("no banks");
        let refused = Heap::new(backing).allocate(here, &mut system.domain, Order::FRAME, ANY).err();
        assert!(matches!(refused, Some(HeapError::Map(SpaceError::NoRootEntry(_)))), "{refused:?}");
        assert_eq!(system.domain.counts(), before);
        assert!(leaves(machine, root).is_empty());
    });
}

#[test]
fn a_fixed_heap_is_used_up_while_domains_have_memory() {
    for choice in mapping() {
        with(&[bank(GIB, 40 * BLOCK)], &[], choice, |_, here, system| {
            assert_eq!(system.domain.fix_pools(here, 2, ANY), Ok(()));
            let before = system.domain.counts();
            let mut live = Vec::new();
            while let Ok(pages) = allocate(here, system, Order::FRAME) {
                live.push(pages);
            }
            assert_eq!(live.len() as u64, 2 * (BLOCK - 1));
            assert!(system.domain.allocate(here, Order::new(12), Owner::domain(0), ANY).is_ok());
            live.into_iter().for_each(|pages| free(here, system, pages));
            assert_eq!(system.domain.counts().tables, before.tables);
            assert_eq!(system.domain.counts().split, before.split);
        });
    }
}

#[test]
fn the_full_window_maps_broken_blocks_by_page_and_whole_ones_by_block() {
    let choice = Choice { policy: Policy::Full, leaves: Leaves::Pages };
    with(&[bank(GIB + 5, 40 * BLOCK)], &[], choice, |machine, _, _| {
        let found = leaves(machine, Frame::new(GIB + 5));
        let blocks = found.iter().filter(|(_, frames)| frames.frames == BLOCK).count();
        assert_eq!((blocks, found.len()), (39, 39 + BLOCK as usize));
        assert!(
            found
                .iter()
                .all(|(at, frames)| { (at.get() - WINDOW) / paging::PAGE_BYTES == frames.first.number() - GIB })
        );
        let access = &mut &*machine;
        let entry = access.read(Frame::new(GIB + 5), VirtAddr::new(WINDOW).index(Level::L0));
        assert!(matches!(El2::decode(Level::L0, entry), Decoded::Table(_)));
    });
}

/// Words read, words written and entries written by `action`.
fn cost(machine: &Sparse, action: impl FnOnce()) -> (u64, u64, u64) {
    let now = || (machine.loads.get(), machine.stores.get(), machine.entry_writes.get());
    let before = now();
    action();
    let after = now();
    (after.0 - before.0, after.1 - before.1, after.2 - before.2)
}

#[test]
fn a_page_costs_a_score_of_words_and_one_entry() {
    for choice in Choice::ALL {
        let entries = u64::from(choice.policy != Policy::Full && choice.leaves == Leaves::Pages);
        with(&[bank(GIB, GIB)], &[], choice, |machine, here, system| {
            let keep: Vec<_> =
                (0..3).map(|_| allocate(here, system, Order::FRAME).expect("a gigabyte is enough")).collect();
            let mut pages = None;
            let allocated = cost(machine, || pages = allocate(here, system, Order::FRAME).ok());
            let freed = cost(machine, || pages.into_iter().for_each(|pages| free(here, system, pages)));
            for (loads, stores, written) in [allocated, freed] {
                assert!(loads <= 20 && stores <= 10, "{choice:?}: {loads} words read, {stores} written");
                assert_eq!(written, entries, "{choice:?}");
            }
            keep.into_iter().for_each(|pages| free(here, system, pages));
        });
    }
}

#[test]
fn memory_can_be_used_up_and_comes_back() {
    for choice in mapping() {
        with(&[bank(GIB, 40 * BLOCK), bank(2 * GIB, 7 * BLOCK)], &[], choice, |machine, here, system| {
            let (before, root) = (system.domain.counts(), Frame::new(GIB));
            for order in [0, 3, 9].map(Order::new) {
                let mut live = Vec::new();
                while let Ok(pages) = allocate(here, system, order) {
                    live.push(pages);
                }
                assert!(live.len() as u64 * order.frames() >= 43 * BLOCK, "{} chunks of {order:?}", live.len());
                live.into_iter().for_each(|pages| free(here, system, pages));
                assert_eq!(system.domain.counts(), before);
                assert!(leaves(machine, root).is_empty());
            }
        });
    }
}
