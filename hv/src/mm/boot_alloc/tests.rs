//! Every free frame is handed out once, no other is, and whole blocks stay whole as long as possible.

use std::collections::BTreeSet;
use std::vec::Vec;

use paging::{Frame, FrameRange};
use proptest::prelude::*;

use super::{BootAllocator, RANGES, TooManyRanges};

fn range(first: u64, frames: u64) -> FrameRange {
    FrameRange::new(Frame::new(first), frames)
}

proptest! {
    #[test]
    fn hands_out_what_is_free_and_nothing_else(
        banks in proptest::collection::vec((0_u64..2000, 1_u64..900), 1..4),
        reserved in proptest::collection::vec((0_u64..5000, 0_u64..400), 0..8),
    ) {
        let mut start = 0;
        let banks: Vec<_> = banks.into_iter().map(|(gap, frames)| {
            let bank = range(start + gap, frames);
            start += gap + frames;
            bank
        }).collect();
        let reserved: Vec<_> = reserved.into_iter().map(|(first, frames)| range(first, frames)).collect();
        let expected: BTreeSet<u64> = banks.iter().flat_map(|bank| bank.first.number()..bank.end().number())
            .filter(|frame| *frame != 0 && !reserved.iter().any(|range| range.contains(Frame::new(*frame))))
            .collect();
        let mut boot = BootAllocator::new(banks, reserved).expect("few ranges");
        let mut found = BTreeSet::new();
        while let Some(frame) = boot.allocate() {
            prop_assert!(found.insert(frame.number()), "{frame} was handed out twice");
        }
        prop_assert_eq!(boot.handed_out(), found.len() as u64);
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn broken_blocks_are_used_up_before_a_whole_one_is_broken() {
    let mut boot = BootAllocator::new([range(512, 512 * 4)], [range(512, 510)]).expect("few ranges");
    let frames: Vec<_> = (0..4).map(|_| boot.allocate().expect("four of many").number()).collect();
    assert_eq!(frames, [1022, 1023, 2559, 2558]);
    assert_eq!(boot.free(), [range(1024, 1534)]);
}

#[test]
fn a_node_of_largest_blocks_gives_its_tail() {
    const LARGEST: u64 = 1 << 18;
    let bank = range(LARGEST, LARGEST);
    let mut boot = BootAllocator::new([bank], []).expect("few ranges");
    assert_eq!(boot.allocate_within(bank), Some(Frame::new(2 * LARGEST - 1)));
    assert_eq!(boot.drain().as_slice(), [range(LARGEST, LARGEST - 1)]);
}

#[test]
fn any_other_node_gives_its_head() {
    const LARGEST: u64 = 1 << 18;
    for bank in [range(LARGEST, LARGEST + 5), range(LARGEST + 5, LARGEST - 5), range(7, 9)] {
        let mut boot = BootAllocator::new([range(3, 1), bank], []).expect("few ranges");
        assert_eq!(boot.allocate_within(bank), Some(bank.first));
        assert_eq!(boot.allocate_within(range(1 << 30, 9)), None, "there is no such memory");
    }
}

#[test]
fn too_many_ranges_are_an_error() {
    let holes = (0..RANGES as u64).map(|hole| range(2 + hole * 4, 1));
    assert_eq!(BootAllocator::new([range(1, 4000)], holes).err(), Some(TooManyRanges));
}
