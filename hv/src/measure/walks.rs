//! A guest's own translation, in software: what four levels over four cost by the way in which the domain's tables are
//! reached.
//!
//! The domain is made for it, loaded and never entered; its guest has a page for each table and one that they lead to.

use core::fmt;

use paging::{Frame, HostAccess, HostAttributes, Ipa, Level, Memory, PhysAddr, VirtAddr};

use super::FABRICATED;
use super::lap::measure_with;
use crate::arch::this::{GuestFormat, GuestRegime, HostFormat};
use crate::board::types::Images;
use crate::board::{DOMAIN_AREA, DOMAINS};
use crate::domain::builder::{self, DomainPlan, DomainSpace, Part, Tools};
use crate::domain::loaded;
use crate::mm::domain_area::{DomainId, DomainSlot};
use crate::mm::frames::Node;
use crate::mm::guest_tables::{GuestTables, Retention, TablesPlan};
use crate::mm::guest_walk::{GuestView, GuestVirt};
use crate::mm::here::Here;
use crate::mm::mapcache::{self, Context, OwnView};
use crate::mm::this_cpu::ThisCpu;
use crate::mm::{private, system};
use crate::sync::{self, PolledLock};

/// Where the guest's memory begins: its table of level 0, and behind it the others, in order.
const BASE: Ipa = Ipa::new(0x4000_0000);
/// Its tables, and the page that they lead to.
const PAGES: u64 = Level::ALL.len() as u64 + 1;
const MEMORY: [Part; 1] = [Part::Heap { at: BASE, pages: PAGES }];
/// What the guest calls that page.
const AT: VirtAddr = VirtAddr::new(0x1234_5678_9000);
/// Frames that the domain may have for its tables.
const TABLES_FRAMES: u64 = 32;
const VMID: u16 = DOMAINS.len() as u16 + 1;

type Tables = GuestTables<GuestFormat>;

static SPACE: PolledLock<Option<DomainSpace<GuestFormat>>> = PolledLock::new(None);
static SLOT: DomainSlot = DomainSlot::new(VMID);

/// In each way.
pub(super) fn operations() {
    for retention in [Retention::MapCache, Retention::Resident, Retention::PoolWindow] {
        make(retention);
        loaded::load(&SLOT).expect("it was just made");
        write_tables();
        walk(retention, "strict", Context::Idle);
        walk(retention, "retained", Context::Guest { vmid: VMID });
        loaded::unload();
        destroy();
    }
}

fn make(retention: Retention) {
    let plan = DomainPlan {
        id: DomainId { vmid: VMID, owner: FABRICATED, node: Node(0) },
        layout: DOMAIN_AREA,
        tables: TablesPlan { root_level: Level::L0, largest_leaf: Level::L3, retention, limit_frames: TABLES_FRAMES },
        vcpus: 1,
        memory: &MEMORY,
        images: &[],
        care: Images::Checked,
    };
    let made = system::with(|memory, here| {
        let mut scrub = private::scrub_window();
        let mut tools = Tools { heap: &mut memory.domain, vmap: &mut memory.vmap, scrub: &mut scrub };
        builder::build(here, &mut tools, &plan, &mut SPACE.lock(sync::wait))
    });
    SLOT.open(made.expect("a board has memory for a small domain").closed);
}

fn destroy() {
    let closed = SLOT.close().expect("no CPU has it loaded any more");
    system::with(|memory, here| {
        let mut scrub = private::scrub_window();
        let mut tools = Tools { heap: &mut memory.domain, vmap: &mut memory.vmap, scrub: &mut scrub };
        DomainSpace::destroy(here, &mut tools, &mut SPACE.lock(sync::wait), closed);
    });
}

/// With the domain's tables, and the calling CPU's cache in one context.
fn with<R>(context: Context, work: impl FnOnce(&Tables, &Here<'_, ThisCpu, OwnView>) -> R) -> R {
    let mut view = mapcache::here().enter(context).expect("the domain is loaded");
    let (machine, space) = (ThisCpu::new(), SPACE.lock(sync::wait));
    work(&space.as_ref().expect("it was made").tables, &Here::new(&machine, &mut view))
}

/// The guest's page of this number, as the guest numbers physical memory.
fn page(number: u64) -> Frame {
    Frame::containing(PhysAddr::new(BASE.get())).add(number)
}

/// The guest maps the last of its pages, one entry in each of its tables.
fn write_tables() {
    with(Context::Idle, |tables, here| {
        for (level, number) in Level::ALL.into_iter().zip(0..) {
            let entry = match level.child() {
                Some(_) => HostFormat::table(page(number + 1)),
                None => HostFormat::leaf(
                    level,
                    page(number + 1),
                    HostAttributes::new(HostAccess::ReadWrite, Memory::Normal),
                ),
            };
            let leaf = tables.translate(here, Ipa::new(page(number).address().get()));
            let table = leaf.expect("the guest has this page, by itself").frame;
            let table = here.reach.map(table).expect("nobody else uses the cache");
            table.store(AT.index(level), entry.get());
        }
    });
}

/// One that has just been walked, so that whatever is retained is there.
fn walk(retention: Retention, how: &str, context: Context) {
    let regime = GuestRegime::four_levels(BASE);
    with(context, |tables, here| {
        let guest = GuestView::new(tables, here);
        let walked = |at| guest.walk(&regime, at).expect("the guest has mapped it");
        let at = GuestVirt::new(AT.get());
        assert!(walked(at).at.get() == page(PAGES - 1).address().get(), "the walk leads to the last page");
        measure_with(
            format_args!("walk of four levels, the domain's tables {}, {how}", Reached(retention)),
            at,
            walked,
        );
    });
}

/// How tables are reached, in words.
struct Reached(Retention);

impl fmt::Display for Reached {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            Retention::MapCache => "by map cache",
            Retention::Resident => "resident",
            Retention::PoolWindow => "in a pool window",
        })
    }
}
