//! Each rule of the checker: what it lets pass, what it finds, in each format.

mod formats;
mod sizes;

use std::string::{String, ToString};

use paging::{
    Ept, Format, Frame, FrameRange, GuestAccess, GuestAttributes, HostAccess, HostAttributes, Index, Ipa, Level,
    LongMode, Memory, Npt, Stage2, VirtAddr,
};

use super::{Checker, Verdict, Wrong};
use crate::cpu::CpuIndex;
use crate::mm::entry::tables::Regime;
use crate::mm::entry::{By, Event, Kind, Place, Said, Scope, SeenBy, Watch};

const TABLE: Frame = Frame::new(0x100);
const GUEST: u16 = 7;
const BLOCK: u64 = Level::L2.entry_bytes();

/// A checker and what entries are written with.
struct Bench<F> {
    checker: Checker<64>,
    regime: Regime,
    level: Level,
    seen: SeenBy,
    format: core::marker::PhantomData<F>,
}

impl<F: Format<Attributes: Kind>> Bench<F> {
    fn new(regime: Regime, level: Level, seen: SeenBy) -> Self {
        Self { checker: Checker::new(Verdict::Record), regime, level, seen, format: core::marker::PhantomData }
    }

    fn tell(&self, event: Event) {
        self.checker.event(By { cpu: CpuIndex::BOOT, who: "test" }, event);
    }

    fn place(&self, index: usize) -> Place {
        let input = self.regime.input(F::input(index as u64 * self.level.entry_bytes()));
        Place { table: TABLE, index: Index::new(index), level: self.level, input, seen: self.seen }
    }

    fn write(&self, index: usize, old: paging::Entry, new: paging::Entry) {
        let said = |entry| Said::of::<F>(self.level, entry);
        self.tell(Event::Write { place: self.place(index), old: said(old), new: said(new) });
    }

    fn wrong(&self) -> Option<Wrong> {
        self.checker.first().map(|violation| violation.wrong)
    }
}

fn host(memory: Memory) -> HostAttributes {
    HostAttributes::new(HostAccess::ReadWrite, memory)
}

const NOTHING: paging::Entry = paging::Entry::INVALID;

/// The rules that every format shares, at the level of blocks, where links and leaves may both stand.
fn rules<F: Format<Attributes: Kind>>(regime: Regime, attributes: fn(Memory) -> F::Attributes, everything: Scope) {
    let bench = || Bench::<F>::new(regime, Level::L2, SeenBy::All);
    let leaf = |frame, memory| F::leaf(Level::L2, Frame::new(frame), attributes(memory));
    let (a, b, link) = (leaf(0x200, Memory::Normal), leaf(0x400, Memory::Normal), F::table(Frame::new(0x101)));
    let flush = Event::Flush { scope: everything, on: SeenBy::All };

    let proper = bench();
    proper.write(3, NOTHING, a);
    proper.write(3, a, NOTHING);
    proper.tell(flush);
    proper.write(3, NOTHING, b);
    proper.write(3, b, NOTHING);
    proper.tell(flush);
    proper.tell(Event::Free(FrameRange::new(Frame::new(0x200), 0x400)));
    assert_eq!(proper.wrong(), None);

    for (old, new, expected) in [
        (a, b, Wrong::AddressChanged),
        (a, link, Wrong::SizeChanged),
        (link, a, Wrong::SizeChanged),
        (link, F::table(Frame::new(0x102)), Wrong::AddressChanged),
        (a, leaf(0x200, Memory::Device), Wrong::MemoryKindChanged),
    ] {
        let wrong = bench();
        wrong.write(3, NOTHING, old);
        wrong.write(3, old, new);
        assert_eq!(wrong.wrong(), Some(expected), "{old:?} to {new:?}");
    }

    let early = bench();
    early.write(3, NOTHING, a);
    early.write(3, a, NOTHING);
    early.write(3, NOTHING, b);
    assert_eq!(early.wrong(), Some(Wrong::ReusedBeforeFlush));

    let mapped = bench();
    mapped.write(3, NOTHING, a);
    mapped.tell(Event::Free(FrameRange::new(Frame::new(0x3ff), 1)));
    assert_eq!(mapped.wrong(), Some(Wrong::FreedWhileMapped));

    let remembered = bench();
    remembered.write(3, NOTHING, a);
    remembered.write(3, a, NOTHING);
    remembered.tell(Event::Free(FrameRange::new(Frame::new(0x3ff), 1)));
    assert_eq!(remembered.wrong(), Some(Wrong::FreedBeforeFlush));

    let behind = bench();
    behind.write(3, NOTHING, a);
    behind.write(3, b, NOTHING);
    assert_eq!(behind.wrong(), Some(Wrong::BehindTheWriter));
}

fn guest(memory: Memory) -> GuestAttributes {
    GuestAttributes::new(GuestAccess::ReadWrite, memory)
}

#[test]
fn rules_hold_in_every_format() {
    rules::<paging::El2>(Regime::Host, host, Scope::Host);
    rules::<LongMode>(Regime::Host, host, Scope::Host);
    let (regime, everything) = (Regime::Guest { vmid: GUEST }, Scope::Guest { vmid: GUEST });
    rules::<Stage2>(regime, guest, everything);
    rules::<Npt>(regime, guest, everything);
    rules::<Ept>(regime, guest, everything);
}

/// Maps, unmaps, invalidates by `flushes`, maps something else.
fn reuse(level: Level, seen: SeenBy, flushes: &[(Scope, SeenBy)]) -> Option<Wrong> {
    let bench = Bench::<paging::El2>::new(Regime::Host, level, seen);
    let leaf = |frame| paging::El2::leaf(level, Frame::new(frame), host(Memory::Normal));
    bench.write(1, NOTHING, leaf(0x200));
    bench.write(1, leaf(0x200), NOTHING);
    flushes.iter().for_each(|&(scope, on)| bench.tell(Event::Flush { scope, on }));
    bench.write(1, NOTHING, leaf(0x400));
    bench.wrong()
}

#[test]
fn an_invalidation_counts_where_it_reaches() {
    let [here, there] = [CpuIndex::BOOT, CpuIndex::new(1).expect("the model board has CPUs")];
    let inside = Scope::HostPage(VirtAddr::new(2 * BLOCK - 1));
    let outside = Scope::HostPage(VirtAddr::new(2 * BLOCK));
    let early = Some(Wrong::ReusedBeforeFlush);
    for (seen, scope, on, expected) in [
        (SeenBy::Cpu(here), inside, SeenBy::Cpu(here), None),
        (SeenBy::Cpu(here), inside, SeenBy::All, None),
        (SeenBy::Cpu(here), outside, SeenBy::All, early),
        (SeenBy::Cpu(here), inside, SeenBy::Cpu(there), early),
        (SeenBy::All, inside, SeenBy::Cpu(here), early),
        (SeenBy::All, Scope::Host, SeenBy::Cpu(here), early),
        (SeenBy::All, Scope::Host, SeenBy::All, None),
        (SeenBy::All, Scope::Guest { vmid: GUEST }, SeenBy::All, early),
    ] {
        assert_eq!(reuse(Level::L2, seen, &[(scope, on)]), expected, "{seen:?} {scope:?} {on:?}");
    }
    assert_eq!(reuse(Level::L3, SeenBy::All, &[(Scope::HostPage(VirtAddr::new(4096)), SeenBy::All)]), None);
}

/// A CPU leaves an area that all CPUs share, and takes another one's link while the area it left is taken apart.
fn leave(flush: Option<Scope>) -> Option<Wrong> {
    let bench = Bench::<paging::El2>::new(Regime::Host, Level::L0, SeenBy::Cpu(CpuIndex::BOOT));
    let (area, other) = (paging::El2::table(Frame::new(0x101)), paging::El2::table(Frame::new(0x102)));
    let page = paging::El2::leaf(Level::L3, Frame::new(0x200), host(Memory::Normal));
    let input = bench.place(3).input;
    let place = Place { table: Frame::new(0x101), index: Index::new(0), level: Level::L3, input, seen: SeenBy::All };
    let said = |entry| Said::of::<paging::El2>(Level::L3, entry);
    bench.write(3, NOTHING, area);
    bench.tell(Event::Write { place, old: said(NOTHING), new: said(page) });
    bench.write(3, area, NOTHING);
    if let Some(scope) = flush {
        bench.tell(Event::Flush { scope, on: SeenBy::Cpu(CpuIndex::BOOT) });
    }
    bench.tell(Event::Write { place, old: said(page), new: said(NOTHING) });
    bench.write(3, NOTHING, other);
    bench.wrong()
}

#[test]
fn what_is_behind_a_link_is_forgotten_with_it() {
    assert_eq!(leave(Some(Scope::Host)), None);
    assert_eq!(leave(None), Some(Wrong::ReusedBeforeFlush));
}

/// A guest's page is given back after these invalidations.
fn give_back(scopes: &[Scope]) -> Option<Wrong> {
    let bench = Bench::<Stage2>::new(Regime::Guest { vmid: GUEST }, Level::L3, SeenBy::All);
    let leaf = Stage2::leaf(Level::L3, Frame::new(0x200), guest(Memory::Normal));
    bench.write(1, NOTHING, leaf);
    bench.write(1, leaf, NOTHING);
    scopes.iter().for_each(|&scope| bench.tell(Event::Flush { scope, on: SeenBy::All }));
    bench.tell(Event::Free(FrameRange::new(Frame::new(0x200), 1)));
    bench.wrong()
}

#[test]
fn a_guests_frame_needs_stage_2_and_then_combined_invalidation() {
    let page = Scope::GuestPage { vmid: GUEST, at: Ipa::new(4096) };
    let combined = Scope::GuestCombined { vmid: GUEST };
    assert_eq!(give_back(&[page, combined]), None);
    assert_eq!(give_back(&[Scope::Guest { vmid: GUEST }]), None);
    for short in [&[page][..], &[combined], &[combined, page], &[Scope::Guest { vmid: GUEST + 1 }], &[Scope::Host]] {
        assert_eq!(give_back(short), Some(Wrong::FreedBeforeFlush), "{short:?}");
    }
}

#[test]
fn permissions_may_change_in_place_and_tables_go_back_when_empty() {
    let bench = Bench::<paging::El2>::new(Regime::Host, Level::L3, SeenBy::All);
    let leaf = |access| paging::El2::leaf(Level::L3, Frame::new(0x200), HostAttributes::new(access, Memory::Normal));
    bench.write(1, NOTHING, leaf(HostAccess::ReadWrite));
    bench.write(1, leaf(HostAccess::ReadWrite), leaf(HostAccess::Read));
    assert_eq!(bench.wrong(), None);
    bench.tell(Event::Free(FrameRange::new(TABLE, 1)));
    assert_eq!(bench.wrong(), Some(Wrong::FreedWhileMapped));
}

#[test]
fn bits_that_no_format_writes_are_found() {
    let bench = Bench::<paging::El2>::new(Regime::Host, Level::L3, SeenBy::All);
    bench.write(1, NOTHING, paging::Entry::new(u64::MAX));
    assert_eq!(bench.wrong(), Some(Wrong::Unreadable));
}

#[test]
fn a_full_checker_says_what_it_lost_and_still_sees_changes() {
    let bench = Bench::<paging::El2>::new(Regime::Host, Level::L3, SeenBy::All);
    let leaf = |frame| paging::El2::leaf(Level::L3, Frame::new(frame), host(Memory::Normal));
    for index in 0..100 {
        bench.write(index, NOTHING, leaf(0x200 + index as u64));
    }
    assert_eq!(bench.checker.lost(), 100 - 63);
    assert_eq!(bench.wrong(), None);
    bench.write(99, leaf(0x200 + 99), leaf(0x600));
    assert_eq!(bench.wrong(), Some(Wrong::AddressChanged));
}

#[test]
fn entries_stay_findable_when_others_are_removed() {
    let bench = Bench::<paging::El2>::new(Regime::Host, Level::L3, SeenBy::All);
    let leaf = |frame| paging::El2::leaf(Level::L3, Frame::new(frame), host(Memory::Normal));
    (0..60).for_each(|index| bench.write(index, NOTHING, leaf(0x200 + index as u64)));
    (0..60).step_by(2).for_each(|index| bench.write(index, leaf(0x200 + index as u64), NOTHING));
    for index in (1..60).step_by(2) {
        let before = bench.checker.violations();
        bench.tell(Event::Free(FrameRange::new(Frame::new(0x200 + index as u64), 1)));
        assert_eq!(bench.checker.violations(), before + 1, "entry {index}");
    }
}

#[test]
fn a_report_tells_the_entry_and_its_history() {
    let bench = Bench::<paging::El2>::new(Regime::Host, Level::L3, SeenBy::Cpu(CpuIndex::BOOT));
    let leaf = |frame| paging::El2::leaf(Level::L3, Frame::new(frame), host(Memory::Normal));
    bench.write(1, NOTHING, leaf(0x200));
    bench.write(2, NOTHING, leaf(0x300));
    bench.write(1, leaf(0x200), NOTHING);
    bench.tell(Event::Flush { scope: Scope::HostPage(VirtAddr::new(4096)), on: SeenBy::Cpu(CpuIndex::BOOT) });
    bench.write(1, NOTHING, leaf(0x201));
    bench.write(1, leaf(0x201), leaf(0x202));
    let report: String = bench.checker.first().map_or_else(String::new, |violation| violation.to_string());
    let expected = [
        "page tables: valid entry given another address without break-before-make",
        "  entry 1 of the L3 table 0x0010_0000, for 0x1000",
        "  now: test on CPU 0: 0x0020_1000..0x0020_2000 Normal to 0x0020_2000..0x0020_3000 Normal",
        "  before: test on CPU 0: invalid to 0x0020_0000..0x0020_1000 Normal",
        "  before: test on CPU 0: 0x0020_0000..0x0020_1000 Normal to invalid",
        "  before: test on CPU 0: invalidated 0x1000 on CPU 0",
        "  before: test on CPU 0: invalid to 0x0020_1000..0x0020_2000 Normal",
    ];
    assert_eq!(report, expected.join("\n"));
}
