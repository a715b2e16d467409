//! Real tables of every format, written by the mapper: what was not invalidated is found, with its history.
//!
//! The hypervisor's own tables on both architectures; stage 2, NPT and EPT of a guest.

use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use paging::{
    El2, Entry, Ept, Format, Frame, FrameRange, GuestAccess, GuestAttributes, HostAccess, HostAttributes, Index,
    LongMode, Mapper, Memory, Npt, Removed, Root, Stage2, TableAccess, TableSource,
};

use super::GUEST;
use crate::mm::checker::{Verdict, Violation, Wrong};
use crate::mm::entry::tables::{Regime, Watched};
use crate::mm::entry::{Event, Kind, Scope, SeenBy, Writer};
use crate::sim::{Cpu, Setup, Sim};

/// Tables of the test's own.
#[derive(Default)]
struct Frames {
    entries: BTreeMap<(Frame, usize), Entry>,
}

const ROOT: Root = Root::new(Frame::new(0x100), paging::Level::L0);
const PAGE: u64 = paging::PAGE_BYTES;
/// First page that is mapped.
const AT: u64 = 0x4000_0000;

impl TableAccess for &mut Frames {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        self.entries.get(&(table, index.get())).copied().unwrap_or(Entry::INVALID)
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        self.entries.insert((table, index.get()), entry);
    }
}

/// Where the mapper gets tables; what it frees is not free before the test says so.
#[derive(Default)]
struct Source {
    taken: u64,
    freed: Vec<Frame>,
}

impl TableSource for Source {
    fn allocate(&mut self) -> Option<Frame> {
        self.taken += 1;
        Some(ROOT.frame.add(self.taken))
    }

    fn free(&mut self, table: Frame) {
        self.freed.push(table);
    }
}

/// A format, whose addresses its tables translate, and how everything is forgotten.
trait Case: Format<Attributes: Kind> {
    const REGIME: Regime;
    const ALL: Scope;
    fn attributes() -> Self::Attributes;
    /// How reports write the address of byte `offset`.
    fn written(offset: u64) -> String;
}

fn host() -> HostAttributes {
    HostAttributes::new(HostAccess::ReadWrite, Memory::Normal)
}

fn guest() -> GuestAttributes {
    GuestAttributes::new(GuestAccess::ReadWriteExecute, Memory::Normal)
}

macro_rules! case {
    ($format:ty, $regime:expr, $all:expr, $attributes:expr, $suffix:expr) => {
        impl Case for $format {
            const REGIME: Regime = $regime;
            const ALL: Scope = $all;
            fn attributes() -> Self::Attributes {
                $attributes
            }
            fn written(offset: u64) -> String {
                format!("{}{}", <$format as Format>::input(offset), $suffix)
            }
        }
    };
}

case!(El2, Regime::Host, Scope::Host, host(), "");
case!(LongMode, Regime::Host, Scope::Host, host(), "");
case!(Stage2, Regime::Guest { vmid: GUEST }, Scope::Guest { vmid: GUEST }, guest(), " of guest 7");
case!(Npt, Regime::Guest { vmid: GUEST }, Scope::Guest { vmid: GUEST }, guest(), " of guest 7");
case!(Ept, Regime::Guest { vmid: GUEST }, Scope::Guest { vmid: GUEST }, guest(), " of guest 7");

/// Live tables that a mapper edits on one CPU of a machine.
struct Tables<'s, F: Case> {
    sim: &'s Sim<El2>,
    frames: Frames,
    source: Source,
    mapper: Mapper<F>,
}

impl<'s, F: Case> Tables<'s, F> {
    fn new(sim: &'s Sim<El2>) -> Self {
        Self { sim, frames: Frames::default(), source: Source::default(), mapper: Mapper::new(ROOT) }
    }

    fn map(&mut self, frame: u64) {
        let cpu = self.sim.cpu(0);
        let mut access = watched::<F>(&cpu, &mut self.frames);
        let frames = FrameRange::new(Frame::new(frame), 1);
        let mapped = self.mapper.map(&mut access, &mut self.source, F::input(AT), frames, F::attributes());
        assert_eq!(mapped, Ok(()));
    }

    fn unmap(&mut self) {
        let cpu = self.sim.cpu(0);
        let mut access = watched::<F>(&cpu, &mut self.frames);
        let mut removed = 0;
        let count = |_: Removed<F>| removed += 1;
        assert_eq!(self.mapper.unmap(&mut access, &mut self.source, F::input(AT), 1, count), Ok(()));
        assert_eq!(removed, 4, "a page and three tables");
    }

    fn tell(&self, event: Event) {
        Writer::new(&self.sim.cpu(1), "teardown").tell(event);
    }

    fn flush(&self) {
        self.tell(Event::Flush { scope: F::ALL, on: SeenBy::All });
    }

    fn first(&self) -> Option<Violation> {
        self.sim.watch.checker().first()
    }
}

fn watched<'m, 's, F: Case>(
    cpu: &'m Cpu<'s, El2>,
    frames: &'m mut Frames,
) -> Watched<'m, Cpu<'s, El2>, F, &'m mut Frames> {
    Watched::new(Writer::new(cpu, "mapper"), frames, ROOT, F::REGIME, SeenBy::All)
}

fn machine() -> Sim<El2> {
    Sim::new(Setup { verdict: Verdict::Record, ..Setup::SMALL })
}

/// What is done in order is fine, again and again.
fn in_order_nothing_is_found<F: Case>() {
    let sim = machine();
    let mut tables = Tables::<F>::new(&sim);
    for round in 0..3 {
        tables.map(0x800 + round);
        tables.unmap();
        tables.flush();
        let freed: Vec<_> = tables.source.freed.drain(..).collect();
        for frame in freed.into_iter().chain([Frame::new(0x800 + round)]) {
            tables.tell(Event::Free(FrameRange::new(frame, 1)));
        }
    }
    assert_eq!(tables.first().map(|violation| violation.to_string()), None);
    assert_eq!(sim.watch.checker().zapped(), 0);
}

fn a_forgotten_invalidation_is_found<F: Case>() {
    let sim = machine();
    let mut tables = Tables::<F>::new(&sim);
    tables.map(0x800);
    tables.unmap();
    tables.map(0x900);
    let violation = tables.first().expect("the addresses were used again at once");
    assert_eq!(violation.wrong, Wrong::ReusedBeforeFlush);
    // The mapper completes the new tables first: what is told first is the link that makes them live.
    let told = [
        "page tables: entry reused before its old translation was invalidated".to_string(),
        format!("  entry 0 of the L0 table 0x0010_0000, for {}", F::written(0)),
        "  now: mapper on CPU 0: invalid to table 0x0010_6000".to_string(),
        "  before: mapper on CPU 0: invalid to table 0x0010_3000".to_string(),
    ];
    let report = violation.to_string();
    assert!(report.starts_with(&told.join("\n")), "{report}");
    let last = "  before: mapper on CPU 0: table 0x0010_3000 to invalid";
    assert!(report.ends_with(last), "{report}");
}

fn a_frame_that_is_used_again_too_early_is_found<F: Case>() {
    let sim = machine();
    let mut tables = Tables::<F>::new(&sim);
    tables.map(0x800);
    tables.unmap();
    // Another guest's, or another page's: it does not help.
    let elsewhere = match F::REGIME {
        Regime::Host => Scope::HostPage(paging::VirtAddr::new(AT + PAGE)),
        Regime::Guest { vmid } => Scope::Guest { vmid: vmid + 1 },
    };
    tables.tell(Event::Flush { scope: elsewhere, on: SeenBy::All });
    tables.tell(Event::Free(FrameRange::new(Frame::new(0x800), 1)));
    let violation = tables.first().expect("the page is free and in reach");
    assert_eq!(violation.wrong, Wrong::FreedBeforeFlush);
    let report = violation.to_string();
    let told = [
        "page tables: frame freed before its old translation was invalidated".to_string(),
        format!("  entry 0 of the L3 table 0x0010_1000, for {}", F::written(AT)),
        "  now: teardown on CPU 1: freed 0x0080_0000..0x0080_1000".to_string(),
    ];
    assert!(report.starts_with(&told.join("\n")), "{report}");
    for before in [
        "  before: mapper on CPU 0: invalid to 0x0080_0000..0x0080_1000 Normal",
        "  before: mapper on CPU 0: 0x0080_0000..0x0080_1000 Normal to invalid",
    ] {
        assert!(report.contains(before), "{report}");
    }
}

fn a_table_that_is_freed_too_early_is_found<F: Case>() {
    let sim = machine();
    let mut tables = Tables::<F>::new(&sim);
    tables.map(0x800);
    tables.unmap();
    let freed = tables.source.freed[0];
    tables.tell(Event::Free(FrameRange::new(freed, 1)));
    let violation = tables.first().expect("a CPU may still walk through it");
    assert_eq!(violation.wrong, Wrong::FreedBeforeFlush);
    let report = violation.to_string();
    let unlinked = format!("  before: mapper on CPU 0: table {freed} to invalid");
    assert!(report.contains(&unlinked), "{report}");
}

fn a_page_replaced_in_place_is_found<F: Case>() {
    let sim = machine();
    let mut tables = Tables::<F>::new(&sim);
    tables.map(0x800);
    let leaf = paging::walk::<F>(&mut &mut tables.frames, ROOT, F::input(AT)).steps().last().expect("it is mapped");
    let cpu = sim.cpu(0);
    let mut access = watched::<F>(&cpu, &mut tables.frames);
    // The way there is learnt by walking it.
    paging::walk::<F>(&mut access, ROOT, F::input(AT));
    access.write(leaf.table, leaf.index, F::leaf(leaf.level, Frame::new(0x801), F::attributes()));
    let violation = tables.first().expect("valid to valid");
    assert_eq!((violation.wrong, violation.place.table), (Wrong::AddressChanged, leaf.table));
    assert!(violation.to_string().contains("  before: mapper on CPU 0: invalid to 0x0080_0000..0x0080_1000 Normal"));
}

fn every_rule<F: Case>() {
    in_order_nothing_is_found::<F>();
    a_forgotten_invalidation_is_found::<F>();
    a_frame_that_is_used_again_too_early_is_found::<F>();
    a_table_that_is_freed_too_early_is_found::<F>();
    a_page_replaced_in_place_is_found::<F>();
}

#[test]
fn stage_1_on_aarch64() {
    every_rule::<El2>();
}

#[test]
fn stage_1_on_x86_64() {
    every_rule::<LongMode>();
}

#[test]
fn stage_2() {
    every_rule::<Stage2>();
}

#[test]
fn nested_page_tables() {
    every_rule::<Npt>();
}

#[test]
fn extended_page_tables() {
    every_rule::<Ept>();
}

#[test]
fn stage_2_alone_is_not_enough_for_a_guests_page() {
    let sim = machine();
    let mut tables = Tables::<Stage2>::new(&sim);
    tables.map(0x800);
    tables.unmap();
    let at = paging::Ipa::new(AT);
    tables.tell(Event::Flush { scope: Scope::GuestPage { vmid: GUEST, at }, on: SeenBy::All });
    tables.tell(Event::Free(FrameRange::new(Frame::new(0x800), 1)));
    let report = tables.first().expect("combined entries are left").to_string();
    let told = "  before: teardown on CPU 1: invalidated stage 2 of 0x4000_0000 of guest 7 on every CPU";
    assert!(report.ends_with(told), "{report}");
}
