//! The map cache on the simulated machine.

mod rules;
mod isolation;
mod contexts;
mod controls;
mod old_arm;
mod random;

use std::vec::Vec;

use paging::{El2, Frame, Index, PAGE_BYTES, VirtAddr};

use super::{Area, Context, Exhaustion, MapCache, Owner, Retention, View};
use crate::machine::Machine;
use crate::sim::{Cpu, HostFormat, Memory, Setup, Sim};

/// Where the slots are.
const BASE: VirtAddr = VirtAddr::new(0x7f80_0000_9000);
/// Few, so that they run out.
const SLOTS: usize = 4;
/// The domain that most tests load.
const DOMAIN: u16 = 1;
const GUEST: Context = Context::Guest { vmid: DOMAIN };

type Cache<'s, F = El2> = MapCache<'s, Cpu<'s, F>, SLOTS>;

/// The cache of one CPU, with [`DOMAIN`] loaded.
fn cache<F: HostFormat>(sim: &Sim<F>, cpu: usize, retention: Retention, exhaustion: Exhaustion) -> Cache<'_, F> {
    let cpu = sim.cpu(cpu);
    let frame = sim.private_leaves(cpu.cpu(), BASE);
    let area = Area { table: sim.table(frame), frame, base: BASE };
    let cache = MapCache::new(cpu, area, retention, exhaustion);
    load(&cache, Owner::Domain(DOMAIN));
    cache
}

fn load<F: HostFormat>(cache: &Cache<'_, F>, owner: Owner) {
    cache.switch(owner, || Ok::<(), ()>(())).expect("nothing fails in between");
}

fn guest<'c, 's, F: HostFormat>(cache: &'c Cache<'s, F>) -> View<'c, Cpu<'s, F>, SLOTS> {
    cache.enter(GUEST).expect("the domain is loaded")
}

/// Data frames of the machine, by number.
fn frame(number: u64) -> Frame {
    let ram = Setup::SMALL.ram;
    assert!(number < ram.frames / 2, "the lower half of RAM is for tables");
    ram.first.add(ram.frames / 2 + number)
}

fn canary(frame: Frame) -> u64 {
    Memory::canary(frame, FIRST)
}

const FIRST: Index = Index::new(0);

/// Every frame that an access to the slots may reach on a CPU, now.
fn visible<F: HostFormat>(cpu: &Cpu<'_, F>) -> Vec<Frame> {
    let slots = (0..SLOTS as u64).map(|slot| VirtAddr::new(BASE.get() + slot * PAGE_BYTES));
    let mut frames: Vec<_> = slots.flat_map(|at| cpu.translations(at)).map(Frame::containing).collect();
    frames.sort();
    frames.dedup();
    frames
}
