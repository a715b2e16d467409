//! A window over a table of its own, where an address is only a number; and, in files of their own, everything at once.

mod pmap;
mod world;
mod whole;

use std::boxed::Box;

use paging::{Entry, Frame, HostAccess, HostAttributes, Level, Memory, Table, VirtAddr};

use super::leaves::Leaves;

const BASE: VirtAddr = VirtAddr::new(0x0a00_0041_1000);

fn leaves(slots: usize) -> (&'static Table, Leaves) {
    let table: &'static Table = Box::leak(Box::new(Table::EMPTY));
    (table, Leaves::within(table, Level::L3, BASE, slots))
}

#[test]
fn a_slot_is_its_own_entry_and_address() {
    let (table, leaves) = leaves(4);
    let attributes = HostAttributes::new(HostAccess::Read, Memory::Normal);
    let at = leaves.set(3, Frame::new(0x1234), attributes);
    assert_eq!(at, VirtAddr::new(BASE.get() + 0x3000));
    assert_eq!(table.load(at.index(Level::L3)), paging::El2::leaf(Level::L3, Frame::new(0x1234), attributes));
    assert!((0..3).all(|slot| leaves.is_empty(slot)));
}

#[test]
fn a_cleared_slot_is_empty_again() {
    let (table, leaves) = leaves(2);
    let attributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);
    for frame in 1..4 {
        leaves.set(1, Frame::new(frame), attributes);
        assert!(!leaves.is_empty(1));
        leaves.clear(1);
        assert!(leaves.is_empty(1));
    }
    assert!(paging::Index::all().all(|index| table.load(index) == Entry::INVALID));
}

#[test]
fn a_slot_in_use_is_never_taken_over() {
    let (_, leaves) = leaves(1);
    let attributes = HostAttributes::new(HostAccess::Read, Memory::Normal);
    leaves.set(0, Frame::new(1), attributes);
    let again = std::panic::catch_unwind(|| leaves.set(0, Frame::new(2), attributes));
    assert!(again.is_err(), "valid to valid needs an invalidation between");
}
