//! For tests: the simulated machine with its memory system up, and on each CPU a map cache, a scrub window, a domain slot.
//!
//! Holds no domain: tests make their own.

use std::vec::Vec;

use paging::{Frame, FrameRange, Index, Level, TableAccess, VirtAddr};

use crate::machine::Machine;
use crate::mm::checker::Verdict;
use crate::mm::domain_area::{AreaLayout, DomainArea, DomainId, DomainSlot, Loaded, RootEntry, SlotClosed, switch};
use crate::mm::frames::{Node, Owner};
use crate::mm::guest_tables::Stores;
use crate::mm::heap::{Leaves, Policy};
use crate::mm::here::{Here, bytes};
use crate::mm::mapcache::{Area, Context, Exhaustion, MapCache, Retention, View};
use crate::mm::rig::{BLOCK, Choice, Direct, GIB, System, bank, boot};
use crate::mm::scrub::ScrubWindow;
use crate::sim::{Cpu, HostFormat, Setup, Sim};

/// Slots of each map cache: a walk's levels and one more.
pub(crate) const SLOTS: usize = 5;
pub(crate) const CPUS: usize = 2;
/// Blocks of RAM, the last of which the plan has set aside.
pub(crate) const BLOCKS: u64 = 8;
/// What the plan has set aside: nobody's heap has it.
pub(crate) const ASIDE: FrameRange = FrameRange::new(Frame::new(GIB + (BLOCKS - 1) * BLOCK), BLOCK);
/// Slot 0 of each map cache.
const CACHE: VirtAddr = VirtAddr::new(0x7f80_0000_9000);
/// Each scrub window: beside the block in which the cache is.
pub(crate) const SCRUB: VirtAddr = VirtAddr::new(0x7f80_0020_0000);
const NO_WINDOW: Choice = Choice { policy: Policy::None, leaves: Leaves::Pages };

/// The domain that most tests make.
pub(crate) const ID: DomainId = DomainId { vmid: 7, owner: Owner::domain(3), node: Node(0) };
/// Another one.
pub(crate) const OTHER: DomainId = DomainId { vmid: 8, owner: Owner::domain(4), node: Node(0) };

pub(crate) type OnCpu<'a, 'h, 'c, M> = &'a mut Here<'h, M, View<'c, M, SLOTS>>;

/// Where the domain slot is: in the upper half, where there is one.
pub(crate) fn layout<F: HostFormat>() -> AreaLayout {
    let slot = F::input(509 * Level::L0.entry_bytes());
    let inside = |gibs: u64| bytes(slot, gibs * Level::L1.entry_bytes());
    AreaLayout { slot, pool: inside(0), vcpus: inside(1), vcpu_pages: 4 }
}

/// One CPU.
pub(crate) struct OneCpu<'s, F: HostFormat> {
    pub(crate) cpu: Cpu<'s, F>,
    pub(crate) cache: MapCache<'s, Cpu<'s, F>, SLOTS>,
    pub(crate) root: RootEntry<'s>,
    pub(crate) leaves: Area<'s>,
    scrub: Area<'s>,
}

impl<'s, F: HostFormat> OneCpu<'s, F> {
    fn new(sim: &'s Sim<F>, number: usize) -> Self {
        let cpu = sim.cpu(number);
        let table = |frame, base| Area { table: sim.table(frame), frame, base };
        let leaves = table(sim.private_leaves(cpu.cpu(), CACHE), CACHE);
        let root = sim.root(cpu.cpu()).expect("it has private leaves, so it has a root");
        let below = |above: Frame, level| match F::decode(level, Direct(sim).read(above, SCRUB.index(level))) {
            paging::Decoded::Table(next) => next,
            other => panic!("{other:?} where a table was made"),
        };
        let scrub = table(below(below(root, Level::L0), Level::L1), SCRUB);
        let cache = MapCache::new(cpu.clone(), leaves, Retention::Lazy, Exhaustion::Stop);
        let root = RootEntry { root: sim.table(root), frame: root, at: layout::<F>().slot };
        Self { cpu, cache, root, leaves, scrub }
    }

    /// Runs `work` here, on behalf of nobody.
    pub(crate) fn idle<R>(&self, work: impl FnOnce(OnCpu<'_, '_, '_, Cpu<'s, F>>) -> R) -> R {
        self.within(Context::Idle, work)
    }

    pub(crate) fn within<R>(&self, context: Context, work: impl FnOnce(OnCpu<'_, '_, '_, Cpu<'s, F>>) -> R) -> R {
        let mut view = self.cache.enter(context).expect("the test has loaded the domain");
        work(&mut Here::new(&self.cpu, &mut view))
    }

    /// Its scrub window.
    pub(crate) fn scrub_window(&self) -> ScrubWindow<'s> {
        ScrubWindow::new(self.scrub)
    }

    /// Maps of its cache so far.
    pub(crate) fn maps(&self) -> u64 {
        self.cache.figures().hits + self.cache.figures().misses
    }

    /// Loads a domain, or none, instead of `loaded`.
    pub(crate) fn switch<'d>(
        &self,
        loaded: Option<Loaded<'_>>,
        to: Option<&'d DomainSlot>,
    ) -> Result<Option<Loaded<'d>>, SlotClosed> {
        switch(&self.cpu, &self.cache, &self.root, loaded, to)
    }
}

/// The machine.
pub(crate) struct Rig<'s, F: HostFormat> {
    pub(crate) sim: &'s Sim<F>,
    pub(crate) cpus: Vec<OneCpu<'s, F>>,
}

/// A machine, and what `test` says of it.
pub(crate) fn with<F: HostFormat, R>(
    seed: u64,
    verdict: Verdict,
    test: impl FnOnce(&Rig<'_, F>, &mut System) -> R,
) -> R {
    let ram = FrameRange::new(Frame::new(GIB), BLOCKS * BLOCK);
    let sim = Sim::<F>::new(Setup { ram, cpus: CPUS, seed, verdict, ..Setup::SMALL });
    let cpus: Vec<_> = (0..CPUS).map(|number| OneCpu::new(&sim, number)).collect();
    let reserved = FrameRange::between(ram.first, sim.free_ram().first);
    let mut system = {
        let mut reach = Direct(&sim);
        let mut here = Here::new(&cpus[0].cpu, &mut reach);
        boot(&mut here, cpus[0].root.frame, &[bank(GIB, ram.frames)], &[reserved, ASIDE], NO_WINDOW)
            .expect("RAM is enough")
    };
    let private = CACHE.index(Level::L0);
    for (other, index) in cpus[1..].iter().flat_map(|cpu| Index::all().map(move |index| (cpu, index))) {
        if index != private {
            other.root.root.store(index, cpus[0].root.root.load(index));
        }
    }
    let rig = Rig { sim: &sim, cpus };
    let result = test(&rig, &mut system);
    for cpu in &rig.cpus {
        assert_eq!(cpu.cache.figures().live, 0, "every guard is gone");
    }
    result
}

/// Makes a domain's area, and then what `test` makes of it; the area ends, and every frame is back.
pub(crate) fn with_area<F: HostFormat, R>(
    rig: &Rig<'_, F>,
    system: &mut System,
    id: DomainId,
    test: impl FnOnce(&DomainSlot, &mut Stores<'_>) -> R,
) -> R {
    let baseline = system.domain.counts();
    let made = rig.cpus[0].idle(|here| DomainArea::new(here, &mut system.domain, id, layout::<F>()));
    let (closed, mut area) = made.expect("there is plenty");
    let slot = DomainSlot::new(id.vmid);
    slot.open(closed);
    let mut parts = Stores { heap: &mut system.domain, vmap: &mut system.vmap, area: &mut area };
    let result = test(&slot, &mut parts);
    let closed = slot.close().expect("the test has unloaded it");
    rig.cpus[0].idle(|here| area.destroy(here, &mut system.domain, closed));
    assert_eq!(system.domain.counts(), baseline);
    result
}
