//! The domain heap against a model that knows only who has what.

mod model;

use std::collections::BTreeMap;
use std::vec::Vec;

use paging::{Frame, FrameRange};
use proptest::prelude::*;

use super::{AllocError, Counts, FreeError, HELD};
use crate::mm::frames::{Bank, Node, Order, Owner, Use};
use crate::mm::heap::{Leaves, Policy};
use crate::mm::here::Here;
use crate::mm::rig::{BLOCK, Choice, GIB, LISTS, Sparse, System, bank, boot, with};
use crate::mm::space::{SpaceError, Tables};
use model::{Model, steps};

const NONE: Choice = Choice { policy: Policy::None, leaves: Leaves::Pages };
const OWNER: Owner = Owner::domain(0);
const ANY: Node = Node(0);

type On<'a, 'm, 'r> = &'a mut Here<'m, Sparse, &'r Sparse>;

fn two_nodes() -> [Bank; 2] {
    let other = Bank { node: Node(1), ..bank(3 * GIB + 100, 30 * BLOCK) };
    [bank(GIB, 40 * BLOCK), other]
}

/// Free chunks, by first frame.
fn free_chunks(here: &Here<'_, Sparse, &Sparse>, system: &System) -> BTreeMap<Frame, Order> {
    let mut chunks = BTreeMap::new();
    for bank in system.domain.frames().banks() {
        let mut frame = bank.frames.first;
        while frame < bank.frames.end() {
            frame = match system.domain.frames().usage(here, frame) {
                Use::Free { first, order } => {
                    chunks.insert(first, order);
                    first.add(order.frames())
                }
                _ => frame.add(1),
            };
        }
    }
    chunks
}

fn assert_merged(here: &Here<'_, Sparse, &Sparse>, system: &System) {
    let chunks = free_chunks(here, system);
    assert_eq!(chunks.values().map(|order| order.frames()).sum::<u64>(), system.domain.counts().free);
    for (first, order) in &chunks {
        let buddy = Frame::new(first.number() ^ order.frames());
        assert!(*order == Order::MAX || chunks.get(&buddy) != Some(order), "{first} and {buddy} are one chunk");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_overlaps_and_everything_comes_back(steps in steps()) {
        with(&two_nodes(), &[FrameRange::new(Frame::new(GIB + 1000), 777)], NONE, |_, here, system| {
            let baseline = system.domain.counts();
            let mut model = Model::default();
            for step in steps {
                model.step(here, system, step);
                let counts = system.domain.counts();
                let lent = (counts.split + counts.tables) - (baseline.split + baseline.tables + model.tables.len() as u64);
                assert_eq!(counts.free + lent + model.frames(), baseline.free);
            }
            for (frame, (order, owner)) in &model.used {
                let found = system.domain.frames().usage(here, frame.add(order.frames() - 1));
                assert_eq!(found, Use::Used { first: *frame, order: *order, owner: *owner });
            }
            assert_merged(here, system);
            while let Some((frame, order, owner)) = model.nth(0) {
                assert_eq!(system.domain.free(here, frame, order, owner), Ok(()));
                model.used.remove(&frame);
            }
            model.tables.drain(..).for_each(|table| Tables::free(&mut system.domain, here, table));
            assert_eq!(system.domain.counts(), baseline);
            assert_merged(here, system);
        });
    }
}

#[test]
fn wrong_frees_are_told_apart() {
    with(&two_nodes(), &[], NONE, |_, here, system| {
        let heap = &mut system.domain;
        let frame = heap.allocate(here, Order::new(2), OWNER, ANY).expect("there is plenty");
        let block = heap.allocate(here, Order::new(10), OWNER, ANY).expect("there is plenty");
        let foreign = Owner::HYPERVISOR;
        for (first, order, owner, error) in [
            (frame, Order::new(2), foreign, FreeError::Foreign(frame)),
            (frame, Order::new(1), OWNER, FreeError::NoChunk(frame)),
            (frame.add(1), Order::FRAME, OWNER, FreeError::NoChunk(frame.add(1))),
            (block.add(BLOCK), Order::BLOCK, OWNER, FreeError::NoChunk(block.add(BLOCK))),
            (block.add(1), Order::new(10), OWNER, FreeError::NoChunk(block.add(1))),
            (Frame::new(5), Order::FRAME, OWNER, FreeError::NoChunk(Frame::new(5))),
        ] {
            assert_eq!(heap.free(here, first, order, owner), Err(error));
        }
        for (first, order) in [(frame, Order::new(2)), (block, Order::new(10))] {
            assert_eq!(heap.free(here, first, order, OWNER), Ok(()));
            assert_eq!(heap.free(here, first, order, OWNER), Err(FreeError::Double(first)));
        }
    });
}

#[test]
fn a_node_serves_its_own_memory_first_and_keeps_its_lists_there() {
    let banks = two_nodes();
    with(&banks, &[], NONE, |machine, here, system| {
        for order in [0, 5, 9, 11] {
            for bank in banks {
                let frame = system.domain.allocate(here, Order::new(order), OWNER, bank.node).expect("plenty");
                assert!(bank.frames.contains(frame), "order {order} on node {:?}", bank.node);
            }
        }
        for (number, bank) in banks.iter().enumerate() {
            let at = crate::mm::here::bytes(LISTS, number as u64 * paging::PAGE_BYTES);
            let lists = machine.translate(at).expect("a node's lists are mapped for good");
            assert!(bank.frames.contains(lists));
            assert_eq!(system.domain.frames().usage(here, lists), Use::Reserved, "and never handed out");
        }
        let other = system.domain.allocate(here, Order::new(13), OWNER, Node(1)).expect("node 0 has as much");
        assert!(banks[0].frames.contains(other), "node 1 has no chunk as large");
    });
}

#[test]
fn a_block_of_its_node_is_split_before_another_nodes_frames_are_taken() {
    let banks = [bank(GIB, 40 * BLOCK), Bank { node: Node(1), ..bank(3 * GIB, 6 * BLOCK) }];
    let own = |frame: Frame| banks[1].frames.contains(frame);
    let (largest, plenty) = (Order::BLOCK.down(), "there is plenty");
    with(&banks, &[], NONE, |_, here, system| {
        let domain = &mut system.domain;
        let baseline = domain.counts();
        // Small chunks of both zones to spare on node 0.
        let other = domain.allocate_heap(here, Order::FRAME, Node(0)).expect(plenty);
        let pool = domain.allocate_heap(here, largest, Node(1)).expect(plenty);
        assert!(own(pool), "a pool of node 1 before one of node 0");
        let mut taken = Vec::from([(other, Order::FRAME, Owner::HYPERVISOR), (pool, largest, Owner::HYPERVISOR)]);
        for _ in 0..3 {
            let frame = domain.allocate(here, largest, OWNER, Node(1)).expect(plenty);
            assert!(own(frame), "a block of node 1 before small chunks of node 0");
            taken.push((frame, largest, OWNER));
        }
        while taken.last().is_some_and(|(frame, ..)| own(*frame)) {
            taken.push((domain.allocate(here, largest, OWNER, Node(1)).expect("node 0 has it"), largest, OWNER));
        }
        for (frame, order, owner) in taken {
            assert_eq!(domain.free(here, frame, order, owner), Ok(()));
        }
        assert_eq!(domain.counts(), baseline);
        assert_merged(here, system);
    });
}

#[test]
fn lists_come_from_the_tail_of_a_whole_node_and_from_the_head_of_a_broken_one() {
    let whole = Bank { node: Node(1), ..bank(3 * GIB, GIB) };
    let broken = Bank { node: Node(2), ..bank(5 * GIB + 3, GIB) };
    let lists = with(&[bank(GIB, GIB), whole, broken], &[], NONE, |machine, _, _| {
        [1, 2].map(|number| machine.translate(crate::mm::here::bytes(LISTS, number * paging::PAGE_BYTES)))
    });
    assert_eq!(lists, [Some(Frame::new(4 * GIB - 1)), Some(Frame::new(5 * GIB + 3))]);
}

#[test]
fn exhaustion_holds_two_frames_back_and_ends_where_it_began() {
    with(&[bank(GIB, 12 * BLOCK)], &[], NONE, |_, here, system| {
        let baseline = system.domain.counts();
        let mut frames = Vec::new();
        let error = loop {
            match system.domain.allocate(here, Order::FRAME, OWNER, ANY) {
                Ok(frame) => frames.push(frame),
                Err(error) => break error,
            }
        };
        assert_eq!(error, AllocError::OutOfFrames);
        assert_eq!(system.domain.counts().free, HELD);
        assert_eq!(system.domain.allocate(here, Order::BLOCK, OWNER, ANY), Err(AllocError::OutOfFrames));
        for frame in frames.iter().step_by(2).chain(frames.iter().skip(1).step_by(2)) {
            assert_eq!(system.domain.free(here, *frame, Order::FRAME, OWNER), Ok(()));
        }
        assert_eq!(system.domain.counts(), baseline);
        assert_merged(here, system);
    });
}

/// Leaves no block but one of a gigabyte that has no table for records yet, and no more single frames than are held.
fn drained(here: On<'_, '_, '_>, system: &mut System) -> (Frame, Vec<(Frame, Order)>) {
    let mut taken = Vec::new();
    for order in [Order::MAX, Order::BLOCK] {
        while let Ok(frame) = system.domain.allocate(here, order, OWNER, ANY) {
            taken.push((frame, order));
        }
    }
    while let Ok(frame) = system.domain.allocate(here, Order::FRAME, OWNER, ANY) {
        taken.push((frame, Order::FRAME));
    }
    let far = taken.iter().position(|(frame, order)| *order == Order::MAX && frame.number() >= 2 * GIB);
    let (far, order) = taken.swap_remove(far.expect("a gigabyte was whole"));
    assert_eq!(system.domain.free(here, far, order, OWNER), Ok(()));
    (far, taken)
}

#[test]
fn a_block_far_away_can_be_split_with_the_last_frames() {
    with(&[bank(GIB, 3 * GIB)], &[], NONE, |_, here, system| {
        let baseline = system.domain.counts();
        let (far, mut taken) = drained(here, system);
        let frame = system.domain.allocate(here, Order::new(8), OWNER, ANY).expect("a gigabyte is free");
        assert!(FrameRange::new(far, GIB).contains(frame));
        assert_eq!(system.domain.counts().tables, 1, "for the records of the far gigabyte");
        taken.push((frame, Order::new(8)));
        for (frame, order) in taken {
            assert_eq!(system.domain.free(here, frame, order, OWNER), Ok(()));
        }
        assert_eq!(system.domain.counts(), baseline);
        assert_merged(here, system);
    });
}

#[test]
fn a_block_that_cannot_be_split_stays_whole() {
    with(&[bank(GIB, 3 * GIB)], &[], NONE, |_, here, system| {
        drained(here, system);
        let before = system.domain.counts();
        system.domain.tables_left = Some(0);
        let refused = system.domain.allocate(here, Order::FRAME, OWNER, ANY);
        assert_eq!(refused, Err(AllocError::Records(SpaceError::OutOfTables)));
        assert_eq!(system.domain.counts(), before);
        system.domain.tables_left = None;
        assert!(system.domain.allocate(here, Order::FRAME, OWNER, ANY).is_ok());
    });
}

#[test]
fn what_is_in_quarantine_never_comes_back() {
    with(&[bank(GIB, 12 * BLOCK)], &[], NONE, |_, here, system| {
        for order in [Order::FRAME, Order::BLOCK] {
            let frame = system.domain.allocate(here, order, OWNER, ANY).expect("there is plenty");
            assert_eq!(system.domain.quarantine(here, frame, order, OWNER), Ok(()));
            assert_eq!(system.domain.free(here, frame, order, OWNER), Err(FreeError::NoChunk(frame)));
            assert_eq!(system.domain.frames().usage(here, frame), Use::Quarantined);
            assert_eq!(system.domain.last_quarantined(), Some(frame));
        }
        assert_eq!(system.domain.counts().quarantined, 1 + BLOCK);
        while let Ok(frame) = system.domain.allocate(here, Order::FRAME, OWNER, ANY) {
            assert_ne!(system.domain.frames().usage(here, frame), Use::Quarantined);
        }
    });
}

#[test]
fn fixed_pools_neither_grow_nor_shrink() {
    with(&[bank(GIB, 20 * BLOCK)], &[], NONE, |_, here, system| {
        assert_eq!(system.domain.fix_pools(here, 3, ANY), Ok(()));
        let baseline = system.domain.counts();
        let mut frames = Vec::new();
        while let Ok(frame) = system.domain.allocate_heap(here, Order::FRAME, ANY) {
            frames.push(frame);
        }
        assert_eq!(frames.len() as u64, 3 * (BLOCK - 1));
        let domains = system.domain.allocate(here, Order::BLOCK, OWNER, ANY).expect("its own part is whole");
        assert_eq!(system.domain.free(here, domains, Order::BLOCK, OWNER), Ok(()));
        for frame in frames {
            assert_eq!(system.domain.free(here, frame, Order::FRAME, Owner::HYPERVISOR), Ok(()));
        }
        assert_eq!(system.domain.counts(), baseline);
        let heap = system.domain.allocate_heap(here, Order::BLOCK, ANY).expect("still three blocks");
        assert_eq!(system.domain.free(here, heap, Order::BLOCK, Owner::HYPERVISOR), Ok(()));
    });
}

#[test]
fn a_machine_without_a_whole_block_is_refused() {
    let root = Frame::new(GIB);
    let machine = Sparse::new(root);
    let mut reach = &machine;
    let mut here = Here::new(&machine, &mut reach);
    let small = [bank(GIB, BLOCK + 30)];
    let refused = boot(&mut here, root, &small, &[FrameRange::new(root, 40)], NONE).err();
    assert_eq!(refused, Some(super::FeedError::NoWholeBlock));
    let machine = Sparse::new(root);
    let mut reach = &machine;
    let mut here = Here::new(&machine, &mut reach);
    let tiny = [bank(GIB, 3)];
    let refused = boot(&mut here, root, &tiny, &[FrameRange::new(root, 1)], NONE).err();
    assert_eq!(refused, Some(super::FeedError::Space(SpaceError::OutOfTables)));
}

#[test]
fn tables_are_counted_from_the_first() {
    with(&[bank(GIB, 20 * BLOCK)], &[], NONE, |_, here, system| {
        let before = system.domain.counts();
        assert_eq!(before, Counts { tables: 0, quarantined: 0, ..before });
        let table = Tables::allocate(&mut system.domain, here).expect("there is plenty");
        assert_eq!(system.domain.frames().usage(here, table), Use::Table);
        Tables::gained(&mut system.domain, here, table, 512);
        use crate::mm::space::Occupancy::{Empty, Kept, Live};
        assert_eq!(Tables::lost(&mut system.domain, here, table, 511), Live);
        assert_eq!(Tables::lost(&mut system.domain, here, table, 1), Empty);
        assert_eq!(Tables::lost(&mut system.domain, here, Frame::new(GIB), 0), Kept, "the root is the plan's");
        Tables::free(&mut system.domain, here, table);
        assert_eq!(system.domain.counts(), before);
    });
}

/// The hypervisor's tables, by who uses their frames.
fn tables_by_use(here: &mut Here<'_, Sparse, &Sparse>, system: &System) -> BTreeMap<&'static str, usize> {
    let (mut tables, mut found) = (Vec::new(), BTreeMap::new());
    let root = paging::Root::new(Frame::new(GIB), paging::Level::L0);
    let whole = paging::for_each_entry::<paging::El2, ()>(here.reach, root, |visit| {
        if let paging::Visit::Table { table, .. } = visit {
            tables.push(table);
        }
        core::ops::ControlFlow::Continue(())
    });
    assert!(whole.is_continue());
    for table in tables {
        let from = match system.domain.frames().usage(here, table) {
            Use::Reserved => "boot",
            Use::Table => "heap",
            other => panic!("the table {table} is {other:?}"),
        };
        *found.entry(from).or_default() += 1;
    }
    found
}

#[test]
fn tables_come_from_boot_until_the_heap_has_its_first_block_and_from_the_heap_ever_after() {
    with(&[bank(GIB, 3 * GIB)], &[], NONE, |_, here, system| {
        let at_boot = tables_by_use(here, system);
        assert_eq!(at_boot.keys().copied().collect::<Vec<_>>(), ["boot"]);
        let pages = system.heap.allocate(here, &mut system.domain, Order::FRAME, ANY).expect("there is plenty");
        let mapping = system.vmap.map(here, &mut system.domain, pages.frames(), crate::mm::frames::READ_WRITE);
        let later = tables_by_use(here, system);
        assert_eq!(later["boot"], at_boot["boot"]);
        assert_eq!(later["heap"] as u64, system.domain.counts().tables);
        let kept = super::Kept { block_records: 6, frame_records: system.domain.counts().split, lists: 1 };
        assert_eq!(system.domain.kept(), kept);
        assert!(mapping.is_ok());
        assert_eq!(system.heap.free(here, &mut system.domain, pages), Ok(()));
    });
}
