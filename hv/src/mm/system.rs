//! The memory system of this board: brought up once, by the boot CPU, before any other CPU has a root.
//!
//! Each stage takes what the last one made, so nothing can be used before it is there. Free RAM is what the plan gave to
//! nobody, of the RAM that boot has found to be there; nothing else is learnt from firmware.

mod report;

use core::fmt;

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, Level, PAGE_BYTES};
use spin::Once;

use super::boot_alloc::{BootAllocator, TooManyRanges};
use super::buddy::{DomainHeap, FeedError};
use super::directmap::{self, Decision};
use super::frames::{Arrays, Bank, Frames, Node};
use super::heap::{Area, Backing, Ground, Heap, Policy, Window};
use super::here::Here;
use super::mapcache::{self, Context, OwnView, Ready};
use super::pmap::Pmap;
use super::space::{BootTables, LeafSize, Space, SpaceError};
use super::this_cpu::ThisCpu;
use super::vmap::Vmap;
use crate::board::types::{BanksFrom, PhysRegion, RamBank};
use crate::board::{self, Place};
use crate::firmware::Ram;
use crate::image::{self, Slack};
use crate::say;
use crate::sync::{self, PolledLock};

pub use report::Mapped;

/// What is shared by all CPUs.
#[derive(Debug)]
pub struct System {
    /// Every frame that nobody owns.
    pub domain: DomainHeap,
    /// Addresses for frames that everybody may see.
    pub vmap: Vmap,
    /// The hypervisor's own pages.
    pub heap: Heap<board::Backing>,
    tables: u64,
    /// Pages of the image's extents that were given back.
    slack: u64,
}

/// The memory system, once the boot CPU has handed it over.
static SHARED: Once<PolledLock<System>> = Once::new();

impl System {
    /// Every CPU may use it from now on.
    pub fn share(self, _cache: &Ready) {
        SHARED.call_once(|| PolledLock::new(self));
    }
}

/// Runs `body` with the memory system, alone, on behalf of no domain. Whoever holds a page of the map cache may call
/// this; who is in it already may not.
pub fn with<R>(body: impl FnOnce(&mut System, &mut Here<'_, ThisCpu, OwnView>) -> R) -> R {
    let cpu = ThisCpu::new();
    let mut reach = mapcache::here().enter(Context::Idle).expect("an idle context acts for whoever is loaded");
    let mut system = SHARED.get().expect("boot shares it before another CPU runs").lock(sync::wait);
    body(&mut system, &mut Here::new(&cpu, &mut reach))
}

/// Why there is no memory system.
#[derive(Clone, Copy, Debug)]
pub enum MemoryError {
    /// The plan leaves more pieces of free RAM than boot can list.
    TooManyRanges,
    /// RAM ran out, and for what.
    Space(Stage, SpaceError),
    /// The heap could not take over.
    Feed(FeedError),
    /// The fixed pools could not be set aside: blocks missing.
    Pools(u64),
}

/// RAM by node.
static BANKS: [Bank; board::RAM.len()] = {
    let mut banks = [Bank { frames: FrameRange::new(Frame::new(0), 0), node: Node(0) }; board::RAM.len()];
    let mut at = 0;
    while at < banks.len() {
        banks[at] = Bank { frames: bank_frames(&board::RAM[at]), node: Node(board::RAM[at].node) };
        at += 1;
    }
    banks
};

/// A stage of boot.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    /// What sections leave of their extents.
    Slack,
    /// Records of blocks.
    Records,
    /// Global maps.
    Vmap,
    /// What the policy needs.
    Window,
}

impl From<TooManyRanges> for MemoryError {
    fn from(_: TooManyRanges) -> Self {
        Self::TooManyRanges
    }
}

/// From free frames to the heap.
///
/// # Errors
/// When the plan leaves too little RAM.
pub fn bring_up(pmap: &Pmap, decision: Decision, ram: &Ram) -> Result<System, MemoryError> {
    let cpu = ThisCpu::new();
    let mut reach = pmap;
    let here = &mut Here::new(&cpu, &mut reach);
    let mut frames = BootAllocator::new(ram.pieces.iter().copied(), taken(ram))?;
    let mut tables = BootTables::new(&mut frames);
    let mut space = Space::new(board::BOOT.boot_root);
    let slack = give_slack(here, &mut tables, &mut space)?;
    let records = records(here, &mut tables, &mut space, banks(ram))?;
    let vmap = vmap(here, &mut tables, space)?;
    let backing = backing(here, &mut tables, space, decision)?;
    if decision.policy() == Policy::Full {
        directmap::populated();
    }
    let lent = tables.lent();
    let mut domain =
        DomainHeap::new(here, frames, records, space, board::MEMORY.lists.base).map_err(MemoryError::Feed)?;
    if let Some(blocks) = board::HEAP.fixed_blocks {
        domain.fix_pools(here, blocks, Node(0)).map_err(MemoryError::Pools)?;
    }
    Ok(System { domain, vmap, heap: Heap::new(backing), tables: lent, slack })
}

/// Unmaps what the image's sections leave of their extents: it is free RAM from here on. Returns how many pages.
fn give_slack(
    here: &mut Here<'_, ThisCpu, &Pmap>,
    tables: &mut BootTables<'_>,
    space: &mut Space,
) -> Result<u64, MemoryError> {
    let mut pages = 0;
    for section in &board::SECTIONS {
        let Slack { at, frames } = image::slack(section);
        if !frames.is_empty() {
            space
                .unmap(here, tables, LeafSize::Page, at, frames)
                .map_err(|error| MemoryError::Space(Stage::Slack, error))?;
            pages += frames.frames;
        }
    }
    Ok(pages)
}

fn records(
    here: &mut Here<'_, ThisCpu, &Pmap>,
    tables: &mut BootTables<'_>,
    space: &mut Space,
    banks: &'static [Bank],
) -> Result<Frames, MemoryError> {
    let arrays = Arrays { blocks: board::MEMORY.block_records.base, frames: board::MEMORY.frame_records.base };
    Frames::new(here, tables, space, arrays, banks).map_err(|error| MemoryError::Space(Stage::Records, error))
}

fn vmap(here: &mut Here<'_, ThisCpu, &Pmap>, tables: &mut BootTables<'_>, space: Space) -> Result<Vmap, MemoryError> {
    let window = &board::MEMORY.vmap;
    Vmap::new(here, tables, space, window.base, window.bytes / PAGE_BYTES)
        .map_err(|error| MemoryError::Space(Stage::Vmap, error))
}

fn backing(
    here: &mut Here<'_, ThisCpu, &Pmap>,
    tables: &mut BootTables<'_>,
    space: Space,
    decision: Decision,
) -> Result<board::Backing, MemoryError> {
    let ram = board::DIRECTMAP_RAM.each_ref().map(|range| range.frames());
    let area = &board::MEMORY.heap;
    let ground = Ground {
        space,
        window: Window { base: board::DIRECTMAP.base, first: Frame::new(0) },
        ram: &ram,
        area: Area { base: area.base, slots: area.bytes / Level::L2.entry_bytes() },
        leaves: board::HEAP.mapped_by,
    };
    board::Backing::begin(here, tables, &ground, decision.policy())
        .map_err(|error| MemoryError::Space(Stage::Window, error))
}

const fn bank_frames(bank: &RamBank) -> FrameRange {
    FrameRange::new(Frame::containing(bank.base), bank.bytes / PAGE_BYTES)
}

/// What is not free: ranges with an owner, and those that firmware keeps.
fn taken(ram: &Ram) -> impl Iterator<Item = FrameRange> + Clone {
    board::PHYS_REGIONS.iter().map(owned).chain(ram.kept.iter().copied())
}

/// Banks of which there is any part: a node's books lie in its own memory.
fn banks(ram: &Ram) -> &'static [Bank] {
    static PRESENT: Once<ArrayVec<Bank, { board::RAM.len() }>> = Once::new();
    let is_there = |bank: &&Bank| ram.pieces.iter().any(|piece| piece.intersects(bank.frames));
    match board::BANKS_FROM {
        BanksFrom::File => &BANKS,
        BanksFrom::Firmware => PRESENT.call_once(|| BANKS.iter().filter(is_there).copied().collect()),
    }
}

/// What an owner has of its range: sections of the image do not keep their slack.
fn owned(region: &PhysRegion) -> FrameRange {
    let first = Frame::containing(region.base);
    if let Some(section) = board::SECTIONS.iter().find(|section| section.base == region.base) {
        return FrameRange::between(first, image::slack(section).frames.first);
    }
    let end = (region.base.get() + region.bytes).div_ceil(PAGE_BYTES);
    FrameRange::new(first, end - first.number())
}

impl System {
    /// Says what there is.
    pub fn announce(&self) {
        let counts = self.domain.counts();
        say!(
            "memory: {} MiB free, {} tables from boot, {} from the heap",
            mib(counts.free),
            self.tables,
            counts.tables
        );
    }
}

fn mib(frames: u64) -> u64 {
    (frames * PAGE_BYTES) >> 20
}

impl fmt::Display for MemoryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRanges => {
                let at = Place(board::RAM[0].from);
                write!(out, "memory.bank ({at}): reservations cut RAM into too many pieces")
            }
            Self::Space(stage, error) => {
                let (what, at) = match stage {
                    Stage::Slack => ("layout.image", board::SECTIONS[0].from),
                    Stage::Records => ("records of memory", board::MEMORY.block_records.from),
                    Stage::Vmap => ("layout.vmap", board::MEMORY.vmap.from),
                    Stage::Window => ("directmap.policy", board::DIRECTMAP.from),
                };
                write!(out, "{what} ({}): {error}", Place(at))
            }
            Self::Feed(error) => write!(out, "memory.bank ({}): {error}", Place(board::RAM[0].from)),
            Self::Pools(missing) => {
                let at = Place(board::HEAP.pools_from);
                write!(out, "heap.size ({at}): {missing} blocks of 2 MiB are missing")
            }
        }
    }
}
