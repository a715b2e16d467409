//! Shared tables: complete or absent, counted, and gone when empty.

use std::vec::Vec;

use paging::{El2, Entry, Frame, FrameRange, Level, TableAccess, VirtAddr};

use super::{BootTables, LeafSize, Space, SpaceError};
use crate::mm::boot_alloc::BootAllocator;
use crate::mm::frames::READ_WRITE;
use crate::mm::heap::{Leaves, Policy};
use crate::mm::here::{Here, bytes};
use crate::mm::rig::{BLOCK, Choice, GIB, Sparse, System, WINDOW, bank, with};

const CHOICE: Choice = Choice { policy: Policy::OnDemand, leaves: Leaves::Pages };
const ROOT: Frame = Frame::new(GIB);
const SLOT: u64 = Level::L0.entry_bytes();

fn on<R>(test: impl FnOnce(&Sparse, &mut Here<'_, Sparse, &Sparse>, &mut System) -> R) -> R {
    with(&[bank(GIB, GIB)], &[], CHOICE, test)
}

fn window(page: u64) -> VirtAddr {
    VirtAddr::new(WINDOW + page * paging::PAGE_BYTES)
}

fn frames(first: u64, frames: u64) -> FrameRange {
    FrameRange::new(Frame::new(GIB + first), frames)
}

/// Root entries that a range gets on an empty root.
fn root_entries(at: u64, size_bytes: u64) -> Vec<u64> {
    let machine = Sparse::new(ROOT);
    let mut reach = &machine;
    let mut here = Here::new(&machine, &mut reach);
    let mut boot = BootAllocator::new([frames(1, 600)], []).expect("one range");
    let mut tables = BootTables::new(&mut boot);
    let made = Space::new(ROOT).make_root_entries(&mut here, &mut tables, VirtAddr::new(at), size_bytes);
    assert_eq!(made, Ok(()));
    let used = |slot: &u64| here.read(ROOT, VirtAddr::new(slot * SLOT).index(Level::L0)) != Entry::INVALID;
    let used: Vec<u64> = (0..512).filter(used).collect();
    assert_eq!(tables.lent(), used.len() as u64);
    used
}

#[test]
fn a_range_gets_the_root_entries_that_it_touches_and_no_other() {
    let start = 256 * SLOT;
    assert_eq!(root_entries(start, 0), []);
    assert_eq!(root_entries(start, 1), [256]);
    assert_eq!(root_entries(start, SLOT), [256], "an end on a boundary touches nothing behind it");
    assert_eq!(root_entries(start, SLOT + 1), [256, 257]);
    assert_eq!(root_entries(start + SLOT - 4096, 8192), [256, 257], "a start that is not aligned");
    assert_eq!(root_entries(start + 4096, 3 * SLOT), [256, 257, 258, 259]);
}

#[test]
fn a_table_goes_with_its_last_entry() {
    on(|machine, here, system| {
        let (mut space, before) = (Space::new(ROOT), system.domain.counts());
        let ranges = [(0, 3), (510, 4), (5 * BLOCK, 2 * BLOCK), (GIB - 1, 2)];
        for (page, count) in ranges {
            let mapped =
                space.map(here, &mut system.domain, LeafSize::Page, window(page), frames(page, count), READ_WRITE);
            assert_eq!(mapped, Ok(()));
        }
        assert_eq!(system.domain.counts().tables - before.tables, 2 + 2 + 2 + 2, "two level 2, six level 3");
        for (page, count) in ranges {
            for page in page..page + count {
                assert_eq!(machine.translate(window(page)), Some(Frame::new(GIB + page)));
            }
            let unmapped = space.unmap(here, &mut system.domain, LeafSize::Page, window(page), frames(page, count));
            assert_eq!(unmapped, Ok(()));
        }
        assert_eq!(system.domain.counts(), before);
    });
}

#[test]
fn a_page_costs_one_flush_and_so_does_one_that_takes_its_tables_along() {
    on(|machine, here, system| {
        let mut space = Space::new(ROOT);
        for page in [0, 1] {
            let at = window(page);
            assert_eq!(space.map(here, &mut system.domain, LeafSize::Page, at, frames(page, 1), READ_WRITE), Ok(()));
        }
        for page in [0, 1] {
            let before = (machine.flushes.get(), machine.entry_writes.get());
            let unmapped = space.unmap(here, &mut system.domain, LeafSize::Page, window(page), frames(page, 1));
            assert_eq!(unmapped, Ok(()));
            assert_eq!(machine.flushes.get() - before.0, 1);
            assert_eq!(machine.entry_writes.get() - before.1, 1 + 2 * page, "the leaf, and two links with the last");
        }
    });
}

#[test]
fn what_is_mapped_is_never_replaced() {
    on(|machine, here, system| {
        let mut space = Space::new(ROOT);
        let page = |page| (window(page), frames(page, 1));
        let (at, frame) = page(600);
        assert_eq!(space.map(here, &mut system.domain, LeafSize::Page, at, frame, READ_WRITE), Ok(()));
        let before = system.domain.counts();
        let refused = space.map(here, &mut system.domain, LeafSize::Page, window(100), frames(0, 600), READ_WRITE);
        assert_eq!(refused, Err(SpaceError::Occupied(window(600))));
        let refused = space.map(here, &mut system.domain, LeafSize::Block, window(BLOCK), frames(0, BLOCK), READ_WRITE);
        assert_eq!(refused, Err(SpaceError::Occupied(window(BLOCK))));
        assert_eq!(system.domain.counts(), before, "the table for the pages before is back");
        assert_eq!(machine.translate(window(100)), None);
        let block = space.map(here, &mut system.domain, LeafSize::Block, window(0), frames(0, BLOCK), READ_WRITE);
        assert_eq!(block, Ok(()));
        let refused = space.map(here, &mut system.domain, LeafSize::Page, window(1), frames(1, 1), READ_WRITE);
        assert_eq!(refused, Err(SpaceError::Occupied(window(1))), "a block lies there");
    });
}

#[test]
fn only_what_is_there_is_unmapped() {
    on(|machine, here, system| {
        let (mut space, at) = (Space::new(ROOT), window(3));
        assert_eq!(space.map(here, &mut system.domain, LeafSize::Page, at, frames(3, 4), READ_WRITE), Ok(()));
        let before = (system.domain.counts(), machine.entry_writes.get());
        for (page, first, count, vacant) in [(3, 3, 5, 7), (2, 2, 2, 2), (3, 4, 1, 3), (BLOCK, 0, 1, BLOCK)] {
            let refused = space.unmap(here, &mut system.domain, LeafSize::Page, window(page), frames(first, count));
            assert_eq!(refused, Err(SpaceError::Vacant(window(vacant))));
        }
        assert_eq!((system.domain.counts(), machine.entry_writes.get()), before);
    });
}

#[test]
fn no_table_is_left_when_one_is_missing() {
    on(|machine, here, system| {
        let (mut space, before) = (Space::new(ROOT), system.domain.counts());
        for tables in 0..4 {
            system.domain.tables_left = Some(tables);
            let (at, all) = (window(GIB - BLOCK), frames(0, 2 * BLOCK));
            let mapped = space.map(here, &mut system.domain, LeafSize::Page, at, all, READ_WRITE);
            assert_eq!(mapped, Err(SpaceError::OutOfTables));
            assert_eq!(system.domain.counts(), before);
            assert_eq!(machine.translate(at), None);
        }
        system.domain.tables_left = None;
        let l1 = here.read(ROOT, window(0).index(Level::L0));
        let paging::Decoded::Table(l1) = El2::decode(Level::L0, l1) else { panic!("the root entry was made at boot") };
        assert_eq!((&mut &*machine).read(l1, window(0).index(Level::L1)), Entry::INVALID);
        assert_eq!(bytes(window(0), 0), window(0));
    });
}
