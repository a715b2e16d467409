//! The heap on the simulated machine: several CPUs, each of which uses what it remembers as long as it may.

use std::vec::Vec;

use paging::{El2, Frame, FrameRange, Index, LongMode, TableAccess, VirtAddr};

use super::{ANY, mapping};
use crate::cpu::CpuIndex;
use crate::machine::Machine;
use crate::mm::checker::Verdict;
use crate::mm::frames::Order;
use crate::mm::heap::{HeapPages, Leaves, Policy};
use crate::mm::here::Here;
use crate::mm::rig::{BLOCK, Choice, Direct, Faulty, GIB, Loses, System, bank, boot_in};
use crate::mm::space::{SizeChange, Space};
use crate::sim::{HostFormat, Setup, Sim};

const SEEDS: u64 = 6;
const BLOCKS: u64 = 10;
const CPUS: usize = 2;

fn machine<F: HostFormat>(choice: Choice, seed: u64, verdict: Verdict) -> (Sim<F>, System) {
    let setup = Setup { cpus: CPUS, seed, verdict, ..Setup::SMALL };
    machine_of(choice, setup, setup.size_change)
}

/// A machine with its memory system up, and a root for each CPU: the first one's, copied after boot. The memory system
/// is told that its cores allow `size_change`.
pub(super) fn machine_of<F: HostFormat>(choice: Choice, setup: Setup, size_change: SizeChange) -> (Sim<F>, System) {
    let ram = FrameRange::new(Frame::new(GIB), BLOCKS * BLOCK);
    let sim = Sim::new(Setup { ram, ..setup });
    let roots: Vec<_> = (0..setup.cpus).map(|_| sim.take_table()).collect();
    sim.set_root(CpuIndex::BOOT, roots[0]);
    let reserved = FrameRange::new(ram.first, setup.cpus as u64);
    let system = {
        let (cpu, mut reach) = (sim.cpu(0), Direct(&sim));
        let mut here = Here::new(&cpu, &mut reach);
        let space = Space::new(roots[0]).with_size_change(size_change);
        boot_in(&mut here, space, &[bank(GIB, ram.frames)], &[reserved], choice).expect("the machine is large enough")
    };
    for (number, root) in roots.iter().enumerate().skip(1) {
        for index in Index::all() {
            let entry = Direct(&sim).read(roots[0], index);
            Direct(&sim).write(*root, index, entry);
        }
        sim.set_root(sim.cpu(number).cpu(), *root);
    }
    (sim, system)
}

fn every_page(pages: &HeapPages) -> impl Iterator<Item = VirtAddr> + use<> {
    let (at, count) = (pages.at(), pages.order().frames().min(40));
    (0..count).map(move |page| crate::mm::here::bytes(at, page * paging::PAGE_BYTES))
}

/// All CPUs use a chunk; the last one, `freer`, frees it. To how many places do its addresses still lead?
fn reachable_after_free<F: HostFormat>(
    sim: &Sim<F>,
    system: &mut System,
    order: Order,
    freer: &impl Machine<Format = F>,
) -> usize {
    let pages = allocate(sim, system, order);
    let addresses: Vec<_> = every_page(&pages).collect();
    for (number, at) in addresses.iter().enumerate() {
        (0..CPUS).for_each(|cpu| sim.cpu(cpu).store(*at, number as u64));
        (0..CPUS).for_each(|cpu| assert_eq!(sim.cpu(cpu).try_load(*at), Ok(number as u64)));
    }
    let mut reach = Direct(sim);
    let freed = system.heap.free(&mut Here::new(freer, &mut reach), &mut system.domain, pages);
    assert_eq!(freed, Ok(()));
    addresses.iter().flat_map(|at| (0..CPUS).map(|cpu| sim.cpu(cpu).translations(*at).len())).sum()
}

fn allocate<F: HostFormat>(sim: &Sim<F>, system: &mut System, order: Order) -> HeapPages {
    let (cpu, mut reach) = (sim.cpu(0), Direct(sim));
    let mut here = Here::new(&cpu, &mut reach);
    system.heap.allocate(&mut here, &mut system.domain, order, ANY).expect("the machine is large enough")
}

fn no_cpu_reaches_freed_pages<F: HostFormat>() {
    for (choice, seed) in mapping().flat_map(|choice| (0..SEEDS).map(move |seed| (choice, seed))) {
        let (sim, mut system) = machine::<F>(choice, seed, Verdict::Stop);
        let freer = sim.cpu(CPUS - 1);
        for order in [Order::FRAME, Order::new(3), Order::BLOCK] {
            let left = reachable_after_free(&sim, &mut system, order, &freer);
            assert_eq!(left, 0, "{choice:?}, {order:?}, seed {seed}");
            let neighbour = allocate(&sim, &mut system, Order::FRAME);
            let left = reachable_after_free(&sim, &mut system, order, &freer);
            let may_stay = choice.leaves == Leaves::Blocks && !order.is_blocks();
            assert!(left == 0 || may_stay, "{choice:?}, {order:?}, seed {seed}: {left} translations");
            sim.cpu(1).store(neighbour.at(), 1);
            let mut reach = Direct(&sim);
            let freed = system.heap.free(&mut Here::new(&freer, &mut reach), &mut system.domain, neighbour);
            assert_eq!(freed, Ok(()));
        }
    }
}

#[test]
fn no_cpu_reaches_freed_pages_not_even_one_that_has_just_used_them() {
    no_cpu_reaches_freed_pages::<El2>();
    no_cpu_reaches_freed_pages::<LongMode>();
}

#[test]
fn control_without_the_flush_on_all_cpus_freed_pages_are_reached() {
    for choice in mapping() {
        let left: usize = (0..SEEDS)
            .map(|seed| {
                let (sim, mut system) = machine::<El2>(choice, seed, Verdict::Record);
                let deaf = Faulty { machine: sim.cpu(CPUS - 1), loses: Loses::FlushesElsewhere };
                reachable_after_free(&sim, &mut system, Order::FRAME, &deaf)
            })
            .sum();
        assert!(left > 0, "{choice:?}: CPU 0 has used the page and was not told");
    }
}

#[test]
fn control_with_the_full_window_freed_pages_stay_mapped() {
    let full = Choice { policy: Policy::Full, leaves: Leaves::Pages };
    let (sim, mut system) = machine::<El2>(full, 0, Verdict::Stop);
    assert_eq!(reachable_after_free(&sim, &mut system, Order::FRAME, &sim.cpu(1)), CPUS);
}

#[test]
fn a_page_allocated_on_one_cpu_can_be_used_on_another_at_once() {
    for (choice, seed) in mapping().flat_map(|choice| (0..SEEDS).map(move |seed| (choice, seed))) {
        let (sim, mut system) = machine::<El2>(choice, seed, Verdict::Stop);
        for round in 0..20 {
            let pages = allocate(&sim, &mut system, Order::FRAME);
            sim.cpu(0).store(pages.at(), round);
            assert_eq!(sim.cpu(1).try_load(pages.at()), Ok(round));
            let (cpu, mut reach) = (sim.cpu(1), Direct(&sim));
            let freed = system.heap.free(&mut Here::new(&cpu, &mut reach), &mut system.domain, pages);
            assert_eq!(freed, Ok(()));
        }
    }
}

#[test]
fn a_free_costs_one_flush_of_all_cpus_and_an_allocation_none() {
    for choice in mapping().filter(|choice| choice.leaves == Leaves::Pages) {
        let (sim, mut system) = machine::<El2>(choice, 0, Verdict::Stop);
        let keep = allocate(&sim, &mut system, Order::FRAME);
        let before = sim.watch.counts();
        let pages = allocate(&sim, &mut system, Order::FRAME);
        let allocated = sim.watch.counts();
        assert_eq!(allocated.entry_writes - before.entry_writes, 1, "the pool has its table");
        assert_eq!(allocated.publishes - before.publishes, 1);
        assert_eq!(allocated.page_flushes - before.page_flushes, 0);
        let (cpu, mut reach) = (sim.cpu(0), Direct(&sim));
        let mut here = Here::new(&cpu, &mut reach);
        assert_eq!(system.heap.free(&mut here, &mut system.domain, pages), Ok(()));
        let freed = sim.watch.counts();
        assert_eq!(freed.entry_writes - allocated.entry_writes, 1);
        assert_eq!(freed.page_flushes - allocated.page_flushes, 1);
        assert_eq!(system.heap.free(&mut here, &mut system.domain, keep), Ok(()));
    }
}

#[test]
fn freed_tables_and_records_are_told_to_the_checker_after_their_flush() {
    for choice in mapping() {
        let (sim, mut system) = machine::<El2>(choice, 3, Verdict::Stop);
        let before = system.domain.counts();
        for _ in 0..5 {
            let live: Vec<_> = (0..700).map(|_| allocate(&sim, &mut system, Order::FRAME)).collect();
            let (cpu, mut reach) = (sim.cpu(1), Direct(&sim));
            for pages in live {
                let freed = system.heap.free(&mut Here::new(&cpu, &mut reach), &mut system.domain, pages);
                assert_eq!(freed, Ok(()));
            }
            assert_eq!(system.domain.counts(), before);
        }
        assert_eq!((sim.watch.checker().lost(), sim.watch.checker().zapped()), (0, 0));
    }
}
