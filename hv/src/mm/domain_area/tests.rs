//! Domain slots and what lies behind them, on the simulated machine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

use paging::{El2, Frame, Index, Level, LongMode, VirtAddr};

use super::{Closed, DomainArea, DomainId, DomainSlot, InUse, Loaded, SlotClosed, VcpuPage};
use crate::machine::Machine;
use crate::mm::checker::{Verdict, Wrong};
use crate::mm::entry::{Cells, Input, Place, SeenBy, Writer};
use crate::mm::guest_rig::{CPUS, ID, OTHER, OneCpu, Rig, layout, with};
use crate::mm::mapcache::{Context, Owner, Refused};
use crate::mm::rig::System;
use crate::sim::{Fault, HostFormat};

const SEEDS: u64 = 6;
/// Stands for the root of a guest's tables: a frame that the heap does not have.
const ROOT: Frame = Frame::new(0x4_0000);

/// A domain with vCPUs.
struct Domain {
    slot: DomainSlot,
    area: DomainArea,
}

impl Domain {
    fn new<F: HostFormat>(rig: &Rig<'_, F>, system: &mut System, id: DomainId, vcpus: u32) -> Self {
        let (closed, area) = rig.cpus[0].idle(|here| {
            let (closed, mut area) =
                DomainArea::new(here, &mut system.domain, id, layout::<F>()).expect("there is plenty");
            for vcpu in 0..vcpus {
                assert_eq!(area.add_vcpu(here, &mut system.domain, ROOT), Ok(vcpu));
            }
            (closed, area)
        });
        Self::opened(id, closed, area)
    }

    fn opened(id: DomainId, closed: Closed, area: DomainArea) -> Self {
        let slot = DomainSlot::new(id.vmid);
        slot.open(closed);
        Self { slot, area }
    }

    fn at(&self, vcpu: u32, page: VcpuPage) -> VirtAddr {
        self.area.vcpu_page(vcpu, page)
    }

    fn destroy<F: HostFormat>(mut self, rig: &Rig<'_, F>, system: &mut System) {
        let closed: Closed = self.slot.close().expect("the test has unloaded it");
        rig.cpus[0].idle(|here| self.area.destroy(here, &mut system.domain, closed));
    }
}

fn load<'d, F: HostFormat>(cpu: &OneCpu<'_, F>, loaded: Option<Loaded<'_>>, to: &'d Domain) -> Option<Loaded<'d>> {
    cpu.switch(loaded, Some(&to.slot)).expect("nobody destroys it")
}

fn unload<F: HostFormat>(cpu: &OneCpu<'_, F>, loaded: Option<Loaded<'_>>) {
    assert!(cpu.switch(loaded, None).expect("nothing can fail").is_none());
}

/// Everything that a CPU might reach in the pages of two vCPUs.
fn in_sight<F: HostFormat>(cpu: &OneCpu<'_, F>, of: &Domain) -> usize {
    let pages = (0..2).flat_map(|vcpu| VcpuPage::ALL.map(|page| of.at(vcpu, page)));
    pages.map(|at| cpu.cpu.translations(at).len()).sum()
}

fn a_domain_is_in_sight_where_it_is_loaded<F: HostFormat>() {
    for seed in 0..SEEDS {
        with::<F, _>(seed, Verdict::Stop, |rig, system| {
            let baseline = system.domain.counts();
            let domains = [ID, OTHER].map(|id| Domain::new(rig, system, id, 2));
            let registers = domains[0].at(1, VcpuPage::Registers);
            let cpus = &rig.cpus;
            let mut loaded: Vec<_> = (0..CPUS).map(|cpu| load(&cpus[cpu], None, &domains[cpu])).collect();
            for (cpu, secret) in [(0, 0xa), (1, 0xb)] {
                cpus[cpu].cpu.store(registers, secret);
            }
            for round in 0..20 {
                for cpu in 0..CPUS {
                    let shown = (round + cpu) % 2;
                    assert_eq!(cpus[cpu].cpu.load(registers), 0xa + shown as u64, "seed {seed}, round {round}");
                    let expected = domains[shown].area.id.owner;
                    let frame = Frame::containing(cpus[cpu].cpu.translations(registers)[0]);
                    let used = cpus[cpu].idle(|here| system.domain.frames().usage(here, frame));
                    assert!(matches!(used, crate::mm::frames::Use::Used { owner, .. } if owner == expected));
                    let to = &domains[1 - shown];
                    loaded[cpu] = load(&cpus[cpu], loaded[cpu].take(), to);
                }
            }
            for (cpu, loaded) in cpus.iter().zip(loaded) {
                unload(cpu, loaded);
                assert_eq!(in_sight(cpu, &domains[0]), 0, "seed {seed}");
            }
            domains.into_iter().for_each(|domain| domain.destroy(rig, system));
            assert_eq!(system.domain.counts(), baseline);
            assert_eq!((rig.sim.watch.checker().lost(), rig.sim.watch.checker().zapped()), (0, 0));
        });
    }
}

#[test]
fn a_domain_is_in_sight_of_the_cpus_that_have_it_loaded_in_both_formats() {
    a_domain_is_in_sight_where_it_is_loaded::<El2>();
    a_domain_is_in_sight_where_it_is_loaded::<LongMode>();
}

fn the_alias_is_the_root<F: HostFormat>() {
    with::<F, _>(1, Verdict::Stop, |rig, system| {
        let domain = Domain::new(rig, system, ID, 2);
        let cpu = &rig.cpus[0];
        let loaded = load(cpu, None, &domain);
        for vcpu in 0..2 {
            let alias = domain.at(vcpu, VcpuPage::RootAlias);
            assert_eq!(cpu.cpu.translations(alias), [ROOT.address()]);
            assert_eq!(cpu.idle(|here| domain.area.translate(here, alias)), Some(ROOT));
            assert!(cpu.cpu.try_load(alias).is_ok());
            assert_eq!(cpu.cpu.try_store(alias, 1), Err(Fault::Permission));
            for page in [VcpuPage::Registers, VcpuPage::Control] {
                assert_eq!(cpu.cpu.load(domain.at(vcpu, page)), 0, "made of zeroes");
                assert_eq!(cpu.cpu.try_store(domain.at(vcpu, page), 1), Ok(()));
            }
            let behind = crate::mm::here::bytes(alias, paging::PAGE_BYTES);
            assert_eq!(cpu.cpu.translations(behind), [], "vCPUs' pages do not touch");
        }
        for page in VcpuPage::ALL {
            assert_eq!(cpu.cpu.translations(domain.at(2, page)), [], "there is no such vCPU");
        }
        unload(cpu, loaded);
        domain.destroy(rig, system);
    });
}

#[test]
fn the_alias_is_the_guests_root_and_cannot_be_written_in_both_formats() {
    the_alias_is_the_root::<El2>();
    the_alias_is_the_root::<LongMode>();
}

#[test]
fn a_vcpu_comes_and_goes_while_its_domain_is_loaded() {
    for seed in 0..SEEDS {
        with::<El2, _>(seed, Verdict::Stop, |rig, system| {
            let mut domain = Domain::new(rig, system, ID, 1);
            let before = system.domain.counts();
            // What CPUs hold is the slot: the area is edited meanwhile.
            let Domain { slot, area } = &mut domain;
            let loaded: Vec<_> = rig.cpus.iter().map(|cpu| cpu.switch(None, Some(&*slot)).expect("open")).collect();
            let registers = area.vcpu_page(1, VcpuPage::Registers);
            for round in 0..10 {
                assert_eq!(rig.cpus[0].idle(|here| area.add_vcpu(here, &mut system.domain, ROOT)), Ok(1));
                rig.cpus[0].cpu.store(registers, round);
                assert_eq!(rig.cpus[1].cpu.load(registers), round);
                let frame = Frame::containing(rig.cpus[1].cpu.translations(registers)[0]);
                assert_eq!(rig.cpus[1].idle(|here| area.remove_last_vcpu(here, &mut system.domain)), Some(1));
                for cpu in &rig.cpus {
                    assert_eq!(cpu.cpu.translations(registers), [], "seed {seed}");
                }
                let wiped = rig.sim.memory.load_uncached(frame.address());
                assert_eq!(wiped, Some(0), "what it held is wiped");
                assert_eq!(system.domain.counts(), before);
            }
            rig.cpus.iter().zip(loaded).for_each(|(cpu, loaded)| unload(cpu, loaded));
            domain.destroy(rig, system);
        });
    }
}

#[test]
fn a_switch_that_fails_half_way_leaves_nobody_loaded_and_the_entry_empty() {
    for seed in 0..SEEDS {
        with::<El2, _>(seed, Verdict::Stop, |rig, system| {
            let [first, mut doomed] = [ID, OTHER].map(|id| Domain::new(rig, system, id, 1));
            let cpu = &rig.cpus[0];
            let loaded = load(cpu, None, &first);
            let page = cpu.within(Context::Guest { vmid: ID.vmid }, |here| here.reach.map(ROOT.add(7)).map(drop));
            assert_eq!(page, Ok(()), "retained for the loaded domain");
            assert_eq!(cpu.root.linked::<crate::sim::Cpu<'_, El2>>(), Some(first.slot.table()));
            let closed = doomed.slot.close().expect("nobody has loaded it");
            let failed = cpu.switch(loaded, Some(&doomed.slot)).err();
            assert_eq!(failed, Some(SlotClosed { vmid: OTHER.vmid }));
            // What is loaded is what the map cache says, and it takes nobody for the domain that was meant.
            assert_eq!(cpu.root.linked::<crate::sim::Cpu<'_, El2>>(), None);
            assert_eq!(cpu.cache.loaded(), Owner::Nobody);
            assert_eq!(in_sight(cpu, &first), 0);
            for vmid in [ID.vmid, OTHER.vmid] {
                let refused = Refused::OtherDomain { asked: Owner::Domain(vmid), loaded: Owner::Nobody };
                assert_eq!(cpu.cache.enter(Context::Guest { vmid }).err(), Some(refused));
            }
            let loaded = load(cpu, None, &first);
            assert_eq!(cpu.cpu.load(first.at(0, VcpuPage::Registers)), 0, "the next switch works");
            unload(cpu, loaded);
            first.destroy(rig, system);
            cpu.idle(|here| doomed.area.destroy(here, &mut system.domain, closed));
        });
    }
}

#[test]
fn a_domain_that_is_loaded_is_not_destroyed() {
    with::<El2, _>(1, Verdict::Stop, |rig, system| {
        let domain = Domain::new(rig, system, ID, 1);
        let loaded: Vec<_> = rig.cpus.iter().map(|cpu| load(cpu, None, &domain)).collect();
        for (cpu, (one, loaded)) in rig.cpus.iter().zip(loaded).enumerate() {
            assert_eq!(domain.slot.close().err(), Some(InUse { cpus: (CPUS - cpu) as u32 }));
            unload(one, loaded);
        }
        domain.destroy(rig, system);
    });
}

#[test]
fn what_is_handed_over_must_be_what_is_loaded() {
    with::<El2, _>(1, Verdict::Stop, |rig, system| {
        let domain = Domain::new(rig, system, ID, 1);
        let loaded = load(&rig.cpus[0], None, &domain);
        let lie = catch_unwind(AssertUnwindSafe(|| rig.cpus[0].switch(None, None).map(|loaded| loaded.is_none())));
        assert!(lie.is_err(), "the domain is still loaded");
        assert!(rig.cpus[0].root.linked::<crate::sim::Cpu<'_, El2>>().is_some(), "and nothing has changed");
        unload(&rig.cpus[0], loaded);
        domain.destroy(rig, system);
    });
}

#[test]
fn an_area_that_cannot_be_made_leaves_nothing_behind_whichever_frame_is_missing() {
    with::<El2, _>(1, Verdict::Stop, |rig, system| {
        let baseline = system.domain.counts();
        let mut failures = 0;
        loop {
            system.domain.ration.limit(failures);
            let made = rig.cpus[0].idle(|here| DomainArea::new(here, &mut system.domain, ID, layout::<El2>()));
            let Ok((closed, mut area)) = made else {
                assert_eq!(system.domain.counts(), baseline);
                failures += 1;
                continue;
            };
            let made: Vec<_> =
                (0..3).map(|_| rig.cpus[0].idle(|here| area.add_vcpu(here, &mut system.domain, ROOT))).collect();
            system.domain.ration.lift();
            let vcpus = made.iter().flatten().count() as u32;
            assert_eq!(area.vcpus(), vcpus);
            for page in VcpuPage::ALL {
                let behind = area.vcpu_page(vcpus, page);
                assert_eq!(rig.cpus[0].idle(|here| area.translate(here, behind)), None, "no page of half a vCPU");
            }
            Domain::opened(ID, closed, area).destroy(rig, system);
            assert_eq!(system.domain.counts(), baseline, "frame {failures}");
            if made.iter().all(Result::is_ok) {
                break;
            }
            failures += 1;
        }
        // The area's root, two tables below it, two pages for each vCPU.
        assert_eq!(failures, 1 + 2 + 3 * 2, "each of them was missing once");
    });
}

/// A CPU whose root's entry is changed by `change`, from one domain to another, after it has used the first one's page:
/// what the checker found, and whether the first one's page can still be reached.
fn changed_by<F: HostFormat>(
    seed: u64,
    change: impl FnOnce(&Writer<'_, crate::sim::Cpu<'_, F>>, &dyn Fn(paging::Entry), paging::Entry),
) -> (Option<Wrong>, bool) {
    with::<F, _>(seed, Verdict::Record, |rig, system| {
        let [first, second] = [ID, OTHER].map(|id| Domain::new(rig, system, id, 1));
        let cpu = &rig.cpus[0];
        let at = first.at(0, VcpuPage::Registers);
        let _lost = load(cpu, None, &first);
        cpu.cpu.load(at);
        let old = cpu.cpu.translations(at);
        let writer = Writer::new(&cpu.cpu, "test");
        let place = Place {
            table: cpu.root.frame,
            index: at.index(Level::L0),
            level: Level::L0,
            input: Input::Host(cpu.root.at),
            seen: SeenBy::Cpu(cpu.cpu.cpu()),
        };
        let write = |entry| writer.write::<F>(Cells::Table(cpu.root.root), place, entry);
        change(&writer, &write, F::table(second.slot.table()));
        writer.publish();
        let still = cpu.cpu.translations(at).iter().any(|reached| old.contains(reached));
        (rig.sim.watch.checker().first().map(|violation| violation.wrong), still)
    })
}

#[test]
fn control_the_steps_of_a_switch_are_needed_and_a_missing_one_is_found() {
    let nothing = paging::Entry::INVALID;
    for seed in 0..SEEDS {
        let right = changed_by::<El2>(seed, |writer, write, new| {
            write(nothing);
            writer.flush_local();
            write(new);
        });
        assert_eq!(right, (None, false));
        let unflushed = changed_by::<El2>(seed, |_, write, new| {
            write(nothing);
            write(new);
        });
        assert_eq!(unflushed, (Some(Wrong::ReusedBeforeFlush), true), "seed {seed}");
        let direct = changed_by::<LongMode>(seed, |_, write, new| write(new));
        assert_eq!(direct, (Some(Wrong::AddressChanged), true), "seed {seed}");
    }
}

#[test]
fn two_vcpus_alternate_on_one_cpu_and_the_alias_is_always_the_loaded_root() {
    with::<LongMode, _>(3, Verdict::Stop, |rig, system| {
        let domains = [ID, OTHER].map(|id| Domain::new(rig, system, id, 1));
        let cpu = &rig.cpus[0];
        let mut loaded = None;
        for turn in 0..2000 {
            let domain = &domains[turn % 2];
            loaded = load(cpu, loaded, domain);
            assert_eq!(cpu.root.linked::<crate::sim::Cpu<'_, LongMode>>(), Some(domain.slot.table()));
            let alias = domain.at(0, VcpuPage::RootAlias);
            assert_eq!(cpu.cpu.load(alias), rig.sim.memory.load(ROOT, Index::new(0)).expect("it is RAM"));
        }
        unload(cpu, loaded);
        domains.into_iter().for_each(|domain| domain.destroy(rig, system));
        let decoded = LongMode::decode(Level::L0, cpu.root.root.load(cpu.root.at.index(Level::L0)));
        assert_eq!(decoded, paging::Decoded::Invalid);
    });
}
