//! From a checked board to every address, table entry and frame of the image that boots it.
//!
//! Decides all there is to decide and writes nothing: same board, same plan. Reads no clock, no
//! environment and no image.

mod domain_area;
mod domains;
mod guest;
mod image;
mod images;
mod interrupts;
mod interval;
mod mappings;
mod memory_windows;
mod parts;
mod physical;
mod placement;
mod refusal;
mod tables;
mod windows;

#[cfg(test)]
mod tests;

use paging::{Frame, FrameRange, PhysAddr, VirtAddr};

pub use guest::{GuestGic, GuestMap, GuestRange, GuestUart, Passed};
pub use interval::{Clash, IntervalSet, Owner};
pub use parts::{
    Access, AddressRange, Blob, BlobKind, CpuFrames, DomainArea, FixedSlots, Flavour, Hole, Interrupts, Mapping,
    MemoryWindows, PhysicalRegion, PlannedDomain, PlannedEntry, PlannedSection, PlannedTable, PrivateArea, RootKind,
    VirtualRegion, Window,
};

use self::physical::Physical;
use self::placement::{Draft, Inputs};
use self::refusal::Refusal;
use self::windows::VirtualMap;
use crate::diagnostic::Diagnostics;
use crate::model::{Board, Origin, Placement};

/// Everything there is to know about the image of one board in one flavour.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The board it was planned from.
    pub board: Board,
    /// Which image.
    pub flavour: Flavour,
    /// Physical address of the image's first byte.
    pub load: PhysAddr,
    /// The key that placed it.
    pub load_from: Origin,
    /// The image and everything planned behind it.
    pub footprint: FrameRange,
    /// Text, rodata, tables and data, in this order.
    pub sections: Vec<PlannedSection>,
    /// Virtual ranges of a CPU's root, sorted and disjoint, guards included.
    pub regions: Vec<VirtualRegion>,
    /// Physical ranges with an owner, sorted and disjoint.
    pub physical: Vec<PhysicalRegion>,
    /// Every leaf that the static tables hold, and nothing else.
    pub mappings: Vec<Mapping>,
    /// The static tables; table `k` lies in frame `k` of the `tables` section.
    pub tables: Vec<PlannedTable>,
    /// Index of the turn-on root in `tables`.
    pub turn_on_root: usize,
    /// Index of the boot CPU's root in `tables`.
    pub boot_root: usize,
    /// The first page of text, mapped at its physical address by the turn-on root.
    pub identity: FrameRange,
    /// x86-64: the frame in which secondaries start.
    pub trampoline: Option<Frame>,
    /// The frames of each CPU, in logical order.
    pub cpu_frames: Vec<CpuFrames>,
    /// The fixmap; its first slots are static.
    pub fixmap: Window,
    /// The first fixmap slot that is free at run time.
    pub fixmap_free: u32,
    /// The PMAP.
    pub pmap: Window,
    /// The window onto what firmware left.
    pub firmware: Window,
    /// The per-CPU private area.
    pub private: PrivateArea,
    /// What lies behind the domain slot.
    pub domain_area: DomainArea,
    /// The interrupt controller.
    pub interrupts: Interrupts,
    /// Where the memory system keeps its books.
    pub memory: MemoryWindows,
    /// First byte of the directmap window, where the board may have one.
    pub directmap: Option<VirtAddr>,
    /// RAM that the window may show, ascending.
    pub directmap_ram: Vec<FrameRange>,
    /// Where static fixmap slots show what they show.
    pub fixed: FixedSlots,
    /// Frame of the manifest.
    pub manifest: Frame,
    /// Files that the loader places, in manifest order.
    pub blobs: Vec<Blob>,
    /// Guests, in file order.
    pub domains: Vec<PlannedDomain>,
    /// Devices that no isolation holds, in file order.
    pub holes: Vec<Hole>,
}

/// Plans one image of a board.
///
/// # Errors
/// Every reason against it, not only the first.
pub fn plan(board: &Board, flavour: Flavour) -> Result<Plan, Diagnostics> {
    decide(board, flavour).map_err(|refusals| refusal::diagnostics(&board.sources, refusals))
}

fn decide(board: &Board, flavour: Flavour) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let map = VirtualMap::new(board, &mut refusals);
    let memory = memory_windows::place(board, &map, &mut refusals);
    let mut physical = Physical::new(board);
    let given = domains::place_given(board, &mut physical, &mut refusals);
    let trampoline = image::place_trampoline(board, &mut physical, &mut refusals);
    let limits = domains::table_limits(board, &mut refusals);
    let inputs = Inputs { board, flavour, map: &map, memory: &memory, trampoline };
    let draft = image::place(&inputs, &mut physical, &mut refusals);
    let places = domains::place_auto(board, given, &mut physical, &mut refusals);
    let stores = images::place(board, &mut physical, &mut refusals);
    let guests = domains::guests(board, &mut refusals);
    physical.check_pools(&board.heap, &mut refusals);
    match draft {
        Some(draft) if refusals.is_empty() => {
            let virtual_map = (map, memory);
            let planned = domains::assemble(board, &places, &stores, &limits, guests);
            Ok(assemble(board, flavour, trampoline, virtual_map, draft, planned, physical))
        }
        _ => Err(refusals),
    }
}

fn assemble(
    board: &Board,
    flavour: Flavour,
    trampoline: Option<Frame>,
    (map, memory): (VirtualMap, MemoryWindows),
    draft: Draft,
    (domains, blobs): (Vec<PlannedDomain>, Vec<Blob>),
    physical: Physical<'_>,
) -> Plan {
    let (Placement::At(_, load_from) | Placement::Auto(load_from)) = board.boot.load;
    Plan {
        board: board.clone(),
        flavour,
        load: draft.load,
        load_from,
        footprint: draft.footprint,
        regions: windows::regions(board, &map, &memory, &draft.sections),
        physical: physical.into_regions(),
        mappings: draft.mappings,
        tables: draft.tables,
        turn_on_root: tables::index::TURN_ON_ROOT,
        boot_root: tables::index::BOOT_ROOT,
        identity: FrameRange::new(Frame::containing(draft.load), 1),
        trampoline,
        cpu_frames: draft.cpu_frames,
        fixmap: map.fixmap,
        fixmap_free: map.fixmap_free,
        pmap: map.pmap,
        firmware: map.firmware,
        private: map.private,
        domain_area: map.domain_area,
        interrupts: interrupts::place(board, memory.interrupts),
        memory,
        directmap: mappings::has_window(board).then_some(map.slots.directmap),
        directmap_ram: mappings::directmap_ram(board, draft.footprint, trampoline),
        fixed: map.fixed,
        manifest: draft.manifest,
        sections: draft.sections,
        blobs,
        domains,
        holes: domains::holes(board),
    }
}
