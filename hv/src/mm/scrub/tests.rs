//! The window on the simulated machine: what it zeroes, what it shows meanwhile, what it costs.

use paging::{El2, Frame, FrameRange, Index, LongMode};

use crate::mm::checker::Verdict;
use crate::mm::frames::Order;
use crate::mm::guest_rig::{OneCpu, Rig, with};
use crate::mm::rig::{BLOCK, System};
use crate::sim::{HostFormat, Memory};

/// The chunk's frames: whole blocks, of which some are scrubbed.
fn chunk<F: HostFormat>(rig: &Rig<'_, F>, system: &mut System) -> FrameRange {
    let order = Order::new(10);
    let owner = crate::mm::guest_rig::ID.owner;
    let first = rig.cpus[0].idle(|here| system.domain.allocate(here, order, owner, crate::mm::frames::Node(0)));
    FrameRange::new(first.expect("there is plenty"), order.frames())
}

fn scrub<F: HostFormat>(cpu: &OneCpu<'_, F>, frames: FrameRange) {
    cpu.idle(|here| cpu.scrub_window().scrub(here, frames));
}

/// Whether a frame is zero for those who go past the caches, and for those who do not.
fn is_zero<F: HostFormat>(rig: &Rig<'_, F>, frame: Frame) -> bool {
    let word = |index: Index| {
        let at = frame.address().checked_add(index.get() as u64 * 8).expect("a frame's byte");
        (rig.sim.memory.load_uncached(at), rig.sim.memory.load(frame, index))
    };
    Index::all().all(|index| word(index) == (Some(0), Some(0)))
}

fn scrubs_what_it_is_told<F: HostFormat>() {
    with::<F, _>(1, Verdict::Stop, |rig, system| {
        let all = chunk(rig, system);
        let before = rig.sim.watch.counts();
        // Three pages, a block, two pages.
        scrub(&rig.cpus[1], FrameRange::new(all.first.add(BLOCK - 3), 3));
        let pages = rig.cpus[1].maps();
        assert_eq!(pages, 3, "page by page");
        scrub(&rig.cpus[1], FrameRange::new(all.first, BLOCK));
        assert_eq!(rig.cpus[1].maps(), pages, "whole blocks through the window alone");
        scrub(&rig.cpus[1], FrameRange::new(all.first.add(BLOCK), 2));
        let counts = rig.sim.watch.counts();
        assert_eq!(counts.entry_writes - before.entry_writes, 2 * (3 + 1 + 2));
        assert_eq!(counts.local_page_flushes - before.local_page_flushes, 3 + 1 + 2);
        assert_eq!(counts.page_flushes + counts.flushes, before.page_flushes + before.flushes, "others see none of it");
        assert!((0..BLOCK + 2).all(|frame| is_zero(rig, all.first.add(frame))));
        let untouched = all.first.add(BLOCK + 2);
        let word = Index::new(9);
        assert_eq!(rig.sim.memory.load(untouched, word), Some(Memory::canary(untouched, word)));
        for cpu in &rig.cpus {
            let window = crate::mm::guest_rig::SCRUB;
            assert_eq!(cpu.cpu.translations(window), [], "nothing is left in sight");
        }
    });
}

#[test]
fn blocks_and_pages_are_zero_for_every_reader_in_both_formats() {
    scrubs_what_it_is_told::<El2>();
    scrubs_what_it_is_told::<LongMode>();
}

#[test]
fn a_run_that_begins_inside_a_block_is_cut_where_blocks_begin() {
    with::<El2, _>(2, Verdict::Stop, |rig, system| {
        let all = chunk(rig, system);
        scrub(&rig.cpus[0], FrameRange::new(all.first.add(BLOCK - 1), BLOCK + 1));
        let untouched = all.first.add(BLOCK - 2);
        assert_eq!(rig.sim.memory.load(untouched, Index::new(0)), Some(Memory::canary(untouched, Index::new(0))));
        assert!((BLOCK - 1..2 * BLOCK).all(|frame| is_zero(rig, all.first.add(frame))));
    });
}

#[test]
fn a_part_of_one_owners_block_goes_through_the_window_and_the_rest_is_left_alone() {
    with::<El2, _>(2, Verdict::Stop, |rig, system| {
        let all = chunk(rig, system);
        let (whole, part) = (FrameRange::new(all.first, BLOCK), FrameRange::new(all.first.add(3), BLOCK - 5));
        rig.cpus[0].idle(|here| rig.cpus[0].scrub_window().scrub_of(here, part, whole));
        assert_eq!(rig.cpus[0].maps(), 0, "no page was mapped by itself");
        assert!((0..part.frames).all(|frame| is_zero(rig, part.first.add(frame))));
        for frame in [0, 2, BLOCK - 2, BLOCK - 1].map(|frame| all.first.add(frame)) {
            let word = Index::new(7);
            assert_eq!(rig.sim.memory.load(frame, word), Some(Memory::canary(frame, word)));
        }
    });
}
