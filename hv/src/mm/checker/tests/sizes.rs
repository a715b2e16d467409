//! Tables that leave the tree with entries in them, and changes of size.

use paging::{El2, Frame, FrameRange, Index, Level, Memory, VirtAddr};

use super::{BLOCK, NOTHING, TABLE, host};
use crate::cpu::CpuIndex;
use crate::mm::checker::{Checker, Verdict, Wrong};
use crate::mm::entry::{By, Event, Input, Place, Said, Scope, SeenBy, Watch};
use crate::mm::space::SizeChange;

const PAGE: u64 = Level::L3.entry_bytes();
/// Linked from entry 1 of [`TABLE`].
const PAGES: Frame = Frame::new(0x200);
const RUN: u64 = 0x4000;
const ALL: Event = Event::Flush { scope: Scope::Host, on: SeenBy::All };

/// A checker that is told of one block's entries.
struct Block(Checker<2048>);

impl Block {
    fn new(size_change: SizeChange) -> Self {
        Self(Checker::new(Verdict::Record).with_size_change(size_change))
    }

    fn tell(&self, event: Event) {
        self.0.event(By { cpu: CpuIndex::BOOT, who: "test" }, event);
    }

    fn write(&self, level: Level, table: Frame, at: u64, old: paging::Entry, new: paging::Entry) {
        let (at, said) = (VirtAddr::new(at), |entry| Said::of::<El2>(level, entry));
        let place = Place { table, index: at.index(level), level, input: Input::Host(at), seen: SeenBy::All };
        self.tell(Event::Write { place, old: said(old), new: said(new) });
    }

    /// The entry above.
    fn above(&self, old: paging::Entry, new: paging::Entry) {
        self.write(Level::L2, TABLE, BLOCK, old, new);
    }

    fn page(&self, page: u64, old: paging::Entry, new: paging::Entry) {
        self.write(Level::L3, PAGES, BLOCK + page * PAGE, old, new);
    }

    /// 512 pages, `first` in the first one, and the link to their table.
    fn pages(&self, first: u64) {
        Index::all().for_each(|index| self.page(index.get() as u64, NOTHING, page(first + index.get() as u64)));
    }

    fn wrong(&self) -> Option<Wrong> {
        self.0.first().map(|violation| violation.wrong)
    }

    fn free(&self, frame: Frame) -> Option<Wrong> {
        self.tell(Event::Free(FrameRange::new(frame, 1)));
        self.wrong()
    }
}

fn page(frame: u64) -> paging::Entry {
    El2::leaf(Level::L3, Frame::new(frame), host(Memory::Normal))
}

fn block(frame: u64) -> paging::Entry {
    El2::leaf(Level::L2, Frame::new(frame), host(Memory::Normal))
}

fn link() -> paging::Entry {
    El2::table(PAGES)
}

fn page_flush(page: u64) -> Event {
    Event::Flush { scope: Scope::HostPage(VirtAddr::new(BLOCK + page * PAGE)), on: SeenBy::All }
}

/// A full table is broken, invalidated by `flush`, replaced by a block.
fn merged(flush: impl FnOnce(&Block)) -> Block {
    let checked = Block::new(SizeChange::UnderRendezvous);
    checked.pages(RUN);
    checked.above(NOTHING, link());
    checked.above(link(), NOTHING);
    flush(&checked);
    checked.above(NOTHING, block(RUN));
    checked
}

#[test]
fn a_table_that_is_unlinked_full_may_be_freed_after_everything_is_forgotten() {
    let proper = merged(|checked| checked.tell(ALL));
    assert_eq!((proper.free(PAGES), proper.0.zapped()), (None, 0));
    let each = merged(|checked| (0..512).for_each(|page| checked.tell(page_flush(page))));
    assert_eq!((each.free(PAGES), each.0.zapped()), (None, 0));
}

#[test]
fn a_block_may_not_stand_where_pages_are_remembered() {
    let none = merged(|_| ());
    assert_eq!(none.wrong(), Some(Wrong::ReusedBeforeFlush));
    let one = merged(|checked| checked.tell(page_flush(17)));
    assert_eq!(one.wrong(), Some(Wrong::ReusedBeforeFlush), "the link is forgotten, 511 pages are not");
    assert_eq!(one.0.zapped(), 511);
}

#[test]
fn a_table_may_not_be_freed_while_its_pages_are_remembered() {
    let checked = Block::new(SizeChange::UnderRendezvous);
    checked.pages(RUN);
    checked.above(NOTHING, link());
    checked.above(link(), NOTHING);
    assert_eq!(checked.free(PAGES), Some(Wrong::FreedBeforeFlush));
}

#[test]
fn pages_may_not_stand_where_a_block_is_remembered() {
    let checked = Block::new(SizeChange::UnderRendezvous);
    checked.above(NOTHING, block(RUN));
    checked.above(block(RUN), NOTHING);
    checked.page(0, NOTHING, page(RUN));
    assert_eq!(checked.wrong(), Some(Wrong::ReusedBeforeFlush));
}

#[test]
fn another_link_to_a_table_keeps_its_entries() {
    let checked = Block::new(SizeChange::UnderRendezvous);
    checked.pages(RUN);
    checked.above(NOTHING, link());
    checked.write(Level::L2, TABLE.add(1), 9 * BLOCK, NOTHING, link());
    checked.above(link(), NOTHING);
    assert_eq!(checked.0.zapped(), 1);
    checked.tell(ALL);
    assert_eq!(checked.free(Frame::new(RUN)), Some(Wrong::FreedWhileMapped));
}

#[test]
fn in_place_size_alone_may_change_where_it_is_listed() {
    for (size_change, expected) in
        [(SizeChange::UnderRendezvous, Some(Wrong::SizeChanged)), (SizeChange::InPlace, None)]
    {
        let checked = Block::new(size_change);
        checked.pages(RUN);
        checked.above(NOTHING, link());
        checked.above(link(), block(RUN));
        assert_eq!(checked.wrong(), expected, "{size_change:?}");
        checked.tell(ALL);
        checked.pages(RUN);
        checked.above(block(RUN), link());
        assert_eq!(checked.wrong(), expected, "{size_change:?}");
    }
}

#[test]
fn in_place_nothing_but_size_may_change() {
    let elsewhere = Block::new(SizeChange::InPlace);
    elsewhere.pages(RUN);
    elsewhere.above(NOTHING, link());
    elsewhere.above(link(), block(RUN + 512));
    assert_eq!(elsewhere.wrong(), Some(Wrong::SizeAndMoreChanged));

    let hole = Block::new(SizeChange::InPlace);
    (1..512).for_each(|number| hole.page(number, NOTHING, page(RUN + number)));
    hole.above(NOTHING, link());
    hole.above(link(), block(RUN));
    assert_eq!(hole.wrong(), Some(Wrong::SizeAndMoreChanged));

    let device = Block::new(SizeChange::InPlace);
    device.pages(RUN);
    device.above(NOTHING, link());
    device.above(link(), El2::leaf(Level::L2, Frame::new(RUN), host(Memory::Device)));
    assert_eq!(device.wrong(), Some(Wrong::SizeAndMoreChanged));
}

#[test]
fn in_place_the_old_size_is_remembered_until_it_is_invalidated() {
    let early = Block::new(SizeChange::InPlace);
    early.pages(RUN);
    early.above(NOTHING, link());
    early.above(link(), block(RUN));
    assert_eq!(early.0.zapped(), 513);
    assert_eq!(early.free(PAGES), Some(Wrong::FreedBeforeFlush));

    let proper = Block::new(SizeChange::InPlace);
    proper.pages(RUN);
    proper.above(NOTHING, link());
    proper.above(link(), block(RUN));
    proper.tell(ALL);
    assert_eq!((proper.free(PAGES), proper.0.zapped()), (None, 0));
}
