//! Every leaf of the static tables, as a list.
//!
//! Maps nothing that belongs to a domain, and nothing twice with different rights.

use std::ops::Range;

use paging::{Frame, FrameRange, HostAccess, HostAttributes, Level, Memory, PAGE_BYTES, PhysAddr, VirtAddr};

use super::interrupts;
use super::parts::{Access, AddressRange, CpuFrames, Mapping, PlannedSection, RootKind};
use super::physical::addresses;
use super::windows::{BLOCK_BYTES, VirtualMap, page, static_slots};
use crate::model::{Board, DirectmapPolicy, PolicyChoice, ReservedKind};

/// What the mappings show, once it has a place.
pub(super) struct Placed<'a> {
    pub(super) board: &'a Board,
    pub(super) map: &'a VirtualMap,
    pub(super) interrupts: AddressRange,
    pub(super) sections: &'a [PlannedSection],
    pub(super) footprint: FrameRange,
    pub(super) boot_cpu: CpuFrames,
    pub(super) manifest: Frame,
    pub(super) trampoline: Option<Frame>,
}

const CODE: HostAttributes = HostAttributes::new(HostAccess::Execute, Memory::Normal);
const CONSTANTS: HostAttributes = HostAttributes::new(HostAccess::Read, Memory::Normal);
const DATA: HostAttributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);
const DEVICE: HostAttributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Device);

/// Attributes of a mapped region; none for guards and windows.
fn attributes(access: Access) -> Option<HostAttributes> {
    match access {
        Access::Execute => Some(CODE),
        Access::Read => Some(CONSTANTS),
        Access::ReadWrite => Some(DATA),
        Access::Device => Some(DEVICE),
        Access::Guard | Access::Window => None,
    }
}

impl Placed<'_> {
    /// All of them: image, static fixmap slots, private area, interrupt controller, directmap, identity.
    pub(super) fn mappings(&self) -> Vec<Mapping> {
        let mut list: Vec<Mapping> = self.image().collect();
        list.extend(self.fixmap());
        list.extend(self.private());
        list.extend(interrupts::mappings(self.board, self.interrupts));
        list.extend(self.directmap());
        list.extend(self.identity());
        list
    }

    fn image(&self) -> impl Iterator<Item = Mapping> + '_ {
        self.sections.iter().filter_map(|section| {
            let frames = FrameRange::new(Frame::containing(section.base), section.bytes / PAGE_BYTES);
            boot_cpu(section.name, section.link, frames, attributes(section.access)?)
        })
    }

    fn fixmap(&self) -> impl Iterator<Item = Mapping> + '_ {
        static_slots(self.board).into_iter().filter_map(|slot| {
            let first = slot.shows.map_or(self.manifest, Frame::containing);
            let at = page(self.map.fixmap.base, slot.first);
            boot_cpu(slot.name, at, FrameRange::new(first, slot.pages), attributes(slot.access)?)
        })
    }

    fn private(&self) -> impl Iterator<Item = Mapping> + '_ {
        let area = &self.map.private;
        let frames = &self.boot_cpu;
        let stack = FrameRange::new(frames.stack, area.stack_bytes / PAGE_BYTES);
        let pages = [
            ("stack", area.stack, stack),
            ("scrub table", area.scrub_table, FrameRange::new(frames.private_l2, 1)),
            ("map cache table", area.mapcache_table, FrameRange::new(frames.private_l3, 1)),
            ("root table", area.root_table, FrameRange::new(frames.root, 1)),
            ("scratch", area.scratch, FrameRange::new(frames.scratch, area.scratch_bytes / PAGE_BYTES)),
        ];
        pages.into_iter().filter_map(|(name, at, frames)| boot_cpu(name, at, frames, DATA))
    }

    /// All RAM that may be mapped; where the policy is chosen at boot, only the root entries are static.
    fn directmap(&self) -> Vec<Mapping> {
        match (self.board.directmap.value, self.board.directmap_choice.value) {
            (DirectmapPolicy::None | DirectmapPolicy::OnDemand, _) | (_, PolicyChoice::AtBoot) => Vec::new(),
            (DirectmapPolicy::Full, PolicyChoice::Fixed) => directmap_ram(self.board, self.footprint, self.trampoline)
                .into_iter()
                .filter_map(|frames| {
                    let at = self.map.slots.directmap.checked_add(frames.first.address().get())?;
                    boot_cpu("directmap", at, frames, DATA)
                })
                .collect(),
        }
    }

    /// What executes while the MMU comes on, at its physical address.
    fn identity(&self) -> Vec<Mapping> {
        let entry = Frame::containing(self.sections[0].base);
        let mut list: Vec<_> = std::iter::once(("entry", entry))
            .chain(self.trampoline.map(|frame| ("trampoline", frame)))
            .map(|(name, frame)| Mapping {
                root: RootKind::TurnOn,
                at: VirtAddr::new(frame.address().get()),
                frames: FrameRange::new(frame, 1),
                attributes: CODE,
                region: name.into(),
            })
            .collect();
        list.sort_by_key(|mapping| mapping.at);
        list
    }
}

fn boot_cpu(name: &str, at: VirtAddr, frames: FrameRange, attributes: HostAttributes) -> Option<Mapping> {
    (!frames.is_empty()).then(|| Mapping { root: RootKind::BootCpu, at, frames, attributes, region: name.into() })
}

/// First bytes of the top-level entries that RAM needs in the directmap window.
pub(super) fn directmap_slots(board: &Board, map: &VirtualMap) -> Vec<VirtAddr> {
    let span = Level::L0.entry_bytes();
    let slots = |range: Range<PhysAddr>| range.start.get() / span..=(range.end.get() - 1) / span;
    if !has_window(board) {
        return Vec::new();
    }
    let mut list: Vec<_> = board.memory.banks.iter().flat_map(|bank| slots(addresses(bank.frames))).collect();
    list.dedup();
    list.into_iter().map(|slot| VirtAddr::new(map.slots.directmap.get() + slot * span)).collect()
}

/// Whether RAM may have to appear in a window.
pub(super) fn has_window(board: &Board) -> bool {
    match (board.directmap.value, board.directmap_choice.value) {
        (DirectmapPolicy::None, PolicyChoice::Fixed) => false,
        (DirectmapPolicy::OnDemand | DirectmapPolicy::Full, _) | (_, PolicyChoice::AtBoot) => true,
    }
}

/// RAM as the directmap may show it: banks less the footprint, which would be writable twice, rounded up to blocks, less
/// the trampoline, which is executed, and less no-map and hole reservations.
pub(super) fn directmap_ram(board: &Board, footprint: FrameRange, trampoline: Option<Frame>) -> Vec<FrameRange> {
    if !has_window(board) {
        return Vec::new();
    }
    let frames =
        |range: Range<PhysAddr>| FrameRange::between(Frame::containing(range.start), Frame::containing(range.end));
    directmap_ranges(board, footprint, trampoline).into_iter().map(frames).collect()
}

fn directmap_ranges(board: &Board, footprint: FrameRange, trampoline: Option<Frame>) -> Vec<Range<PhysAddr>> {
    let mut cuts: Vec<Range<PhysAddr>> = board
        .memory
        .reserved
        .iter()
        .filter(|reserved| match reserved.kind {
            ReservedKind::NoMap | ReservedKind::Hole => true,
            ReservedKind::Reserved => false,
        })
        .map(|reserved| addresses(reserved.frames))
        .collect();
    let own = addresses(footprint);
    cuts.push(own.start..PhysAddr::new(own.end.get().next_multiple_of(BLOCK_BYTES)));
    cuts.extend(trampoline.map(|frame| addresses(FrameRange::new(frame, 1))));
    cuts.sort_by_key(|cut| cut.start);
    let mut ranges = Vec::new();
    for bank in &board.memory.banks {
        let bank = addresses(bank.frames);
        let mut at = bank.start;
        for cut in cuts.iter().filter(|cut| cut.start < bank.end && cut.end > bank.start) {
            if cut.start > at {
                ranges.push(at..cut.start);
            }
            at = at.max(cut.end);
        }
        if at < bank.end {
            ranges.push(at..bank.end);
        }
    }
    ranges
}
