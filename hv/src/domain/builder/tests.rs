//! Domains on the simulated machine: what a guest finds at its first instruction, what is left of it afterwards, what
//! happens when frames run out.

mod failures;
mod images;

use std::collections::BTreeMap;
use std::vec::Vec;

use paging::{El2, Ept, Frame, FrameRange, Index, Ipa, Level, LongMode, Npt, PAGE_BYTES, Stage2};

use super::{BuildError, DomainPlan, DomainSpace, Image, Part, Placed, Ready, Tools, build, pages_on};
use crate::board::types::Images;
use crate::domain::manifest::Sum;
use crate::mm::buddy::Counts;
use crate::mm::checker::Verdict;
use crate::mm::domain_area::{Closed, VcpuPage};
use crate::mm::frames::{Order, Use};
use crate::mm::guest_rig::{ASIDE, ID, OTHER, OneCpu, Rig, layout, with};
use crate::mm::guest_tables::{NestedFormat, Retention, TablesPlan};
use crate::mm::mapcache::Moment;
use crate::mm::rig::{BLOCK, System};
use crate::sim::guest::Running;
use crate::sim::{HostFormat, Sim};

const RETENTIONS: [Retention; 3] = [Retention::MapCache, Retention::Resident, Retention::PoolWindow];
const BASE: Ipa = Ipa::new(0x4000_0000);
const TABLES: TablesPlan =
    TablesPlan { root_level: Level::L0, largest_leaf: Level::L1, retention: Retention::PoolWindow, limit_frames: 16 };

fn plan<F: HostFormat>(retention: Retention, memory: &'static [Part]) -> DomainPlan<'static> {
    let tables = TablesPlan { retention, ..TABLES };
    DomainPlan { id: ID, layout: layout::<F>(), tables, vcpus: 2, memory, images: &[], care: Images::Checked }
}

/// A part of memory out of the heap.
const fn heap(pages: u64) -> [Part; 1] {
    [Part::Heap { at: BASE, pages }]
}

/// A domain that is ready.
struct Built<G> {
    closed: Closed,
    space: DomainSpace<G>,
}

type Outcome<G> = Result<(Built<G>, Vec<Placed>), BuildError<G>>;

fn make<F: HostFormat, G: NestedFormat>(cpu: &OneCpu<'_, F>, system: &mut System, plan: &DomainPlan<'_>) -> Outcome<G> {
    let mut scrub = cpu.scrub_window();
    let built = cpu.idle(|here| {
        let mut tools = Tools { heap: &mut system.domain, vmap: &mut system.vmap, scrub: &mut scrub };
        let mut space = None;
        let ready = build(here, &mut tools, plan, &mut space);
        assert_eq!(ready.is_ok(), space.is_some());
        let Ready { closed, placed } = ready?;
        Ok((Built { closed, space: space.expect("it is ready") }, placed.to_vec()))
    });
    assert_eq!(cpu.cache.check_empty(Moment::ReturnToGuest), Ok(()), "built or not, nothing stays mapped");
    built
}

fn destroy<F: HostFormat, G: NestedFormat>(cpu: &OneCpu<'_, F>, system: &mut System, built: Built<G>) {
    let mut scrub = cpu.scrub_window();
    cpu.idle(|here| {
        let mut tools = Tools { heap: &mut system.domain, vmap: &mut system.vmap, scrub: &mut scrub };
        let mut space = Some(built.space);
        DomainSpace::destroy(here, &mut tools, &mut space, built.closed);
        assert!(space.is_none());
    });
    assert_eq!(cpu.cache.check_empty(Moment::ReturnToGuest), Ok(()));
}

/// Frames that the heap says are the domain's.
fn owned<F: HostFormat>(rig: &Rig<'_, F>, system: &System) -> Vec<Frame> {
    let ram = rig.sim.memory.frames();
    let own = |frame: &Frame| {
        let usage = rig.cpus[0].idle(|here| system.domain.frames().usage(here, *frame));
        matches!(usage, Use::Used { owner, .. } if owner == ID.owner)
    };
    (0..ram.frames).map(|number| ram.first.add(number)).filter(own).collect()
}

/// What a guest reads at an address with its MMU and caches off.
fn guest_word<F: HostFormat, G: NestedFormat>(sim: &Sim<F>, guest: &Running, at: Ipa) -> u64 {
    let found = sim.guest_translate::<G>(guest, at).expect("it is mapped");
    sim.memory.load_uncached(found).expect("it is RAM")
}

/// A byte of a test's image.
fn byte(seed: u64, number: u64) -> u8 {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed) >> 29) as u8
}

/// Writes an image to where it begins, and dirt behind it to the end of its last page.
fn write<F: HostFormat>(sim: &Sim<F>, image: &Image, seed: u64) {
    for word in 0..image.pages() * PAGE_BYTES / 8 {
        let bytes = [0, 1, 2, 3, 4, 5, 6, 7].map(|at| byte(seed, word * 8 + at));
        let frame = image.first.add(word * 8 / PAGE_BYTES);
        sim.memory.store(frame, Index::new((word % 512) as usize), u64::from_le_bytes(bytes)).expect("it is RAM");
    }
}

/// What an image adds up to, made from its bytes.
fn sum(image: &Image, seed: u64) -> u64 {
    let mut sum = Sum::EMPTY;
    for start in (0..image.bytes).step_by(8) {
        let bytes = [0, 1, 2, 3, 4, 5, 6, 7].map(|at| start + at);
        sum = sum.with(u64::from_le_bytes(bytes.map(|at| if at < image.bytes { byte(seed, at) } else { 0 })));
    }
    sum.get()
}

/// All of a guest's memory: its images, zeroes behind each to the end of the page, and zeroes.
fn assert_memory<F: HostFormat, G: NestedFormat>(
    rig: &Rig<'_, F>,
    built: &Built<G>,
    pages: u64,
    images: &[(Image, u64)],
) {
    let cpu = crate::machine::Machine::cpu(&rig.cpus[1].cpu);
    let guest = Running { cpu, vmid: ID.vmid, root: built.space.tables.root() };
    let expected = |at: Ipa| {
        let bytes = [0, 1, 2, 3, 4, 5, 6, 7].map(|offset| {
            let inside = |(image, seed): &(Image, u64)| {
                let number = (at.get() + offset).checked_sub(image.at.get()).filter(|number| *number < image.bytes)?;
                Some(byte(*seed, number))
            };
            images.iter().find_map(inside).unwrap_or(0)
        });
        u64::from_le_bytes(bytes)
    };
    for page in 0..pages {
        let near = images.iter().any(|(image, _)| {
            let (first, end) = (pages_on(image.at, 0), pages_on(image.at, image.pages()));
            (first..end).contains(&pages_on(BASE, page))
        });
        // All of the pages with images, and some words of all others.
        for word in (0..512).step_by(if near { 1 } else { 37 }) {
            let at = Ipa::new(pages_on(BASE, page).get() + word * 8);
            assert_eq!(guest_word::<F, G>(rig.sim, &guest, at), expected(at), "{at}");
        }
    }
    let behind = rig.sim.guest_translate::<G>(&guest, pages_on(BASE, pages));
    assert!(behind.is_err(), "and there is no more");
}

/// The frames of a guest's memory.
fn memory_of<F: HostFormat, G: NestedFormat>(rig: &Rig<'_, F>, built: &Built<G>, pages: u64) -> Vec<Frame> {
    let cpu = crate::machine::Machine::cpu(&rig.cpus[1].cpu);
    let guest = Running { cpu, vmid: ID.vmid, root: built.space.tables.root() };
    let frame = |page| rig.sim.guest_translate::<G>(&guest, pages_on(BASE, page)).map(Frame::containing);
    (0..pages).filter_map(|page| frame(page).ok()).collect()
}

/// Whether a frame is zero for those who go past the caches.
fn is_scrubbed<F: HostFormat>(sim: &Sim<F>, frame: Frame) -> bool {
    let word = |index: Index| sim.memory.load_uncached(frame.address().checked_add(index.get() as u64 * 8)?);
    Index::all().step_by(7).all(|index| word(index) == Some(0))
}

/// The heap and the vmap as they were.
fn state(system: &System) -> (Counts, u64) {
    (system.domain.counts(), system.vmap.live_pages())
}

fn a_domain_is_built_and_destroyed<F: HostFormat, G: NestedFormat>(retention: Retention) {
    with::<F, _>(1, Verdict::Stop, |rig, system| {
        let before = state(system);
        let pages = 2 * BLOCK + 300;
        let images = [
            Image { first: ASIDE.first, bytes: 9 * PAGE_BYTES + 1234, at: pages_on(BASE, 130) },
            Image { first: ASIDE.first.add(20), bytes: 2 * PAGE_BYTES, at: pages_on(BASE, 2 * BLOCK) },
            Image { first: ASIDE.first.add(30), bytes: 3, at: pages_on(BASE, pages - 1) },
        ];
        let seeded: Vec<_> = images.iter().copied().zip(5..).collect();
        seeded.iter().for_each(|(image, seed)| write(rig.sim, image, *seed));
        let memory = heap(2 * BLOCK + 300);
        let plan = DomainPlan { memory: &memory, images: &images, ..plan::<F>(retention, &[]) };
        let (built, placed) = make::<F, G>(&rig.cpus[0], system, &plan).expect("there is plenty");
        let expected: Vec<_> = seeded
            .iter()
            .map(|(image, seed)| Placed { copied_pages: image.pages(), sum: Some(sum(image, *seed)) })
            .collect();
        assert_eq!(placed, expected);
        assert_memory(rig, &built, pages, &seeded);
        // Two live maps for a copy, one for a table; a walk's levels and one more is what there is room for.
        assert!(rig.cpus[0].cache.figures().high_water <= 2, "{:?}", rig.cpus[0].cache.figures());
        let area = 1 + 2 + u64::from(retention == Retention::PoolWindow) * 2;
        let all = pages + built.space.tables.pool_frames() + area + 2 * 2;
        let (frames, memory) = (owned(rig, system), memory_of(rig, &built, pages));
        assert_eq!(frames.len() as u64, all, "memory, tables, area, vCPUs: not a frame more");
        assert_eq!(built.space.tables.tables(), 4, "blocks are blocks");
        let alias = built.space.area.vcpu_page(1, VcpuPage::RootAlias);
        let root = rig.cpus[1].idle(|here| built.space.area.translate(here, alias));
        assert_eq!(root, Some(built.space.tables.root().frame));
        destroy(&rig.cpus[1], system, built);
        assert_eq!(state(system), before);
        assert_eq!(owned(rig, system), []);
        assert!(memory.iter().all(|frame| is_scrubbed(rig.sim, *frame)), "past the caches, too");
        let zero = |frame: &Frame| Index::all().all(|index| rig.sim.memory.load(*frame, index) == Some(0));
        assert!(frames.iter().all(zero), "tables tell nothing");
        let checker = rig.sim.watch.checker();
        assert_eq!((checker.violations(), checker.lost(), checker.zapped()), (0, 0, 0));
    });
}

#[test]
fn a_domain_is_built_and_destroyed_in_every_format_and_retention() {
    for retention in RETENTIONS {
        a_domain_is_built_and_destroyed::<El2, Stage2>(retention);
    }
    a_domain_is_built_and_destroyed::<LongMode, Npt>(Retention::PoolWindow);
    a_domain_is_built_and_destroyed::<LongMode, Ept>(Retention::MapCache);
}

#[test]
fn a_domain_has_as_many_frames_as_it_was_given_and_the_rest_of_a_chunk_goes_back() {
    with::<El2, _>(2, Verdict::Stop, |rig, system| {
        let before = state(system);
        for (at, pages) in [(0, 1), (0, 3), (0, 37), (0, 511), (0, 513), (100, 500), (511, 2), (7, 0)] {
            let memory = [Part::Heap { at: pages_on(BASE, at), pages }];
            let plan = DomainPlan { memory: &memory, ..plan::<El2>(Retention::MapCache, &[]) };
            let (built, _) = make::<El2, Stage2>(&rig.cpus[0], system, &plan).expect("there is plenty");
            let others = built.space.tables.pool_frames() + 3 + 2 * 2;
            assert_eq!(owned(rig, system).len() as u64, pages + others, "{pages} pages from page {at} on");
            destroy(&rig.cpus[0], system, built);
            assert_eq!(state(system), before);
        }
    });
}

#[test]
fn memory_in_small_pieces_serves_too() {
    with::<El2, _>(3, Verdict::Stop, |rig, system| {
        // Every other frame of what is free is somebody's.
        let mut taken: BTreeMap<Frame, bool> = BTreeMap::new();
        let (order, owner, node) = (Order::FRAME, OTHER.owner, ID.node);
        while let Ok(frame) = rig.cpus[0].idle(|here| system.domain.allocate(here, order, owner, node)) {
            taken.insert(frame, frame.number() % 2 == 0);
        }
        for (frame, _) in taken.iter().filter(|(_, goes)| **goes) {
            assert_eq!(rig.cpus[0].idle(|here| system.domain.free(here, *frame, order, owner)), Ok(()));
        }
        let before = state(system);
        let memory = heap(600);
        let plan = DomainPlan { memory: &memory, ..plan::<El2>(Retention::PoolWindow, &[]) };
        let (built, _) = make::<El2, Stage2>(&rig.cpus[0], system, &plan).expect("six hundred single frames are there");
        assert_memory(rig, &built, 600, &[]);
        destroy(&rig.cpus[0], system, built);
        assert_eq!(state(system), before);
    });
}

#[test]
fn what_the_guest_moved_about_comes_back_all_the_same_and_what_is_others_stays() {
    with::<El2, _>(4, Verdict::Stop, |rig, system| {
        let before = state(system);
        let memory = heap(BLOCK + 10);
        let plan = DomainPlan { memory: &memory, ..plan::<El2>(Retention::PoolWindow, &[]) };
        let (mut built, _) = make::<El2, Stage2>(&rig.cpus[0], system, &plan).expect("there is plenty");
        let node = ID.node;
        let granted = rig.cpus[0].idle(|here| {
            let order = Order::FRAME;
            let granted = system.domain.allocate(here, order, OTHER.owner, node).expect("plenty");
            let super::DomainSpace { area, tables, .. } = &mut built.space;
            let stores =
                &mut crate::mm::guest_tables::Stores { heap: &mut system.domain, vmap: &mut system.vmap, area };
            // The last page of the block to the front, another domain's page and a device behind all.
            let mut moved = None;
            let last = pages_on(BASE, BLOCK - 1);
            assert_eq!(tables.unmap(here, stores, last, 1, |leaf| moved = Some(leaf.frame)), Ok(()));
            let moved = FrameRange::new(moved.expect("one leaf"), 1);
            assert_eq!(tables.map(here, stores, Ipa::new(0), moved, super::ATTRIBUTES), Ok(()));
            let granted_range = FrameRange::new(granted, 1);
            assert_eq!(tables.map(here, stores, pages_on(BASE, 5000), granted_range, super::ATTRIBUTES), Ok(()));
            let device = paging::GuestAttributes::new(paging::GuestAccess::ReadWrite, paging::Memory::Device);
            let registers = FrameRange::new(ASIDE.first.add(3), 1);
            assert_eq!(tables.map(here, stores, pages_on(BASE, 5001), registers, device), Ok(()));
            granted
        });
        let memory = memory_of(rig, &built, BLOCK - 1);
        let kept = [granted, ASIDE.first.add(3)].map(|frame| (frame, rig.sim.memory.load(frame, Index::new(4))));
        destroy(&rig.cpus[0], system, built);
        assert_eq!(owned(rig, system), []);
        assert!(memory.iter().all(|frame| is_scrubbed(rig.sim, *frame)));
        for (frame, word) in kept {
            assert_eq!(rig.sim.memory.load(frame, Index::new(4)), word, "{frame} is not the domain's to be scrubbed");
        }
        let order = Order::FRAME;
        let owner = OTHER.owner;
        assert_eq!(rig.cpus[0].idle(|here| system.domain.free(here, granted, order, owner)), Ok(()));
        assert_eq!(state(system), before);
    });
}

#[test]
fn a_devices_registers_are_shown_and_left_alone() {
    const WORD: u64 = 0x5157_0000_1111_2222;
    with::<El2, _>(4, Verdict::Stop, |rig, system| {
        let before = state(system);
        let registers = FrameRange::new(ASIDE.first.add(3), 2);
        rig.sim.memory.store(registers.first, Index::new(4), WORD).expect("it is RAM");
        let at = pages_on(BASE, 5000);
        let memory = [heap(10)[0], Part::Device { at, frames: registers }];
        let plan = DomainPlan { memory: &memory, ..plan::<El2>(Retention::PoolWindow, &[]) };
        let (built, _) = make::<El2, Stage2>(&rig.cpus[0], system, &plan).expect("there is plenty");
        let translate = |at| rig.cpus[0].idle(|here| built.space.tables.translate(here, at));
        let leaf = translate(at).map(|leaf| (leaf.frame, leaf.attributes));
        assert_eq!(leaf, Some((registers.first, super::REGISTERS)));
        let own = translate(BASE).map(|leaf| leaf.attributes);
        assert_eq!(own, Some(super::ATTRIBUTES), "memory is memory");
        assert_eq!(rig.sim.memory.load(registers.first, Index::new(4)), Some(WORD), "made, and nothing scrubbed");
        destroy(&rig.cpus[0], system, built);
        assert_eq!(rig.sim.memory.load(registers.first, Index::new(4)), Some(WORD), "over, and nothing scrubbed");
        assert_eq!(state(system), before);
    });
}
