//! What one stop shows: where each CPU was, what its live root maps, which secrets are in RAM and which it reaches.
//!
//! Judges nothing: what may be mapped is the verdict's business.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use codegen::plan::Plan;
use paging::{
    El2, Frame, FrameRange, HostAccess, Leaf, Level, PAGE_BYTES, PhysAddr, Root, VirtAddr, Visit, for_each_entry, walk,
};
use serde::Serialize;

use super::dump::Dump;
use super::gdb::Registers;
use super::secret::{self, Planted};
use crate::failure::Failure;

/// One stop of the whole machine.
#[derive(Debug, Serialize)]
pub struct Stop {
    /// Each CPU.
    pub cpus: Vec<Cpu>,
    /// Pages of RAM that hold secrets, by domain in the order of `planted`.
    pub found: Vec<u64>,
    /// CPUs that were copying from one frame to another, where the stop was placed there.
    pub copying: usize,
}

/// Where a CPU was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Context {
    /// At EL2, at work.
    Hypervisor,
    /// At EL1 or EL0.
    Guest,
    /// At EL2, waiting for an interrupt or an event.
    Idle,
}

/// One CPU at one stop.
#[derive(Debug, Serialize)]
pub struct Cpu {
    /// Where it was.
    pub context: Context,
    /// VMID that its stage 2 was loaded with; 0 where none was.
    pub vmid: u16,
    /// RAM that its root maps, by region.
    pub mapped: BTreeMap<String, Mapped>,
    /// Bytes of RAM that its root maps, each counted once.
    pub bytes: u64,
    /// Bytes that it may both write and execute, through whichever mappings.
    pub both: u64,
    /// Tables that its root leads to.
    pub tables: u64,
    /// Secrets it reaches.
    pub reached: Vec<Reached>,
    /// Why the sample is not what a sample has to be.
    pub faults: Vec<String>,
}

/// RAM mapped through one region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Mapped {
    /// Bytes.
    pub bytes: u64,
    /// Of them writable.
    pub writable: u64,
    /// Of them executable.
    pub executable: u64,
}

/// A page of secrets that a root translates to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// Index of the guest in `planted`.
    pub planted: usize,
    /// The hypervisor's address of it.
    pub at: String,
    /// The region that this is in.
    pub region: String,
}

impl Stop {
    /// One line about the stop.
    pub fn line(&self) -> String {
        let at = |context| self.cpus.iter().filter(|cpu| cpu.context == context).count();
        let (hypervisor, guest, idle) = (at(Context::Hypervisor), at(Context::Guest), at(Context::Idle));
        let reached: usize = self.cpus.iter().map(|cpu| cpu.reached.len()).sum();
        let found: u64 = self.found.iter().sum();
        let copying = if self.copying > 0 { ", in a copy" } else { "" };
        format!(
            "{hypervisor} in hypervisor{copying}, {guest} guest, {idle} idle; {found} pages found, {reached} reached"
        )
    }
}

/// SCTLR_EL2.M, bit 0. Arm ARM (DDI 0487), SCTLR_EL2.
const MMU_ON: u64 = 1;
/// TTBR0_EL2.BADDR, bits [47:1], for 4 KiB tables. Arm ARM, TTBR0_EL2.
const ROOT: u64 = 0x0000_ffff_ffff_f000;
/// VTTBR_EL2.VMID starts at bit 48. Arm ARM, VTTBR_EL2.
const VMID_SHIFT: u32 = 48;
/// PSTATE.EL, bits [3:2]. Arm ARM, SPSR_EL2.M.
const EL_SHIFT: u32 = 2;
const EL2: u64 = 2;
/// WFI and WFE. Arm ARM, "WFI" and "WFE", A64 encodings.
const WAITING: [u32; 2] = [0xd503_207f, 0xd503_205f];
/// An emulated CPU may leave WFE at once and test again what it waits for: such a loop is this many bytes long at most.
const LOOP_BYTES: u64 = 256;

/// Looks at the whole machine.
pub(super) fn stop(
    plan: &Plan,
    dump: &mut Dump,
    registers: &[Registers],
    planted: &[Planted],
) -> Result<Stop, Failure> {
    let secrets = secrets(dump, planted)?;
    let count = |number| secrets.values().filter(|owner| **owner == number).count() as u64;
    let found = (0..planted.len()).map(count).collect();
    let cpus = registers.iter().map(|registers| cpu(plan, dump, registers, &secrets)).collect();
    Ok(Stop { cpus, found, copying: 0 })
}

/// Frames that hold secrets, and whose.
fn secrets(dump: &Dump, planted: &[Planted]) -> Result<BTreeMap<u64, usize>, Failure> {
    let finders: Vec<_> = planted.iter().map(Planted::finder).collect();
    let mut secrets = BTreeMap::new();
    dump.each_page(|frame, page| {
        let owner = finders.iter().position(|finder| secret::is_in(finder, page));
        secrets.extend(owner.map(|owner| (frame.number(), owner)));
    })?;
    Ok(secrets)
}

fn cpu(plan: &Plan, dump: &mut Dump, registers: &Registers, secrets: &BTreeMap<u64, usize>) -> Cpu {
    let root = Root::new(Frame::containing(PhysAddr::new(registers.ttbr0_el2 & ROOT)), Level::L0);
    let mut found = Found { plan, leaves: Vec::new(), tables: 1, faults: Vec::new() };
    if registers.sctlr_el2 & MMU_ON == 0 || root.frame.number() == 0 {
        found.faults.push(format!("its MMU is off or has no root: TTBR0_EL2 is {:#x}", registers.ttbr0_el2));
    } else if !dump.holds(FrameRange::new(root.frame, 1)) {
        found.faults.push(format!("its root {} is not in RAM", root.frame.address()));
    } else {
        found.walk(dump, root);
    }
    let context = context(dump, registers, root);
    let ram: Vec<_> = found.leaves.iter().filter(|leaf| dump.holds(range(leaf))).collect();
    let mut mapped: BTreeMap<String, Mapped> = BTreeMap::new();
    let mut reached = Vec::new();
    for leaf in &ram {
        let region = region(plan, leaf.at);
        let (bytes, access) = (leaf.level.entry_bytes(), leaf.attributes.access);
        let row = mapped.entry(region.clone()).or_default();
        row.bytes += bytes;
        row.writable += if access == HostAccess::ReadWrite { bytes } else { 0 };
        row.executable += if access == HostAccess::Execute { bytes } else { 0 };
        let frames = range(leaf);
        for (frame, planted) in secrets.range(frames.first.number()..frames.end().number()) {
            let at = leaf.at.get() + (frame - frames.first.number()) * PAGE_BYTES;
            let at = VirtAddr::new(at).to_string();
            reached.push(Reached { planted: *planted, at, region: region.clone() });
        }
    }
    let with = |wanted| ram.iter().filter(move |leaf| leaf.attributes.access == wanted).map(|leaf| range(leaf));
    let writable: Vec<_> = with(HostAccess::ReadWrite).collect();
    Cpu {
        context,
        vmid: vmid(registers),
        bytes: union(ram.iter().map(|leaf| range(leaf))) * PAGE_BYTES,
        both: with(HostAccess::Execute).map(|frames| common(frames, &writable)).sum::<u64>() * PAGE_BYTES,
        tables: found.tables,
        mapped,
        reached,
        faults: found.faults,
    }
}

/// What a walk of everything finds.
struct Found<'a> {
    plan: &'a Plan,
    leaves: Vec<Leaf<El2>>,
    tables: u64,
    faults: Vec<String>,
}

impl Found<'_> {
    fn walk(&mut self, dump: &mut Dump, root: Root) {
        let _: ControlFlow<()> = for_each_entry::<El2, ()>(dump, root, |visit| {
            match visit {
                Visit::Table { .. } => self.tables += 1,
                Visit::Leaf(leaf) => self.leaves.push(leaf),
                Visit::Unknown(unknown) => {
                    let region = region(self.plan, unknown.at);
                    self.faults.push(format!("{:?} for {} ({region}) is no entry of ours", unknown.entry, unknown.at));
                }
            }
            ControlFlow::Continue(())
        });
        if let Some(frame) = dump.outside.take() {
            self.faults.push(format!("a table at {} is not in RAM", frame.address()));
        }
    }
}

/// Where a CPU was: its exception level, and at EL2, with no domain loaded, whether it is in a loop around an instruction
/// that waits.
fn context(dump: &mut Dump, registers: &Registers, root: Root) -> Context {
    if (registers.cpsr >> EL_SHIFT) & 3 != EL2 {
        return Context::Guest;
    }
    if vmid(registers) != 0 {
        return Context::Hypervisor;
    }
    let around = registers.pc.saturating_sub(LOOP_BYTES)..registers.pc.saturating_add(LOOP_BYTES);
    let waits = around.step_by(4).any(|at| {
        let at = walk::<El2>(dump, root, VirtAddr::new(at)).physical();
        at.and_then(|at| word(dump, at)).is_some_and(|word| WAITING.contains(&word))
    });
    if waits { Context::Idle } else { Context::Hypervisor }
}

fn vmid(registers: &Registers) -> u16 {
    (registers.vttbr_el2 >> VMID_SHIFT) as u16
}

fn word(dump: &Dump, at: PhysAddr) -> Option<u32> {
    let page = dump.page(Frame::containing(at))?;
    let offset = usize::try_from(at.get() % PAGE_BYTES).ok()?;
    page.get(offset..offset + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn range(leaf: &Leaf<El2>) -> FrameRange {
    FrameRange::new(leaf.frame, leaf.level.entry_frames())
}

fn region(plan: &Plan, at: VirtAddr) -> String {
    let found = plan.regions.iter().find(|region| {
        let (base, at) = (region.base.get(), at.get());
        base <= at && at - base < region.bytes
    });
    found.map_or_else(|| format!("no region, {at}"), |region| region.name.clone())
}

/// Frames in any of the ranges, each counted once.
fn union(ranges: impl Iterator<Item = FrameRange>) -> u64 {
    let starts: BTreeSet<(u64, u64)> = ranges.map(|range| (range.first.number(), range.end().number())).collect();
    let (mut total, mut reached) = (0, 0);
    for (start, end) in starts {
        total += end.saturating_sub(start.max(reached));
        reached = reached.max(end);
    }
    total
}

/// Frames of `range` that are in one of `others`.
fn common(range: FrameRange, others: &[FrameRange]) -> u64 {
    union(others.iter().filter_map(|other| {
        let start = range.first.number().max(other.first.number());
        let end = range.end().number().min(other.end().number());
        (start < end).then(|| FrameRange::new(Frame::new(start), end - start))
    }))
}
