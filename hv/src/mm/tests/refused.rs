//! Boot's allocations, refused one after the other: boot ends with an error, or goes on with less; nothing else.

use std::vec::Vec;

use paging::{Frame, FrameRange};

use crate::mm::frames::{Bank, Node, Order};
use crate::mm::here::Here;
use crate::mm::rig::{BLOCK, Choice, GIB, Sparse, System, bank, boot_rationed};

const ANY: Node = Node(0);

/// Two nodes, and blocks that are broken at either end: parts of them are fed on their own.
fn banks() -> Vec<Bank> {
    let far = Bank { node: Node(1), ..bank(GIB + 64 * BLOCK, 40 * BLOCK) };
    std::vec![bank(GIB, 40 * BLOCK + 17), far]
}

/// How a boot that is handed no more than `frames` frames ends.
fn boot_with(choice: Choice, frames: u64, test: impl FnOnce(&mut Here<'_, Sparse, &Sparse>, Option<System>)) {
    let banks = banks();
    let root = banks[0].frames.first;
    let machine = Sparse::new(root);
    let mut reach = &machine;
    let mut here = Here::new(&machine, &mut reach);
    let reserved = [FrameRange::new(root, 1), FrameRange::new(Frame::new(GIB + 5 * BLOCK + 3), 7)];
    let booted = boot_rationed(&mut here, root, &banks, &reserved, choice, frames);
    test(&mut here, booted.ok());
}

/// Frames that a boot is handed when nothing is refused.
fn needed(choice: Choice) -> u64 {
    let mut taken = 0;
    boot_with(choice, 1 << 20, |_, booted| taken = booted.expect("nothing is refused").domain.ration.taken());
    taken
}

#[test]
fn boot_stops_or_goes_on_with_less_whichever_frame_is_refused() {
    for choice in Choice::ALL {
        let needed = needed(choice);
        let mut stopped = 0;
        for frames in 0..=needed {
            boot_with(choice, frames, |here, booted| match booted {
                None => stopped += 1,
                Some(mut system) => {
                    system.domain.ration.lift();
                    works(here, &mut system, choice);
                }
            });
        }
        assert!(needed > 8, "{choice:?}: {needed} frames");
        assert!(stopped + 3 >= needed, "{choice:?}: {stopped} of {needed} refusals stop it");
    }
}

/// What came up is whole: it serves every order, and takes back what it gave.
fn works(here: &mut Here<'_, Sparse, &Sparse>, system: &mut System, choice: Choice) {
    let before = system.domain.counts();
    for order in [0, 3, 9, 10].map(Order::new) {
        let pages = system.heap.allocate(here, &mut system.domain, order, ANY);
        let pages = pages.unwrap_or_else(|error| panic!("{choice:?}, {order:?}: {error}"));
        assert_eq!(system.heap.free(here, &mut system.domain, pages), Ok(()));
    }
    assert_eq!(system.domain.counts(), before, "{choice:?}");
}
