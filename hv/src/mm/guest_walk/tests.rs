//! Walks of guests' tables on the simulated machine: what they cost, what they find, what hostile tables do to them.

mod costs;
mod formats;
mod oracle;

use paging::{
    Entry, Frame, FrameRange, GuestAccess, GuestAttributes, Index, Ipa, Level, Memory, TableAccess, TableSource,
};

use super::{El1, GuestLongMode, GuestView, NoExecute};
use crate::mm::checker::Verdict;
use crate::mm::frames::{Node, Order};
use crate::mm::guest_rig::{ID, Rig, SLOTS, with, with_area};
use crate::mm::guest_tables::{GuestTables, NestedFormat, Retention, Stores, TablesPlan};
use crate::mm::mapcache::Context;
use crate::sim::{Cpu, HostFormat, Memory as Ram, Sim};

const GUEST: Context = Context::Guest { vmid: ID.vmid };
/// Pages of a guest's memory, from 0 on.
const PAGES: u64 = Order::BLOCK.frames();
/// Where its tables begin, by page.
const ROOT: u64 = 3;

/// A guest with memory, loaded on CPU 0.
struct Guest<'b, 's, F: HostFormat, G> {
    rig: &'b Rig<'s, F>,
    tables: &'b GuestTables<G>,
    memory: GuestMemory<'s, F>,
}

impl<'s, F: HostFormat, G: NestedFormat> Guest<'_, 's, F, G> {
    fn view<R>(&self, look: impl FnOnce(&GuestView<'_, '_, '_, G, Cpu<'s, F>, SLOTS>) -> R) -> R {
        self.rig.cpus[0].within(GUEST, |here| look(&GuestView::new(self.tables, here)))
    }
}

/// A guest's memory as the guest writes it: page `n` is frame `n` behind the first.
#[derive(Clone, Copy)]
struct GuestMemory<'s, F: HostFormat> {
    sim: &'s Sim<F>,
    first: Frame,
    /// Pages handed out as tables.
    used: u64,
}

impl<F: HostFormat> GuestMemory<'_, F> {
    fn frame(&self, page: Frame) -> Frame {
        assert!(page.number() < PAGES, "the guest has this page");
        self.first.add(page.number())
    }
}

impl<F: HostFormat> TableAccess for GuestMemory<'_, F> {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        Entry::new(self.sim.memory.load(self.frame(table), index).expect("it is RAM"))
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        self.sim.memory.store(self.frame(table), index, entry.get()).expect("it is RAM");
    }
}

/// Tables in the guest's first pages.
struct GuestPool<'s, F: HostFormat>(GuestMemory<'s, F>);

impl<F: HostFormat> TableSource for GuestPool<'_, F> {
    fn allocate(&mut self) -> Option<Frame> {
        let page = Frame::new(ROOT + self.0.used);
        self.0.used += 1;
        let all = page.number() < PAGES;
        all.then(|| {
            Index::all().for_each(|index| self.0.write(page, index, Entry::INVALID));
            page
        })
    }

    fn free(&mut self, _: Frame) {}
}

/// Makes a guest of [`PAGES`] pages, each of its own leaf or all of one block.
fn guest<F: HostFormat, G: NestedFormat>(seed: u64, plan: TablesPlan, test: impl FnOnce(&Guest<'_, '_, F, G>)) {
    with::<F, _>(seed, Verdict::Stop, |rig, system| {
        with_area(rig, system, ID, |slot, stores: &mut Stores<'_>| {
            let first = rig.cpus[0].idle(|here| stores.heap.allocate(here, Order::BLOCK, ID.owner, Node(0)));
            let first = first.expect("there is plenty");
            let mut tables = rig.cpus[0].idle(|here| {
                let mut tables = GuestTables::<G>::new(here, stores, ID, plan).expect("there is plenty");
                let attributes = GuestAttributes::new(GuestAccess::ReadWriteExecute, Memory::Normal);
                let all = FrameRange::new(first, PAGES);
                assert_eq!(tables.map(here, stores, Ipa::new(0), all, attributes), Ok(()));
                tables
            });
            let loaded = rig.cpus[0].switch(None, Some(slot)).expect("open");
            test(&Guest { rig, tables: &tables, memory: GuestMemory { sim: rig.sim, first, used: 0 } });
            assert!(rig.cpus[0].switch(loaded, None).is_ok());
            rig.cpus[0].idle(|here| {
                tables.destroy(here, stores, |here, heap, frames| {
                    here.released(frames);
                    if frames.first == first {
                        assert_eq!(heap.free(here, first, Order::BLOCK, ID.owner), Ok(()));
                    }
                });
            });
        });
    });
}

/// Every page has a leaf of its own, as many levels as there are.
const BY_PAGE: TablesPlan =
    TablesPlan { root_level: Level::L0, largest_leaf: Level::L3, retention: Retention::PoolWindow, limit_frames: 8 };

/// 48 bits below, 48 above, 4 KiB granule, 48-bit intermediate addresses; both roots in the guest's first table.
/// TCR_EL1: T0SZ and T1SZ = 16, TG1 = 0b10, IPS = 0b101.
const EL1: El1 = El1 {
    tcr: 16 | 16 << 16 | 0b10 << 30 | 0b101 << 32,
    ttbr0: ROOT * paging::PAGE_BYTES,
    ttbr1: ROOT * paging::PAGE_BYTES,
};

const LONG_MODE: GuestLongMode =
    GuestLongMode { cr3: ROOT * paging::PAGE_BYTES, no_execute: NoExecute::Enabled, physical_bits: 48 };

/// What a word of the guest's holds that nobody has written.
fn canary<F: HostFormat>(memory: &GuestMemory<'_, F>, page: u64, index: usize) -> u64 {
    Ram::canary(memory.first.add(page), Index::new(index))
}
