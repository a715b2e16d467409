//! The whole memory system on the simulated machine, brought up as boot does: tables through PMAP until it retires, a
//! map cache on each CPU from then on.
//!
//! Every CPU may lose what [`Loses`] says, from the end of boot on.

use std::vec::Vec;

use paging::{El2, Frame, FrameRange, Index, Level, TableAccess, VirtAddr};

use super::{BLOCK, Choice, Direct, Faulty, GIB, Loses, System, bank, boot_in};
use crate::cpu::CpuIndex;
use crate::machine::Machine;
use crate::mm::here::Here;
use crate::mm::leaves::{Leaves, Run};
use crate::mm::mapcache::{Area, Exhaustion, MapCache, Retention};
use crate::mm::pmap::{Pmap, Retired};
use crate::mm::space::Space;
use crate::sim::{Cpu, Setup, Sim};

/// Slots of each CPU's cache.
pub(crate) const SLOTS: usize = 8;
/// Where they are.
pub(crate) const CACHE: VirtAddr = VirtAddr::new(0x7f80_0000_9000);
/// In the hypervisor's own root entry, as the fixmap is.
pub(crate) const PMAP: VirtAddr = VirtAddr::new(0x0a00_0041_1000);
pub(crate) const PMAP_SLOTS: usize = 8;
const BLOCKS: u64 = 10;

pub(crate) type Driver<'s> = Faulty<Cpu<'s, El2>>;
pub(crate) type Cache<'s> = MapCache<'s, Driver<'s>, SLOTS>;

/// A machine that is large enough.
pub(crate) fn machine(setup: Setup) -> Sim<El2> {
    Sim::new(Setup { ram: FrameRange::new(Frame::new(GIB), BLOCKS * BLOCK), ..setup })
}

pub(crate) fn driver(sim: &Sim<El2>, cpu: usize, loses: Loses) -> Driver<'_> {
    Faulty { machine: sim.cpu(cpu), loses }
}

/// The boot CPU's window.
pub(crate) fn pmap(sim: &Sim<El2>, loses: Loses) -> Pmap<'_, Driver<'_>> {
    let frame = sim.private_leaves(CpuIndex::BOOT, PMAP);
    let run = Run { table: sim.table(frame), frame, level: Level::L3, base: PMAP, slots: PMAP_SLOTS };
    Pmap::over(Leaves::new(driver(sim, 0, loses), run, "pmap"))
}

/// Boots `sim`, whose CPUs are as many as `setup` says.
pub(crate) fn boot_whole<'s>(
    sim: &'s Sim<El2>,
    setup: Setup,
    choice: Choice,
    retention: Retention,
    loses: Loses,
) -> (System, Vec<Cache<'s>>, Retired) {
    let leaves: Vec<Frame> = (0..setup.cpus).map(|cpu| sim.private_leaves(sim.cpu(cpu).cpu(), CACHE)).collect();
    let roots: Vec<Frame> = (0..setup.cpus).map(|cpu| sim.root(sim.cpu(cpu).cpu()).expect("it was loaded")).collect();
    let pmap = pmap(sim, Loses::Nothing);
    let machine = driver(sim, 0, Loses::Nothing);
    let ram = sim.memory.frames();
    let planned = FrameRange::between(ram.first, sim.free_ram().first);
    let mut reach = &pmap;
    let mut here = Here::new(&machine, &mut reach);
    let space = Space::new(roots[0]).with_size_change(setup.size_change);
    let system = boot_in(&mut here, space, &[bank(GIB, ram.frames)], &[planned], choice).expect("it is large enough");
    let retired = pmap.retire();
    let private = CACHE.index(Level::L0);
    for root in &roots[1..] {
        for index in Index::all().filter(|index| *index != private) {
            let entry = Direct(sim).read(roots[0], index);
            Direct(sim).write(*root, index, entry);
        }
    }
    let cache = |(cpu, frame): (usize, &Frame)| {
        let area = Area { table: sim.table(*frame), frame: *frame, base: CACHE };
        MapCache::new(driver(sim, cpu, loses), area, retention, Exhaustion::Stop)
    };
    (system, leaves.iter().enumerate().map(cache).collect(), retired)
}
