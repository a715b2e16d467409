//! The whole memory system, what it was asked for, and what must hold at any time.
//!
//! Every operation runs on the CPU it is asked of, through that CPU's map cache. One CPU is not asked for anything: it
//! uses heap pages beside the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use paging::{
    El2, Frame, FrameRange, GuestAccess, GuestAttributes, Index, Ipa, Level, Mapper, Memory, PAGE_BYTES, Root,
};
use paging::{Removed, Stage2, TableSource, VirtAddr};

use crate::machine::Machine;
use crate::mm::buddy::Counts;
use crate::mm::entry::tables::{Regime, Watched};
use crate::mm::entry::{Event, Scope, SeenBy, Writer};
use crate::mm::frames::{Node, Order, Owner, READ_WRITE};
use crate::mm::heap::{HeapPages, Leaves, Policy};
use crate::mm::here::{Here, bytes};
use crate::mm::mapcache::{Context, Mapped, Owner as Loaded, Retention, View};
use crate::mm::rig::whole::{CACHE, Cache, Driver, SLOTS, driver};
use crate::mm::rig::{Choice, Loses, System};
use crate::mm::vmap::Mapping;
use crate::sim::Sim;

/// CPUs that are asked, and one that uses pages beside them.
pub(super) const DRIVEN: usize = 2;
pub(super) const CPUS: usize = DRIVEN + 1;
pub(super) const DOMAINS: usize = 2;
const ANY: Node = Node(0);
/// Guards that a CPU holds at most, so that slots are left for tables.
const GUARDS_MAX: usize = 4;

type Sight<'c, 's> = View<'c, Driver<'s>, SLOTS>;
/// Pages of the heap and what is in their first words.
type Beside = Arc<Mutex<Vec<(VirtAddr, u64)>>>;

/// A guest's page: where the guest has it.
#[derive(Clone, Copy)]
struct Granted {
    frame: Frame,
    at: Ipa,
    value: u64,
}

/// A domain: its stage 2 and its pages.
struct Domain {
    root: Root,
    granted: Vec<Granted>,
    next: u64,
}

/// See the file.
pub(super) struct World<'c, 's> {
    sim: &'s Sim<El2>,
    caches: &'c [Cache<'s>],
    pub(super) system: System,
    loses: Loses,
    choice: Choice,
    retention: Retention,
    heap: Vec<HeapPages>,
    runs: Vec<(Mapping, Order)>,
    domains: Vec<Domain>,
    guards: [Vec<(Frame, Mapped<'c, Driver<'s>, SLOTS>)>; DRIVEN],
    beside: Beside,
    values: u64,
    before: Counts,
}

/// Stage 2's tables are the domain's own frames.
struct Source<'x, 'c, 's, 'm> {
    here: Here<'m, Driver<'s>, Sight<'c, 's>>,
    system: &'x mut System,
    owner: Owner,
    freed: Vec<Frame>,
}

impl TableSource for Source<'_, '_, '_, '_> {
    fn allocate(&mut self) -> Option<Frame> {
        let frame = self.system.domain.allocate(&mut self.here, Order::FRAME, self.owner, ANY).ok()?;
        self.here.reach.map(frame).expect("a slot is left").zero();
        Some(frame)
    }

    /// Not free before it is invalidated.
    fn free(&mut self, table: Frame) {
        self.freed.push(table);
    }
}

fn vmid(domain: usize) -> u16 {
    domain as u16 + 1
}

fn guest() -> GuestAttributes {
    GuestAttributes::new(GuestAccess::ReadWriteExecute, Memory::Normal)
}

impl<'c, 's> World<'c, 's> {
    pub(super) fn new(
        sim: &'s Sim<El2>,
        caches: &'c [Cache<'s>],
        system: System,
        choice: Choice,
        retention: Retention,
        loses: Loses,
    ) -> Self {
        let beside = Beside::default();
        let shared = Arc::clone(&beside);
        let mut next = 0_usize;
        sim.run_beside(DRIVEN, move |cpu| {
            let pages = shared.lock().expect("no step panics before");
            next += 1;
            if let Some((at, value)) = next.checked_rem(pages.len()).map(|number| pages[number]) {
                assert_eq!(cpu.try_load(at), Ok(value), "a heap page, used beside");
                assert_eq!(cpu.try_store(bytes(at, 8), value), Ok(()));
            }
        });
        let before = system.domain.counts();
        let (heap, runs, domains, guards) = (Vec::new(), Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        let mut world = Self {
            sim,
            caches,
            system,
            loses,
            choice,
            retention,
            heap,
            runs,
            domains,
            guards,
            beside,
            values: 0,
            before,
        };
        for domain in 0..DOMAINS {
            let root = world.on(0, |here, system| {
                let root = system.domain.allocate(here, Order::FRAME, Owner::domain(domain), ANY).expect("plenty");
                here.reach.map(root).expect("a slot is left").zero();
                Root::new(root, Level::L0)
            });
            world.domains.push(Domain { root, granted: Vec::new(), next: 0 });
        }
        world
    }

    /// Runs something on a CPU, by its map cache.
    fn on<R>(
        &mut self,
        cpu: usize,
        body: impl FnOnce(&mut Here<'_, Driver<'s>, Sight<'c, 's>>, &mut System) -> R,
    ) -> R {
        let machine = driver(self.sim, cpu, self.loses);
        let mut view = self.caches[cpu].enter(Context::Idle).expect("idle may always map");
        body(&mut Here::new(&machine, &mut view), &mut self.system)
    }

    fn value(&mut self) -> u64 {
        self.values += 1;
        0xda7a_0000_0000 | self.values
    }

    fn everywhere(&self, at: VirtAddr, value: u64) {
        for cpu in 0..CPUS {
            assert_eq!(self.sim.cpu(cpu).try_load(at), Ok(value), "{at} on CPU {cpu}");
        }
    }

    fn nowhere(&self, at: VirtAddr, pages: u64) {
        for at in (0..pages.min(20)).map(|page| bytes(at, page * PAGE_BYTES)) {
            for cpu in 0..CPUS {
                assert_eq!(self.sim.cpu(cpu).translations(at), [], "{at} on CPU {cpu} after it was unmapped");
            }
        }
    }

    pub(super) fn allocate(&mut self, cpu: usize, order: Order) {
        let pages = self.on(cpu, |here, system| system.heap.allocate(here, &mut system.domain, order, ANY));
        let Ok(pages) = pages else { return };
        let value = self.value();
        driver(self.sim, cpu, self.loses).store(pages.at(), value);
        self.everywhere(pages.at(), value);
        self.beside.lock().expect("no step panics before").push((pages.at(), value));
        self.heap.push(pages);
    }

    pub(super) fn free(&mut self, cpu: usize, which: usize) {
        let Some(which) = which.checked_rem(self.heap.len()) else { return };
        let pages = self.heap.swap_remove(which);
        let (at, count) = (pages.at(), pages.frames().frames);
        self.beside.lock().expect("no step panics before").retain(|(page, _)| *page != at);
        let freed = self.on(cpu, |here, system| system.heap.free(here, &mut system.domain, pages));
        assert_eq!(freed, Ok(()));
        if self.choice.policy != Policy::Full && self.choice.leaves == Leaves::Pages {
            self.nowhere(at, count);
        }
    }

    /// Maps a chunk of the domain heap for everybody.
    pub(super) fn map_run(&mut self, cpu: usize, order: Order) {
        let mapping = self.on(cpu, |here, system| {
            let first = system.domain.allocate(here, order, Owner::HYPERVISOR, ANY).ok()?;
            let frames = FrameRange::new(first, order.frames());
            let mapped = system.vmap.map(here, &mut system.domain, frames, READ_WRITE);
            Some(mapped.expect("the window is large, and so is the machine"))
        });
        let Some(mapping) = mapping else { return };
        let last = bytes(mapping.at(), (order.frames() - 1) * PAGE_BYTES);
        for at in [mapping.at(), last] {
            let value = self.value();
            driver(self.sim, cpu, self.loses).store(at, value);
            self.everywhere(at, value);
        }
        self.runs.push((mapping, order));
    }

    pub(super) fn unmap_run(&mut self, cpu: usize, which: usize) {
        let Some(which) = which.checked_rem(self.runs.len()) else { return };
        let (mapping, order) = self.runs.swap_remove(which);
        let at = mapping.at();
        self.on(cpu, |here, system| {
            let frames = system.vmap.unmap(here, &mut system.domain, mapping).expect("it is mapped as it was");
            Writer::new(here.machine, "test").tell(Event::Free(frames));
            assert_eq!(system.domain.free(here, frames.first, order, Owner::HYPERVISOR), Ok(()));
        });
        self.nowhere(at, order.frames());
    }

    /// Gives a scrubbed page to a domain, whose stage 2 may need tables.
    pub(super) fn grant(&mut self, cpu: usize, domain: usize) {
        let (root, number) = (self.domains[domain].root, self.domains[domain].next);
        // Far apart now and then, so that tables come and go.
        let at = Ipa::new(0x4000_0000 + number * if number.is_multiple_of(3) { 1 << 30 } else { PAGE_BYTES });
        let owner = Owner::domain(domain);
        let frame = self.on(cpu, |here, system| {
            let frame = system.domain.allocate(here, Order::FRAME, owner, ANY).ok()?;
            let page = here.reach.map(frame).expect("a slot is left");
            page.zero();
            page.clean();
            drop(page);
            let (machine, view) = (here.machine, *here.reach);
            let mut second = view;
            let source_here = Here::new(machine, &mut second);
            let mut source = Source { here: source_here, system, owner, freed: Vec::new() };
            let mut access = watched(machine, view, root, domain);
            let mapped =
                Mapper::<Stage2>::new(root).map(&mut access, &mut source, at, FrameRange::new(frame, 1), guest());
            assert_eq!(mapped, Ok(()));
            Some(frame)
        });
        let Some(frame) = frame else { return };
        for index in Index::all() {
            let at = frame.address().checked_add(index.get() as u64 * 8).expect("RAM has addresses");
            let seen = self.sim.memory.load_uncached(at);
            assert_eq!(seen, Some(0), "word {} of {frame}, past the caches", index.get());
        }
        let domain = &mut self.domains[domain];
        domain.granted.push(Granted { frame, at, value: 0 });
        domain.next += 1;
    }

    /// Takes a page back from a domain.
    pub(super) fn revoke(&mut self, cpu: usize, domain: usize, which: usize) {
        let Some(which) = which.checked_rem(self.domains[domain].granted.len()) else { return };
        let Granted { frame, at, .. } = self.domains[domain].granted.swap_remove(which);
        // Nobody may hold it, and no cache may keep it: it is somebody else's next.
        self.guards.iter_mut().for_each(|guards| guards.retain(|(held, _)| *held != frame));
        for cache in self.caches.iter().take(DRIVEN).filter(|cache| cache.loaded() == Loaded::Domain(vmid(domain))) {
            let held = self.guards.iter_mut();
            held.for_each(Vec::clear);
            cache.switch(Loaded::Nobody, || Ok::<(), ()>(())).expect("nothing fails in between");
        }
        let (root, owner) = (self.domains[domain].root, Owner::domain(domain));
        self.on(cpu, |here, system| {
            let (machine, view) = (here.machine, *here.reach);
            let mut second = view;
            let mut source = Source { here: Here::new(machine, &mut second), system, owner, freed: Vec::new() };
            let mut access = watched(machine, view, root, domain);
            let ignore = |_: Removed<Stage2>| ();
            assert_eq!(Mapper::<Stage2>::new(root).unmap(&mut access, &mut source, at, 1, ignore), Ok(()));
            let freed = source.freed;
            let writer = Writer::new(machine, "test");
            writer.tell(Event::Flush { scope: Scope::Guest { vmid: vmid(domain) }, on: SeenBy::All });
            for frame in freed.into_iter().chain([frame]) {
                writer.tell(Event::Free(FrameRange::new(frame, 1)));
                assert_eq!(system.domain.free(here, frame, Order::FRAME, owner), Ok(()));
            }
        });
    }

    /// Loads a domain on a CPU.
    pub(super) fn switch(&mut self, cpu: usize, to: Option<usize>) {
        self.guards[cpu].clear();
        let to = to.map_or(Loaded::Nobody, |domain| Loaded::Domain(vmid(domain)));
        self.caches[cpu].switch(to, || Ok::<(), ()>(())).expect("nothing fails in between");
        assert_eq!(self.in_sight(cpu), BTreeSet::new(), "nothing outlives a switch");
    }

    /// Maps, reads and writes a page of the loaded domain; keeps it mapped for a while.
    pub(super) fn touch(&mut self, cpu: usize, which: usize) {
        let cache = &self.caches[cpu];
        let Loaded::Domain(loaded) = cache.loaded() else { return };
        let value = self.value();
        let granted = &mut self.domains[usize::from(loaded) - 1].granted;
        let Some(which) = which.checked_rem(granted.len()) else { return };
        let page = &mut granted[which];
        let view = cache.enter(Context::Guest { vmid: loaded }).expect("it is loaded");
        let guard = view.map(page.frame).expect("a slot is left");
        assert_eq!(guard.load(Index::new(9)), page.value, "what the guest had there");
        guard.store(Index::new(9), value);
        page.value = value;
        let guards = &mut self.guards[cpu];
        guards.push((page.frame, guard));
        if guards.len() > GUARDS_MAX {
            drop(guards.swap_remove(which % GUARDS_MAX));
        }
    }

    /// Frames that an access to a CPU's slots may reach.
    fn in_sight(&self, cpu: usize) -> BTreeSet<Frame> {
        let slots = (0..SLOTS as u64).map(|slot| bytes(CACHE, slot * PAGE_BYTES));
        slots.flat_map(|at| self.sim.cpu(cpu).translations(at)).map(Frame::containing).collect()
    }

    /// What must hold after every step.
    pub(super) fn check(&self) {
        for cpu in 0..DRIVEN {
            let held: BTreeSet<Frame> = self.guards[cpu].iter().map(|(frame, _)| *frame).collect();
            let kept = match (self.retention, self.caches[cpu].loaded()) {
                (Retention::Lazy, Loaded::Domain(loaded)) => &self.domains[usize::from(loaded) - 1].granted[..],
                (Retention::Strict, _) | (Retention::Lazy, Loaded::Nobody) => &[],
            };
            let allowed: BTreeSet<Frame> = held.iter().copied().chain(kept.iter().map(|page| page.frame)).collect();
            let seen = self.in_sight(cpu);
            assert!(seen.is_subset(&allowed), "CPU {cpu} sees {seen:?}, may see {allowed:?}");
            assert!(held.is_subset(&seen), "held but not mapped");
        }
        assert_eq!(self.in_sight(DRIVEN), BTreeSet::new(), "a CPU that maps nothing sees nothing");
    }

    /// Gives everything back.
    pub(super) fn end(mut self) {
        (0..DRIVEN).for_each(|cpu| self.switch(cpu, None));
        while !self.heap.is_empty() {
            self.free(0, 0);
        }
        while !self.runs.is_empty() {
            self.unmap_run(1, 0);
        }
        for domain in 0..DOMAINS {
            while !self.domains[domain].granted.is_empty() {
                self.revoke(domain % DRIVEN, domain, 0);
            }
            let root = self.domains[domain].root.frame;
            self.on(0, |here, system| {
                assert_eq!(system.domain.free(here, root, Order::FRAME, Owner::domain(domain)), Ok(()));
            });
        }
        let (before, after) = (self.before, self.system.domain.counts());
        let grown = after.tables - before.tables;
        assert_eq!(Counts { free: after.free + grown, tables: before.tables, ..after }, before, "words of slots stay");
        let checker = self.sim.watch.checker();
        assert_eq!((checker.violations(), checker.zapped(), checker.lost()), (0, 0, 0));
    }

    /// What heap pages hold, by address.
    pub(super) fn check_heap(&self) {
        let values: BTreeMap<VirtAddr, u64> =
            self.beside.lock().expect("no step panics before").iter().copied().collect();
        values.into_iter().for_each(|(at, value)| self.everywhere(at, value));
    }
}

fn watched<'m, 'c, 's>(
    machine: &'m Driver<'s>,
    view: Sight<'c, 's>,
    root: Root,
    domain: usize,
) -> Watched<'m, Driver<'s>, Stage2, Sight<'c, 's>> {
    Watched::new(Writer::new(machine, "stage 2"), view, root, Regime::Guest { vmid: vmid(domain) }, SeenBy::All)
}
