//! Guests' tables in each format and each retention, on the simulated machine.

mod edits;
mod pool;
mod random;

use paging::{Frame, FrameRange, GuestAccess, GuestAttributes, Ipa, Level, Memory};

use super::{GuestTables, NestedFormat, Retention, Stores, TablesPlan};
use crate::mm::checker::Verdict;
use crate::mm::domain_area::DomainSlot;
use crate::mm::guest_rig::{ID, OneCpu, Rig, with, with_area};
use crate::sim::guest::Running;
use crate::sim::{Cpu, Fault, HostFormat};

const ALL: [Retention; 3] = [Retention::MapCache, Retention::Resident, Retention::PoolWindow];
const RAM: GuestAttributes = GuestAttributes::new(GuestAccess::ReadWriteExecute, Memory::Normal);
const BLOCK: u64 = Level::L2.entry_frames();

/// Tables with a root at level 0, in chunks of one frame.
const PLAN: TablesPlan =
    TablesPlan { root_level: Level::L0, largest_leaf: Level::L1, retention: Retention::PoolWindow, limit_frames: 24 };

/// A guest's address, by page.
fn page(number: u64) -> Ipa {
    Ipa::new(number * paging::PAGE_BYTES)
}

/// Frames that only stand for memory, far above RAM: tables lead there, nobody reads them.
fn frames(first: u64, frames: u64) -> FrameRange {
    const FAR: u64 = 1 << 30;
    FrameRange::new(Frame::new(FAR + first), frames)
}

/// A guest's tables on a machine.
struct Bench<'b, 'r, 's, F: HostFormat, G> {
    rig: &'b Rig<'s, F>,
    slot: &'b DomainSlot,
    stores: &'b mut Stores<'r>,
    tables: GuestTables<G>,
}

impl<'s, F: HostFormat, G: NestedFormat> Bench<'_, '_, 's, F, G> {
    fn cpu(&self, number: usize) -> &OneCpu<'s, F> {
        &self.rig.cpus[number]
    }

    fn map(&mut self, at: u64, to: FrameRange) -> Result<(), super::TablesError<G>> {
        let Self { rig, stores, tables, .. } = self;
        rig.cpus[0].idle(|here| tables.map(here, stores, page(at), to, RAM))
    }

    /// Unmaps, and returns how many frames went.
    fn unmap(&mut self, at: u64, pages: u64) -> Result<u64, super::TablesError<G>> {
        let Self { rig, stores, tables, .. } = self;
        let mut gone = 0;
        let count = |leaf: paging::Leaf<G>| gone += leaf.level.entry_frames();
        rig.cpus[0].idle(|here| tables.unmap(here, stores, page(at), pages, count)).map(|()| gone)
    }

    /// Where the tables say that a page is.
    fn translate(&self, at: u64) -> Option<Frame> {
        let leaf = self.cpu(0).idle(|here| self.tables.translate(here, page(at)))?;
        Some(leaf.frame.add(at % leaf.level.entry_frames()))
    }

    /// Where the guest, on a CPU, finds a page.
    fn guest(&self, cpu: usize, at: u64) -> Result<Frame, Fault> {
        let guest = Running { cpu: self.cpu(cpu).cpu.cpu_index(), vmid: ID.vmid, root: self.tables.root() };
        self.rig.sim.guest_translate::<G>(&guest, page(at)).map(Frame::containing)
    }

    fn assert_right(&self) {
        let checker = self.rig.sim.watch.checker();
        assert_eq!((checker.violations(), checker.lost()), (0, 0));
    }
}

/// Makes tables, runs `test`, and destroys them: every frame is back.
fn bench<F: HostFormat, G: NestedFormat>(seed: u64, plan: TablesPlan, test: impl FnOnce(&mut Bench<'_, '_, '_, F, G>)) {
    with::<F, _>(seed, Verdict::Stop, |rig, system| {
        with_area(rig, system, ID, |slot, stores| {
            let baseline = (stores.heap.counts(), stores.vmap.live_pages());
            let tables = rig.cpus[0].idle(|here| GuestTables::<G>::new(here, stores, ID, plan)).expect("plenty");
            let mut bench = Bench { rig, slot, stores, tables };
            test(&mut bench);
            let Bench { mut tables, stores, .. } = bench;
            rig.cpus[1].idle(|here| tables.destroy(here, stores, |_, _, _| ()));
            assert_eq!((stores.heap.counts(), stores.vmap.live_pages()), baseline);
            assert_eq!(rig.sim.watch.checker().zapped(), 0);
        });
    });
}

/// Runs a test for every format, each on the machine that has it.
macro_rules! in_every_format {
    ($test:ident($($argument:expr),*)) => {{
        $test::<El2, Stage2>($($argument),*);
        $test::<LongMode, Npt>($($argument),*);
        $test::<LongMode, Ept>($($argument),*);
    }};
}
use in_every_format;

/// A CPU as tests name it.
trait Named {
    fn cpu_index(&self) -> crate::cpu::CpuIndex;
}

impl<F: HostFormat> Named for Cpu<'_, F> {
    fn cpu_index(&self) -> crate::cpu::CpuIndex {
        crate::machine::Machine::cpu(self)
    }
}
