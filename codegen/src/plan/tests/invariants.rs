//! What holds of every plan, whatever the board.

use std::collections::BTreeSet;

use paging::{Frame, FrameRange, HostAccess, HostAttributes, Level, Memory, PAGE_BYTES, VirtAddr};

use crate::model::{Arch, DirectmapPolicy};
use crate::plan::{Access, Plan, PlannedEntry, RootKind, VirtualRegion, Window};

/// A run of pages with one set of rights: first page number, first frame, pages, rights.
type Run = (u64, Frame, u64, HostAttributes);

pub(super) fn check(plan: &Plan) {
    let boot = merged(leaves(plan, plan.boot_root));
    let turn_on = merged(leaves(plan, plan.turn_on_root));
    tables_equal_mappings(plan, &boot, &turn_on);
    // A frame executed through one root and written through the other is as bad as both through one.
    writes_exclude_execution(&[boot.clone(), turn_on.clone()].concat());
    identity_is_in_the_turn_on_root_only(plan, &boot, &turn_on);
    regions_are_disjoint_and_tell_the_rights(plan, &boot);
    owners_are_disjoint(plan);
    domains_are_invisible(plan, &boot);
    windows_are_empty(plan);
    frames_have_one_owner(plan);
}

fn leaves(plan: &Plan, root: usize) -> Vec<Run> {
    let mut list = Vec::new();
    collect(plan, root, 0, &mut list);
    list
}

fn collect(plan: &Plan, table: usize, page: u64, list: &mut Vec<Run>) {
    let table = &plan.tables[table];
    for (index, entry) in &table.entries {
        let at = page + index.get() as u64 * table.level.entry_frames();
        match entry {
            PlannedEntry::Table(next) => {
                assert_eq!(Some(plan.tables[*next].level), table.level.child());
                collect(plan, *next, at, list);
            }
            PlannedEntry::Leaf { frame, attributes } => {
                list.push((at, *frame, table.level.entry_frames(), *attributes))
            }
        }
    }
}

/// Runs that go on where the last one ended become one; sorted by page.
fn merged(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by_key(|run| run.0);
    let mut list: Vec<Run> = Vec::new();
    for run in runs {
        match list.last_mut() {
            Some(last) if last.0 + last.2 == run.0 && last.1.add(last.2) == run.1 && last.3 == run.3 => last.2 += run.2,
            _ => list.push(run),
        }
    }
    list
}

/// Page numbers of the 2^48 that four levels translate.
fn page(at: VirtAddr) -> u64 {
    at.get() % (1 << 48) / PAGE_BYTES
}

fn tables_equal_mappings(plan: &Plan, boot: &[Run], turn_on: &[Run]) {
    let listed = |kind: RootKind| {
        let own = plan.mappings.iter().filter(|mapping| mapping.root == kind);
        merged(own.map(|m| (page(m.at), m.frames.first, m.frames.frames, m.attributes)).collect())
    };
    assert_eq!(boot, listed(RootKind::BootCpu));
    let shared = page(plan.sections[0].link) / Level::L0.entry_frames();
    let own: Vec<_> = turn_on.iter().copied().filter(|run| run.0 / Level::L0.entry_frames() != shared).collect();
    assert_eq!(own, listed(RootKind::TurnOn));
    let of_slot = |runs: &[Run]| {
        runs.iter().copied().filter(|run| run.0 / Level::L0.entry_frames() == shared).collect::<Vec<_>>()
    };
    assert_eq!(of_slot(boot), of_slot(turn_on));
}

/// No frame can be both written and executed.
fn writes_exclude_execution(runs: &[Run]) {
    let of = |access: HostAccess| runs.iter().filter(move |run| run.3.access == access);
    for code in of(HostAccess::Execute) {
        assert_eq!(code.3.memory, Memory::Normal);
        for data in of(HostAccess::ReadWrite) {
            let (code, data) = (FrameRange::new(code.1, code.2), FrameRange::new(data.1, data.2));
            assert!(!code.intersects(data), "{code} is executed and {data} written");
        }
    }
}

fn identity_is_in_the_turn_on_root_only(plan: &Plan, boot: &[Run], turn_on: &[Run]) {
    assert!(boot.iter().all(|run| run.0 != run.1.number()), "a CPU root maps memory at its own address");
    assert!(boot.iter().chain(turn_on).all(|run| run.0 != 0), "page 0 is mapped");
    let identity: Vec<_> = turn_on.iter().filter(|run| run.0 == run.1.number()).collect();
    let pages: u64 = identity.iter().map(|run| run.2).sum();
    assert_eq!(pages, 1 + u64::from(plan.trampoline.is_some()));
    assert!(identity.iter().all(|run| run.3.access == HostAccess::Execute));
    assert!(identity.iter().any(|run| run.1 == plan.identity.first || run.1.add(1) == plan.identity.first));
    let private = page(plan.private.stack) / Level::L0.entry_frames();
    assert!(turn_on.iter().all(|run| run.0 / Level::L0.entry_frames() != private));
}

fn regions_are_disjoint_and_tell_the_rights(plan: &Plan, boot: &[Run]) {
    let end = |region: &VirtualRegion| region.base.get() + region.bytes;
    assert!(plan.regions.windows(2).all(|two| end(&two[0]) <= two[1].base.get()), "{:?}", plan.regions);
    for run in boot {
        let inside = |region: &&VirtualRegion| {
            page(region.base) <= run.0 && run.0 < page(region.base) + region.bytes / PAGE_BYTES
        };
        let region = plan.regions.iter().find(inside).expect("every mapped page has a region");
        let rights = match region.access {
            Access::Execute => HostAttributes::new(HostAccess::Execute, Memory::Normal),
            Access::Read => HostAttributes::new(HostAccess::Read, Memory::Normal),
            Access::ReadWrite => HostAttributes::new(HostAccess::ReadWrite, Memory::Normal),
            Access::Device => HostAttributes::new(HostAccess::ReadWrite, Memory::Device),
            Access::Window if region.name == "directmap" => HostAttributes::new(HostAccess::ReadWrite, Memory::Normal),
            Access::Guard | Access::Window => panic!("{} is mapped at {:#x}", region.name, run.0),
        };
        assert_eq!(run.3, rights, "{}", region.name);
    }
}

fn owners_are_disjoint(plan: &Plan) {
    let disjoint = plan.physical.windows(2).all(|two| two[0].base.get() + two[0].bytes <= two[1].base.get());
    assert!(disjoint, "{:?}", plan.physical);
}

fn domains_are_invisible(plan: &Plan, boot: &[Run]) {
    if plan.board.directmap.value == DirectmapPolicy::Full {
        return;
    }
    for domain in &plan.domains {
        let seen = boot.iter().any(|run| FrameRange::new(run.1, run.2).intersects(domain.memory));
        assert!(!seen, "memory of {} is mapped", domain.name);
    }
}

fn windows_are_empty(plan: &Plan) {
    let empty = |window: &Window, from: usize| {
        let table = &plan.tables[window.table];
        assert_eq!(window.base.index(Level::L3).get(), window.first);
        let slots = window.first + from..window.first + window.slots as usize;
        assert!(table.entries.iter().all(|(index, _)| !slots.contains(&index.get())), "{}", table.name);
    };
    empty(&plan.fixmap, plan.fixmap_free as usize);
    empty(&plan.pmap, 0);
    empty(&plan.firmware, 0);
}

/// Tables, stacks and manifest lie in the footprint, and no two share a frame.
fn frames_have_one_owner(plan: &Plan) {
    let mut taken = BTreeSet::new();
    let mut take = |frames: FrameRange| {
        assert!(plan.footprint.contains_range(frames), "{frames} is not in {}", plan.footprint);
        for number in 0..frames.frames {
            assert!(taken.insert(frames.first.add(number)), "{frames} is taken twice");
        }
    };
    for table in &plan.tables {
        take(FrameRange::new(table.frame, 1));
    }
    let stack_frames = plan.private.stack_bytes / PAGE_BYTES;
    for (number, cpu) in plan.cpu_frames.iter().enumerate() {
        take(FrameRange::new(cpu.stack, stack_frames));
        if number > 0 {
            for frame in [cpu.root, cpu.private_l1, cpu.private_l2, cpu.private_l3] {
                take(FrameRange::new(frame, 1));
            }
        }
    }
    take(FrameRange::new(plan.manifest, 1));
    let below_4_gib = plan.tables[plan.turn_on_root].frame.address().get() < 1 << 32;
    assert!(plan.board.arch == Arch::Aarch64 || below_4_gib);
}
