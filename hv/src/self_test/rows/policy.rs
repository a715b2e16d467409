//! What the directmap policy comes to: who can read a domain's page, what the window holds, who maps.

use paging::{Decoded, Entry, Frame, FrameRange, Index, Level, PAGE_BYTES, TableAccess, VirtAddr, Visit};

use crate::arch::this::{self, HostFormat};
use crate::board::{BOOT, DIRECTMAP, DIRECTMAP_RAM, MEMORY, PRIVATE, REGIONS};
use crate::cpu::CpuIndex;
use crate::mm::frames::{Node, Order};
use crate::mm::heap::HeapPages;
use crate::mm::mapcache::{self, Context};
use crate::mm::system;
use crate::say;
use crate::self_test::bench::{Bench, FABRICATED};
use crate::self_test::job::Job;
use crate::self_test::live::{self, Class, Found, Tables};
use crate::self_test::memory::{self, ANY};
use crate::self_test::row::{Failure, Late, Outcome, Row, When, control, ensure};
use crate::self_test::rows::mapcache::{address, enter, map};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::when(When::Sparse, "overall: a domain's canary is read on no cpu", no_way),
    Row::when(When::Full, "overall: under full every cpu reads a domain's canary", a_way),
    Row::when(When::Full, "overall: under full all RAM is mapped", all_mapped),
    Row::when(When::Sparse, "p7: after boot the map cache maps whatever is mapped", by_cache),
    Row::when(
        When::OnDemand,
        "p11: every root has the window's entries, and heap pages alone are mapped below",
        window,
    ),
    Row::when(
        When::TwoSlots,
        "p15: RAM behind the window's second root entry is mapped and seen on every cpu",
        second_slot,
    ),
    Row::when(
        When::NoWindow,
        "long term: no root has a directmap, and heap pages lie in an area of their own",
        no_window,
    ),
];

const CANARY: u64 = 0x5ec2_e7ca_4a2d_0002;

fn no_way(bench: &mut Bench) -> Outcome {
    let frames = FrameRange::new(bench.scratch().first.add(7), 1);
    let page = map(enter(Context::Idle)?, frames.first)?;
    page.store(Index::new(0), CANARY);
    let (at, own) = (address(&page), bench.leading_to(CpuIndex::BOOT, frames));
    let read = this::probe::load(at);
    drop(page);
    control!(own? == 1 && read == Some(CANARY), "the boot CPU does not find the page while it has it mapped");
    for cpu in bench.cpus() {
        let ways = bench.leading_to(cpu, bench.scratch())?;
        ensure!(ways == 0, "cpu {cpu} has {ways} ways to the domain's pages");
    }
    Ok(())
}

fn a_way(bench: &mut Bench) -> Outcome {
    let frame = bench.scratch().first.add(7);
    map(enter(Context::Idle)?, frame)?.store(Index::new(0), CANARY);
    for cpu in bench.cpus() {
        let ways = bench.leading_to(cpu, FrameRange::new(frame, 1))?;
        let read = bench.ask(cpu, Job::Load, [DIRECTMAP.base.get() + frame.number() * PAGE_BYTES, 0])?;
        ensure!(ways == 1 && read == CANARY, "cpu {cpu} has {ways} ways to {frame} and reads {read:#x}");
    }
    Ok(())
}

fn all_mapped(bench: &mut Bench) -> Outcome {
    let ram: u64 = DIRECTMAP_RAM.iter().map(|range| range.frames().frames).sum();
    for cpu in bench.cpus() {
        let found = bench.ask(cpu, Job::CountClass, [Class::Window as u64, 0])?;
        ensure!(found >= ram && found != live::UNREADABLE, "cpu {cpu} has {found} of {ram} pages of RAM mapped");
    }
    Ok(())
}

fn by_cache(bench: &mut Bench) -> Outcome {
    let before = mapcache::here().figures();
    let (at, frame) = system::with(|memory, here| {
        let frame = memory.domain.allocate(here, Order::FRAME, FABRICATED, ANY);
        let frame = frame.map_err(|why| Failure::new(format_args!("{why}")))?;
        let page = map(*here.reach, frame)?;
        let at = address(&page);
        drop(page);
        let freed = memory.domain.free(here, frame, Order::FRAME, FABRICATED);
        freed.map_err(|why| Failure::new(format_args!("{why}")))?;
        Ok::<_, Failure>((at, frame))
    })?;
    let after = mapcache::here().figures();
    let window = PRIVATE.mapcache.get()..PRIVATE.mapcache.get() + u64::from(PRIVATE.mapcache_slots) * PAGE_BYTES;
    ensure!(window.contains(&at.get()), "{frame} is mapped at {at}, which is not the map cache's");
    ensure!(after.misses > before.misses, "the map cache counts no map");
    say!(
        "p7: cpu 0 mapped {} pages by its map cache since boot, {} of them new",
        after.hits + after.misses,
        after.misses
    );
    bench.other().map(drop)
}

/// Whether a leaf lies in the window.
fn in_window(found: &Found) -> bool {
    matches!(found, Visit::Leaf(leaf) if window_range().contains(&leaf.at.get()))
}

fn window_range() -> core::ops::Range<u64> {
    let end = DIRECTMAP_RAM.iter().map(|range| range.base.get() + range.bytes).max().unwrap_or(0);
    DIRECTMAP.base.get()..DIRECTMAP.base.get() + end
}

/// Root entries of the window that RAM needs.
fn root_entries() -> impl Iterator<Item = Index> {
    Index::all().filter(|index| {
        DIRECTMAP_RAM.iter().any(|range| {
            let at = |byte: u64| VirtAddr::new(DIRECTMAP.base.get() + byte).index(Level::L0).get();
            (at(range.base.get())..=at(range.base.get() + range.bytes - 1)).contains(&index.get())
        })
    })
}

fn window(bench: &mut Bench) -> Outcome {
    let boot = bench.root(CpuIndex::BOOT)?;
    for index in root_entries() {
        let entry = Tables.read(boot, index);
        let is_table = matches!(HostFormat::decode(Level::L0, entry), Decoded::Table(_));
        ensure!(is_table, "root entry {} of the window has no table", index.get());
        for cpu in bench.cpus() {
            let same = Tables.read(bench.root(cpu)?, index) == entry;
            ensure!(same, "cpu {cpu} has another table behind root entry {}", index.get());
        }
    }
    say!("p11: the window has {} root entries", root_entries().count());
    let leaves = || live::count(live::root(), in_window);
    let before = leaves();
    let pages = memory::allocate(Order::new(1), ANY)?;
    let during = leaves();
    memory::free(pages)?;
    ensure!(before == 0 && leaves() == 0, "the window holds {before} leaves, and {} later", leaves());
    control!(during == 2, "two heap pages are {during} leaves of the window");
    Ok(())
}

/// Root entries in use that no region of the plan explains.
fn unexplained(root: Frame) -> usize {
    let planned = |index: Index| REGIONS.iter().any(|region| region.base.index(Level::L0) == index);
    Index::all().filter(|index| Tables.read(root, *index) != Entry::INVALID && !planned(*index)).count()
}

fn no_window(bench: &mut Bench) -> Outcome {
    let area = MEMORY.heap.base.get()..MEMORY.heap.base.get() + MEMORY.heap.bytes;
    let pages = memory::allocate(Order::FRAME, ANY)?;
    let at = pages.at();
    memory::free(pages)?;
    ensure!(area.contains(&at.get()), "a heap page lies at {at}");
    for cpu in bench.cpus() {
        let entries = unexplained(bench.root(cpu)?);
        ensure!(entries == 0, "cpu {cpu} has {entries} root entries that the plan has not");
    }
    let turn_on = unexplained(BOOT.turn_on_root);
    control!(turn_on > 0 || identity_is_planned(), "the turn-on root's identity entry is not seen");
    Ok(())
}

/// Whether identity pages lie behind a root entry that other regions have.
fn identity_is_planned() -> bool {
    let index = VirtAddr::new(BOOT.load.get()).index(Level::L0);
    REGIONS.iter().any(|region| region.base.index(Level::L0) == index)
}

fn second_slot(bench: &mut Bench) -> Outcome {
    let low = memory::allocate(Order::FRAME, Node(0))?;
    let high = memory::allocate(Order::FRAME, Node(1));
    let seen = high.and_then(|high| {
        let seen = in_two_slots(bench, low.at(), &high);
        memory::free(high)?;
        seen
    });
    memory::free(low)?;
    seen
}

fn in_two_slots(bench: &Bench, low: VirtAddr, high: &HeapPages) -> Outcome {
    let (low, at) = (low.index(Level::L0), high.at());
    ensure!(low != at.index(Level::L0), "both pages lie behind root entry {}", low.get());
    memory::store(at, CANARY);
    for cpu in bench.cpus() {
        let probe = bench.probe(cpu, at)?;
        ensure!(probe.shows(high.frames().first), "cpu {cpu} sees {probe} at {at}");
        let value = bench.ask(cpu, Job::Load, [at.get(), 0])?;
        ensure!(value == CANARY, "cpu {cpu} reads {value:#x} at {at}");
    }
    Ok(())
}
