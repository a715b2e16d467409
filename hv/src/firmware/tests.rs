//! What firmware reports against what the board file lists.

use std::vec::Vec;

use super::first_uncovered;
use super::ram::present;
use paging::{Frame, FrameRange};

fn range(first: u64, frames: u64) -> FrameRange {
    FrameRange::new(Frame::new(first), frames)
}

#[test]
fn a_bank_may_be_covered_by_several_ranges_in_any_order() {
    let ram = [range(30, 10), range(10, 5), range(15, 15)];
    assert_eq!(first_uncovered(range(10, 30), &ram), None);
    assert_eq!(first_uncovered(range(12, 4), &ram), None);
}

#[test]
fn the_first_frame_that_is_no_ram_is_named() {
    let ram = [range(10, 5), range(20, 5)];
    assert_eq!(first_uncovered(range(9, 2), &ram), Some(Frame::new(9)));
    assert_eq!(first_uncovered(range(10, 15), &ram), Some(Frame::new(15)));
    assert_eq!(first_uncovered(range(20, 6), &ram), Some(Frame::new(25)));
    assert_eq!(first_uncovered(range(20, 1), &[]), Some(Frame::new(20)));
}

#[test]
fn a_bank_is_used_as_far_as_there_is_ram() {
    let parts = |bank: FrameRange, ram: &[FrameRange]| {
        let mut parts = Vec::new();
        present(bank, ram, |part| parts.push((part.first.number(), part.end().number())));
        parts
    };
    let ram = [range(30, 10), range(10, 5), range(15, 5), range(38, 20)];
    assert_eq!(parts(range(10, 40), &ram), [(10, 20), (30, 50)]);
    assert_eq!(parts(range(0, 12), &ram), [(10, 12)]);
    assert_eq!(parts(range(16, 20), &ram), [(16, 20), (30, 36)]);
    assert_eq!(parts(range(20, 10), &ram), []);
    assert_eq!(parts(range(58, 10), &ram), []);
    assert_eq!(parts(range(10, 5), &[]), []);
}
