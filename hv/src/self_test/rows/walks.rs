//! Walks of a guest's own tables in software: what they cost by the way in which the domain's tables are reached.

use paging::{
    Entry, Frame, FrameRange, HostAccess, HostAttributes, Index, Ipa, Level, Mapper, Memory, PAGE_BYTES, PhysAddr,
    Root, TableAccess, TableSource, VirtAddr,
};

use crate::arch::this::{self, GuestRegime, HostFormat};
use crate::domain::builder::Part;
use crate::mm::guest_tables::{NestedFormat, Retention};
use crate::mm::guest_walk::{GuestView, GuestVirt};
use crate::mm::here::Here;
use crate::mm::mapcache::{self, Context};
use crate::mm::this_cpu::ThisCpu;
use crate::self_test::bench::Bench;
use crate::self_test::fabricated::{self, BASE, Fabricated, Wanted};
use crate::self_test::row::{Failure, Late, Outcome, Row, When, control, ensure};
use crate::self_test::rows::domains::{RETENTIONS, frame_of, load, with_open};
use crate::self_test::rows::mapcache::{enter, map};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::when(
        When::Sparse,
        "walks: four levels over four cost 20 maps by map cache, 4 resident or in a pool window",
        four,
    ),
    Row::when(
        When::Sparse,
        "walks: four levels over blocks cost 16 maps by map cache, 4 resident or in a pool window",
        blocks,
    ),
    Row::when(
        When::GuestAt,
        "walks: the processor's own walk maps nothing and leads where the software's does",
        by_processor,
    ),
];

/// Memory of the guest, in pages that are one run of its addresses.
const MEMORY: [Part; 1] = [Part::Heap { at: BASE, pages: 512 }];
/// The page of it that the guest maps, and its address for it.
const PAGE: u64 = 77;
const AT: VirtAddr = VirtAddr::new(0x1234_5678_9000);
const VALUE: u64 = 0x3a1c_0000_0000_0007;

/// The guest's memory as the guest numbers it.
struct GuestMemory<'d, F: 'static> {
    domain: &'d Fabricated<F>,
}

impl<F: NestedFormat> GuestMemory<'_, F> {
    fn word<R>(&self, page: Frame, work: impl FnOnce(&super::mapcache::Page) -> R) -> R {
        let frame = frame_of(self.domain, Ipa::new(page.address().get())).expect("the guest has this page");
        let view = enter(Context::Idle).expect("an idle context may map");
        work(&map(view, frame).expect("a walk holds one page"))
    }
}

impl<F: NestedFormat> TableAccess for GuestMemory<'_, F> {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        self.word(table, |page| Entry::new(page.load(index)))
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        self.word(table, |page| page.store(index, entry.get()));
    }
}

/// Its tables: pages of zeroes, one after the other.
struct GuestPool(u64);

impl TableSource for GuestPool {
    fn allocate(&mut self) -> Option<Frame> {
        self.0 += 1;
        Some(page_of_guest(self.0))
    }

    fn free(&mut self, _: Frame) {}
}

/// A page of the guest's, by its place in its memory.
fn page_of_guest(number: u64) -> Frame {
    Frame::containing(PhysAddr::new(BASE.get())).add(number)
}

/// The guest maps a page; where its tables begin.
fn guest_maps<F: NestedFormat>(domain: &Fabricated<F>) -> Result<Ipa, Failure> {
    let mut pool = GuestPool(0);
    let mut access = GuestMemory { domain };
    let root = pool.allocate().ok_or_else(|| Failure::new(format_args!("the guest has no page")))?;
    let attributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);
    let page = FrameRange::new(page_of_guest(PAGE), 1);
    Mapper::<HostFormat>::new(Root::new(root, Level::L0))
        .map(&mut access, &mut pool, AT, page, attributes)
        .map_err(|why| Failure::new(format_args!("the guest's tables: {why}")))?;
    access.word(page.first, |page| page.store(Index::new(1), VALUE));
    Ok(Ipa::new(root.address().get()))
}

fn maps() -> u64 {
    mapcache::here().figures().hits + mapcache::here().figures().misses
}

/// Maps of a walk, and of a walk and a copy of what it leads to.
fn costs<F: NestedFormat>(domain: &Fabricated<F>, wanted: &Wanted<'_>) -> Result<(u64, u64), Failure> {
    with_open(domain, wanted, || {
        let regime = GuestRegime::four_levels(guest_maps(domain)?);
        load(domain)?;
        let (machine, at) = (ThisCpu::new(), GuestVirt::new(AT.get() + size_of::<u64>() as u64));
        let mut view = enter(Context::Guest { vmid: domain.vmid })?;
        let here = Here::new(&machine, &mut view);
        domain.look(|space| {
            let guest = GuestView::new(&space.tables, &here);
            let start = maps();
            let walked = guest.walk(&regime, at).map_err(|why| Failure::new(format_args!("the walk: {why}")))?;
            let walk = maps() - start;
            let wanted = BASE.get() + PAGE * PAGE_BYTES + size_of::<u64>() as u64;
            ensure!(walked.at.get() == wanted, "the walk leads to {}, not {wanted:#x}", walked.at);
            let (start, mut word) = (maps(), [0; 8]);
            guest.copy_out(&regime, at, &mut word).map_err(|why| Failure::new(format_args!("the copy: {why}")))?;
            control!(u64::from_le_bytes(word) == VALUE, "the copy is {word:x?}");
            Ok((walk, maps() - start))
        })
    })
}

fn all<F: NestedFormat>(domain: &Fabricated<F>, largest_leaf: Level, by_cache: (u64, u64)) -> Outcome {
    for retention in RETENTIONS {
        let wanted = Wanted { retention, root_level: Level::L0, largest_leaf, memory: &MEMORY, images: &[] };
        let expected = match retention {
            Retention::MapCache => by_cache,
            Retention::Resident | Retention::PoolWindow => (4, 5),
        };
        let found = costs(domain, &wanted)?;
        ensure!(found == expected, "{retention:?}: {found:?} maps, not {expected:?}");
    }
    Ok(())
}

fn four(_bench: &mut Bench) -> Outcome {
    all(&fabricated::first(), Level::L3, (20, 25))?;
    all(&fabricated::second(), Level::L3, (20, 25))
}

fn blocks(_bench: &mut Bench) -> Outcome {
    all(&fabricated::first(), Level::L2, (16, 20))?;
    all(&fabricated::second(), Level::L2, (16, 20))
}

/// By AT on AArch64: an address that the guest has mapped, and the one behind it, which it has not.
fn by_processor(_bench: &mut Bench) -> Outcome {
    let walk = this::probe::GUEST_WALK.ok_or_else(|| Failure::new(format_args!("the processor has no such walk")))?;
    let domain = fabricated::first();
    let wanted = Wanted {
        retention: Retention::PoolWindow,
        root_level: Level::L1,
        largest_leaf: Level::L3,
        memory: &MEMORY,
        images: &[],
    };
    with_open(&domain, &wanted, || {
        let regime = GuestRegime::four_levels(guest_maps(&domain)?);
        load(&domain)?;
        let root = domain.root();
        let frame = frame_of(&domain, Ipa::new(page_of_guest(PAGE).address().get()))?;
        let at = AT.get() + size_of::<u64>() as u64;
        let start = maps();
        let found = walk(domain.vmid, root, &regime, GuestVirt::new(at));
        let behind = walk(domain.vmid, root, &regime, GuestVirt::new(at + PAGE_BYTES));
        let maps = maps() - start;
        ensure!(maps == 0, "the processor's walk takes {maps} maps");
        let wanted = PhysAddr::new(frame.address().get() + size_of::<u64>() as u64);
        ensure!(found == Some(wanted), "the processor finds {found:?}, the guest's page is at {wanted}");
        control!(behind.is_none(), "the processor finds {behind:?} where the guest has mapped nothing");
        Ok(())
    })
}
