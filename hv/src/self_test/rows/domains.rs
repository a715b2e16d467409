//! Domains that are made, loaded and taken apart on the machine: their tables, their images, their pages behind the slot.

use paging::{Frame, Index, Ipa, Level, PAGE_BYTES, VirtAddr};

use crate::arch::this;
use crate::board::DOMAIN_AREA;
use crate::cpu::CpuIndex;
use crate::domain::builder::{Image, Part};
use crate::domain::loaded;
use crate::mm::domain_area::VcpuPage;
use crate::mm::guest_tables::{NestedFormat, Retention};
use crate::mm::mapcache::{self, Context, Owner};
use crate::mm::this_cpu::ThisCpu;
use crate::mm::{private, system};
use crate::self_test::bench::Bench;
use crate::self_test::fabricated::{self, BASE, Fabricated, VCPUS, Wanted};
use crate::self_test::memory::{self, State};
use crate::self_test::probe::{self, Probe};
use crate::self_test::row::{Failure, Late, Outcome, Row, control, ensure};
use crate::self_test::rows::mapcache::{enter, map};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("p3: a domain is built and destroyed in each format and retention, and every frame is back", built),
    Row::new("p2: an image is copied to the byte from where nothing is mapped, and its tail is zero", copied),
    Row::new("p1: entry and exit pages and the root's alias are seen while the domain is loaded", seen_while_loaded),
    Row::new("p1: two domains take turns on a cpu, and the alias is always the loaded root", turns),
    Row::new("p4: the map cache serves a loaded domain, also after making one has failed at any frame", serves),
    Row::new("xsa-494: loading a domain that is being destroyed leaves nobody loaded and the slot empty", closed),
];

/// Memory of two parts, far enough apart that they share no table below the root's.
pub(super) const MEMORY: [Part; 2] = [Part::Heap { at: BASE, pages: 20 }, Part::Heap { at: FAR, pages: 7 }];
const FAR: Ipa = Ipa::new(BASE.get() + (5 << 30));

/// A domain whose tables are mapped while it is loaded.
pub(super) const IN_WINDOW: Wanted<'_> = Wanted {
    retention: Retention::PoolWindow,
    root_level: Level::L0,
    largest_leaf: Level::L2,
    memory: &MEMORY,
    images: &[],
};

/// How tables are reached.
pub(super) const RETENTIONS: [Retention; 3] = [Retention::MapCache, Retention::Resident, Retention::PoolWindow];

/// Pages that building maps at once, at most: a table of each level, and one more.
const MAPS_MAX: u32 = Level::ALL.len() as u32 + 1;

fn built(_bench: &mut Bench) -> Outcome {
    each_retention(&fabricated::first())?;
    each_retention(&fabricated::second())
}

fn each_retention<F: NestedFormat>(domain: &Fabricated<F>) -> Outcome {
    for retention in RETENTIONS {
        let before = State::now();
        let ready = domain.make(&Wanted { retention, ..IN_WINDOW })?;
        let (differs, live) = (State::now() != before, mapcache::here().figures().live);
        let tables = domain.look(|space| space.tables.tables());
        domain.destroy_closed(ready.closed);
        ensure!(live == 0, "{live} pages are mapped still, {retention:?}");
        control!(differs && tables > Level::ALL.len() as u64, "the domain and its {tables} tables are not seen");
        before.ensure_back(format_args!("{retention:?}"))?;
    }
    let most = mapcache::here().figures().high_water;
    ensure!(most <= MAPS_MAX, "{most} pages were mapped at once");
    Ok(())
}

/// Bytes of the image: not whole pages.
const IMAGE_BYTES: u64 = 2 * PAGE_BYTES + 77;
const IMAGE_PAGES: u64 = IMAGE_BYTES.div_ceil(PAGE_BYTES);
/// Where the guest wants it, in pages of its memory.
const IMAGE_PAGE: u64 = 3;

/// A byte of the image.
const fn byte(number: u64) -> u8 {
    (number % 251) as u8 + 1
}

fn copied(bench: &mut Bench) -> Outcome {
    let first = bench.scratch().first.add(100);
    for page in 0..IMAGE_PAGES {
        let mapped = map(enter(Context::Idle)?, first.add(page))?;
        for word in (0..PAGE_BYTES).step_by(size_of::<u64>()) {
            let bytes = core::array::from_fn(|at| byte(page * PAGE_BYTES + word + at as u64));
            mapped.store(Index::new(word as usize / size_of::<u64>()), u64::from_le_bytes(bytes));
        }
    }
    let at = Ipa::new(BASE.get() + IMAGE_PAGE * PAGE_BYTES);
    let images = [Image { first, bytes: IMAGE_BYTES, at }];
    let domain = fabricated::first();
    let before = State::now();
    let ready = domain.make(&Wanted { images: &images, ..IN_WINDOW })?;
    let copied_pages = ready.placed.first().map(|placed| placed.copied_pages);
    let same = (0..IMAGE_PAGES).try_for_each(|page| is_copied(&domain, page));
    let behind = word_of(&domain, IMAGE_PAGE + IMAGE_PAGES, 0);
    domain.destroy_closed(ready.closed);
    ensure!(copied_pages == Some(IMAGE_PAGES), "{copied_pages:?} pages of {IMAGE_PAGES} are copied");
    same?;
    let behind = behind?;
    ensure!(behind == 0, "the page behind the image begins with {behind:#x}");
    before.ensure_back(format_args!("after the image"))
}

/// The guest's word, by its own tables.
fn word_of<F: NestedFormat>(domain: &Fabricated<F>, page: u64, word: usize) -> Result<u64, Failure> {
    let frame = frame_of(domain, Ipa::new(BASE.get() + page * PAGE_BYTES))?;
    Ok(map(enter(Context::Idle)?, frame)?.load(Index::new(word)))
}

pub(super) fn frame_of<F: NestedFormat>(domain: &Fabricated<F>, at: Ipa) -> Result<Frame, Failure> {
    let leaf = domain.look(|space| system::with(|_, here| space.tables.translate(here, at)));
    let leaf = leaf.ok_or_else(|| Failure::new(format_args!("the guest has nothing at {at}")))?;
    Ok(leaf.frame.add((at.get() - leaf.at.get()) / PAGE_BYTES))
}

fn is_copied<F: NestedFormat>(domain: &Fabricated<F>, page: u64) -> Outcome {
    for word in 0..PAGE_BYTES as usize / size_of::<u64>() {
        let found = word_of(domain, IMAGE_PAGE + page, word)?.to_le_bytes();
        let first = page * PAGE_BYTES + (word * size_of::<u64>()) as u64;
        let wanted: [u8; 8] = core::array::from_fn(|at| {
            let number = first + at as u64;
            if number < IMAGE_BYTES { byte(number) } else { 0 }
        });
        ensure!(found == wanted, "bytes {first} and on of the image are {found:?}, not {wanted:?}");
    }
    Ok(())
}

/// Makes a domain, runs `test` with its slot open, and destroys it; everything is as it was.
pub(super) fn with_open<F: NestedFormat, R>(
    domain: &Fabricated<F>,
    wanted: &Wanted<'_>,
    test: impl FnOnce() -> Result<R, Failure>,
) -> Result<R, Failure> {
    let ready = domain.make(wanted)?;
    domain.slot.open(ready.closed);
    let result = test();
    loaded::unload();
    domain.destroy()?;
    result
}

/// Loads it on this CPU.
pub(super) fn load<F>(domain: &Fabricated<F>) -> Outcome {
    loaded::load(domain.slot).map_err(|why| Failure::new(format_args!("{why}")))
}

fn alias(vcpu: u32) -> VirtAddr {
    DOMAIN_AREA.vcpu_page(vcpu, VcpuPage::RootAlias)
}

fn seen_while_loaded(bench: &mut Bench) -> Outcome {
    let (domain, before) = (fabricated::first(), State::now());
    with_open(&domain, &IN_WINDOW, || {
        sees_nothing(bench, bench.cpus())?;
        load(&domain)?;
        sees_pages(bench, &domain)?;
        sees_nothing(bench, CpuIndex::secondaries())?;
        loaded::unload();
        sees_nothing(bench, bench.cpus())
    })?;
    sees_nothing(bench, bench.cpus())?;
    ensure!(loaded::load(domain.slot).is_err(), "a domain that is destroyed can be loaded");
    before.ensure_back(format_args!("after the domain"))
}

/// Whether these CPUs see none of a domain's pages.
fn sees_nothing(bench: &Bench, cpus: impl Iterator<Item = CpuIndex>) -> Outcome {
    for cpu in cpus {
        let pages = VcpuPage::ALL.into_iter().map(|page| DOMAIN_AREA.vcpu_page(0, page));
        for at in pages.chain([DOMAIN_AREA.pool]) {
            let probe = bench.probe(cpu, at)?;
            ensure!(probe == Probe::NoTranslation, "cpu {cpu} sees {probe} at {at}");
        }
    }
    Ok(())
}

/// Whether the boot CPU sees each vCPU's pages, the pool's tables, and nothing behind them.
fn sees_pages<F: NestedFormat>(bench: &Bench, domain: &Fabricated<F>) -> Outcome {
    let (boot, root) = (CpuIndex::BOOT, domain.root());
    for vcpu in 0..VCPUS {
        let own = bench.probe(boot, alias(vcpu))?;
        let wanted = Probe::Page { frame: root, writable: false, executable: false };
        ensure!(own == wanted, "the alias of vcpu {vcpu} is {own}, not {wanted}");
        for page in [VcpuPage::Registers, VcpuPage::Control] {
            let probe = bench.probe(boot, DOMAIN_AREA.vcpu_page(vcpu, page))?;
            let is_own = matches!(probe, Probe::Page { frame, writable: true, executable: false } if frame != root);
            ensure!(is_own, "vcpu {vcpu} has {probe} as {page:?}");
        }
    }
    let guard = VirtAddr::new(alias(0).get() + PAGE_BYTES);
    for at in [guard, alias(VCPUS)] {
        let probe = bench.probe(boot, at)?;
        ensure!(probe == Probe::NoTranslation, "{at}, where no vcpu has a page, is {probe}");
    }
    let pool = bench.probe(boot, DOMAIN_AREA.pool)?;
    control!(pool.is_page(), "the window of the domain's tables is {pool}");
    let entry = BASE.index(Level::L0).get() * size_of::<u64>();
    let seen = this::probe::load(VirtAddr::new(alias(0).get() + entry as u64));
    let held = map(enter(Context::Idle)?, root)?.load(BASE.index(Level::L0));
    ensure!(seen == Some(held) && held != 0, "the alias shows {seen:x?}, the root holds {held:#x}");
    Ok(())
}

/// Times that each of two domains is loaded.
const TURNS: u32 = 500;

fn turns(_bench: &mut Bench) -> Outcome {
    let (one, other) = (fabricated::first(), fabricated::second());
    let before = State::now();
    with_open(&one, &IN_WINDOW, || {
        with_open(&other, &IN_WINDOW, || {
            let roots = [one.root(), other.root()];
            control!(roots[0] != roots[1], "both domains have the root {}", roots[0]);
            for turn in 0..TURNS {
                load(&one)?;
                alias_is(turn, roots[0])?;
                load(&other)?;
                alias_is(turn, roots[1])?;
            }
            loaded::unload();
            Ok(())
        })
    })?;
    before.ensure_back(format_args!("after {TURNS} turns"))
}

fn alias_is(turn: u32, root: Frame) -> Outcome {
    let vcpu = turn % VCPUS;
    let seen = probe::here(alias(vcpu));
    ensure!(seen.shows(root), "turn {turn}: the alias of vcpu {vcpu} is {seen}, loaded is {root}");
    Ok(())
}

fn serves(_bench: &mut Bench) -> Outcome {
    let domain = fabricated::first();
    maps_when_loaded(&domain)?;
    let mut made = None;
    let asked = memory::refuse_each(
        |memory, here| domain.build_with(memory, here, &IN_WINDOW),
        |ready| {
            made = Some(());
            domain.destroy_closed(ready.closed);
            Ok(())
        },
    )?;
    ensure!(made.is_some() && asked > 10, "a domain asks for {asked} frames");
    maps_when_loaded(&domain)
}

const VALUE: u64 = 0xd03a_1000_0000_0001;

fn maps_when_loaded<F: NestedFormat>(domain: &Fabricated<F>) -> Outcome {
    with_open(domain, &IN_WINDOW, || {
        let frame = frame_of(domain, BASE)?;
        control!(enter(Context::Guest { vmid: domain.vmid }).is_err(), "a domain maps that is not loaded");
        load(domain)?;
        let page = map(enter(Context::Guest { vmid: domain.vmid })?, frame)?;
        page.store(Index::new(1), VALUE);
        drop(page);
        let value = map(enter(Context::Idle)?, frame)?.load(Index::new(1));
        ensure!(value == VALUE, "{frame} holds {value:#x}");
        Ok(())
    })
}

fn closed(_bench: &mut Bench) -> Outcome {
    let (one, other) = (fabricated::first(), fabricated::second());
    let linked = || private::domain_slot().linked::<ThisCpu>();
    with_open(&one, &IN_WINDOW, || {
        load(&one)?;
        let (before, owner) = (linked(), mapcache::here().loaded());
        control!(before.is_some() && owner == Owner::Domain(one.vmid), "{owner} is loaded, the slot links {before:?}");
        let refused = loaded::load(other.slot);
        ensure!(refused.is_err(), "a domain that does not exist is loaded");
        let owner = mapcache::here().loaded();
        ensure!(owner == Owner::Nobody && linked().is_none(), "{owner} is loaded, the slot links {:?}", linked());
        let seen = probe::here(alias(0));
        ensure!(seen == Probe::NoTranslation, "the alias is {seen}");
        for domain in [one.vmid, other.vmid] {
            ensure!(enter(Context::Guest { vmid: domain }).is_err(), "domain {domain} is let in");
        }
        Ok(())
    })
}
