//! What metadata costs, and that it answers for every frame.

use paging::Frame;

use super::{Bank, Node, Order, Owner, Use};
use crate::mm::heap::{Leaves, Policy};
use crate::mm::rig::{ARRAYS, BLOCK, Choice, GIB, bank, with};

const NONE: Choice = Choice { policy: Policy::None, leaves: Leaves::Pages };

#[test]
fn a_gigabyte_for_a_domain_costs_its_block_records_and_no_frame_records() {
    with(&[bank(GIB, 2 * GIB)], &[], NONE, |machine, here, system| {
        let before = (system.domain.counts(), machine.stores.get(), machine.touched());
        let owner = Owner::domain(3);
        let first = system.domain.allocate(here, Order::MAX, owner, Node(0)).expect("a gigabyte is whole");
        let stores = machine.stores.get() - before.1;
        assert!(stores <= 4, "{stores} stores: the record, the list's head and bits");
        assert_eq!(machine.touched(), before.2, "no page was written that was not before");
        assert_eq!(system.domain.counts().split, before.0.split);
        assert_eq!(GIB / BLOCK * super::BLOCK_RECORD_BYTES, 8 << 10, "512 records");
        for frame in [0, 1, BLOCK, 77_777, GIB - 1] {
            let expected = Use::Used { first, order: Order::MAX, owner };
            assert_eq!(system.domain.frames().usage(here, first.add(frame)), expected);
        }
    });
}

#[test]
fn a_bank_at_512_gib_costs_only_itself() {
    let low = with(&[bank(GIB, GIB)], &[], NONE, |machine, _, system| {
        (system.domain.frames().mapped_pages(), machine.touched().len())
    });
    let high = bank(514 * GIB - 64 * 256, 64 * 256);
    with(&[bank(GIB, GIB), high], &[], NONE, |machine, here, system| {
        let (pages, touched) = (system.domain.frames().mapped_pages(), machine.touched().len());
        assert_eq!(pages - low.0, 2, "records of one gigabyte's blocks");
        assert!(touched - low.1 <= 2 + 1, "and a table for them: {} frames", touched - low.1);
        assert_eq!(system.domain.frames().usage(here, Frame::new(200 * GIB)), Use::Reserved);
        assert!(machine.translate(super::bytes(ARRAYS.blocks, 200 * 8192)).is_none(), "nothing for the gap");
        let first = high.frames.first.add(BLOCK);
        assert!(matches!(system.domain.frames().usage(here, first), Use::Free { .. }));
    });
}

#[test]
fn boot_touches_only_what_is_used() {
    let costs = [1, 64, 256].map(|gib| {
        with(&[bank(GIB, gib * GIB)], &[], NONE, |machine, _, system| {
            let records = system.domain.frames().mapped_pages();
            assert_eq!(records, 2 * gib);
            machine.touched().len() as u64 - records
        })
    });
    assert!(costs[2] <= costs[0] + 4, "{costs:?}: beside block records, only their tables grow");
}

#[test]
fn every_frame_of_a_broken_block_has_an_answer() {
    let reserved = paging::FrameRange::new(Frame::new(GIB + 5 * BLOCK + 100), 50);
    with(&[bank(GIB, 64 * BLOCK)], &[reserved], NONE, |_, here, system| {
        let start = Frame::new(GIB + 5 * BLOCK);
        let usage = |here: &_, frame| system.domain.frames().usage(here, start.add(frame));
        for frame in 0..BLOCK {
            let found = usage(here, frame);
            match frame {
                0 | 150 => assert!(matches!(found, Use::Records | Use::Free { .. }), "{frame}: {found:?}"),
                100..150 => assert_eq!(found, Use::Reserved, "{frame}"),
                _ => assert!(matches!(found, Use::Free { .. }), "{frame}: {found:?}"),
            }
        }
    });
}

#[test]
fn records_lie_where_no_other_bank_has_any() {
    let banks = [bank(GIB, BLOCK * 8), Bank { node: Node(1), ..bank(GIB + 16 * BLOCK, 8 * BLOCK) }];
    with(&banks, &[], NONE, |_, _, system| {
        assert_eq!(system.domain.frames().mapped_pages(), 2, "banks of one group share its records");
    });
}
