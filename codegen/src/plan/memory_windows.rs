//! Addresses shared by all CPUs besides the image and its windows: the interrupt controller's registers, the memory
//! system's books, global maps, heap pages.
//!
//! Spends no frame on the memory system: all of it lies below the root entry of the image, whose table is there anyway.

use paging::{Level, PAGE_BYTES, VirtAddr};

use super::interrupts;
use super::parts::{Access, AddressRange, MemoryWindows, VirtualRegion};
use super::refusal::Refusal;
use super::windows::{BLOCK_BYTES, VirtualMap, guard};
use crate::codes;
use crate::diagnostic::human_bytes;
use crate::model::{Board, DirectmapPolicy, Origin, PolicyChoice};

/// What one root entry spans.
const SLOT_BYTES: u64 = Level::L0.entry_bytes();
/// Frame records begin where a gigabyte of RAM does: the largest chunk that the heap knows.
const GROUP_BYTES: u64 = Level::L1.entry_bytes();
/// Bytes of a block's record.
const BLOCK_RECORD_BYTES: u64 = 16;
/// Bytes of the records of a block's frames.
const FRAME_RECORDS_BYTES: u64 = PAGE_BYTES;

/// Names of the windows, as regions.
const NAMES: [(&str, &str); 6] = [
    ("interrupt controller", "guard above interrupt controller"),
    ("heap lists", "guard above heap lists"),
    ("block records", "guard above block records"),
    ("frame records", "guard above frame records"),
    ("vmap", "guard above vmap"),
    ("heap", "guard above heap"),
];

/// Free addresses below the image's root entry, as offsets from the start of what it spans.
struct Gap {
    next: u64,
    end: u64,
}

impl Gap {
    fn take(&mut self, bytes: u64) -> Option<u64> {
        let at = self.next;
        // A guard lies behind each window.
        self.next = at.checked_add(bytes)?.checked_add(BLOCK_BYTES).filter(|end| *end <= self.end)?;
        Some(at)
    }
}

/// Whether heap pages may need addresses of their own.
fn heap_has_an_area(board: &Board) -> bool {
    match (board.directmap.value, board.directmap_choice.value) {
        (DirectmapPolicy::None, _) => true,
        (DirectmapPolicy::Full | DirectmapPolicy::OnDemand, PolicyChoice::Fixed | PolicyChoice::AtBoot) => false,
    }
}

/// Bytes of RAM from the gigabyte of the lowest bank to that of the highest, holes included; and the highest bank's key.
fn span(board: &Board) -> (u64, Origin) {
    let banks = &board.memory.banks;
    let (Some(first), Some(last)) = (banks.first(), banks.last()) else { return (0, Origin::Default) };
    let low = first.frames.first.address().get() / GROUP_BYTES;
    let high = last.frames.end().address().get().div_ceil(GROUP_BYTES);
    ((high - low) * GROUP_BYTES, last.from)
}

/// Lays the windows out around the image, the small ones first: those share its tables.
pub(super) fn place(board: &Board, map: &VirtualMap, refusals: &mut Vec<Refusal>) -> MemoryWindows {
    let (span, highest) = span(board);
    let blocks = span / BLOCK_BYTES;
    let whole = |bytes: u64| bytes.next_multiple_of(BLOCK_BYTES);
    let layout = &board.layout;
    let wanted = [
        interrupts::wanted(board),
        (BLOCK_BYTES, Origin::Default),
        (whole(blocks * BLOCK_RECORD_BYTES), highest),
        (whole(blocks * FRAME_RECORDS_BYTES), highest),
        (layout.vmap_bytes.value, layout.vmap_bytes.from),
        (if heap_has_an_area(board) { layout.heap_bytes.value } else { 0 }, layout.heap_bytes.from),
    ];
    let slot = map.image.get() / SLOT_BYTES * SLOT_BYTES;
    let image = map.image.get() - slot;
    // The guard below the image is a block, the windows above are one; the last block of the slot stays empty.
    let above = Gap { next: image + 2 * BLOCK_BYTES, end: SLOT_BYTES - BLOCK_BYTES };
    let below = Gap { next: BLOCK_BYTES, end: image.saturating_sub(BLOCK_BYTES) };
    let mut gaps = [above, below];
    let places = wanted.map(|(bytes, from)| {
        let offset = gaps.iter_mut().find_map(|gap| gap.take(bytes));
        let base = offset.and_then(|offset| VirtAddr::new(slot).checked_add(offset));
        base.map(|base| AddressRange { base, bytes, from })
    });
    if let Some(missing) = places.iter().position(Option::is_none) {
        refusals.push(too_large(&wanted, missing));
    }
    // A refused plan is never used.
    let [interrupts, lists, block_records, frame_records, vmap, heap] =
        places.map(|place| place.unwrap_or(AddressRange { base: map.image, bytes: 0, from: Origin::Default }));
    let heap = heap_has_an_area(board).then_some(heap);
    MemoryWindows { lists, block_records, frame_records, vmap, heap, interrupts }
}

fn too_large(wanted: &[(u64, Origin); 6], missing: usize) -> Refusal {
    let total: u64 = wanted.iter().map(|(bytes, _)| bytes).fold(0, |sum, bytes| sum.saturating_add(*bytes));
    let message = format!(
        "records, vmap and heap take {} of addresses, the root entry of the image spans {}",
        human_bytes(total),
        human_bytes(SLOT_BYTES)
    );
    let largest = wanted.iter().zip(NAMES).max_by_key(|((bytes, _), _)| *bytes);
    let ((_, from), (name, _)) = largest.expect("six windows");
    let mut refusal = Refusal::new(&codes::E0605, message, *from, name);
    let (at, (short, _)) = (wanted[missing].1, NAMES[missing]);
    if at != *from {
        refusal = refusal.and(at, format!("no room for {short}"));
    }
    let help = match name {
        "vmap" => "shrink layout.vmap.size",
        "heap" => "shrink layout.heap.size",
        _ => {
            "leave the banks out that lie furthest apart: a page of addresses is set aside for each 2 MiB between them"
        }
    };
    refusal.help(help)
}

/// The windows as regions, with a guard behind each.
pub(super) fn regions(windows: &MemoryWindows) -> Vec<VirtualRegion> {
    let ranges = [
        Some(windows.lists),
        Some(windows.block_records),
        Some(windows.frame_records),
        Some(windows.vmap),
        windows.heap,
    ];
    let mut list = Vec::new();
    for (range, (name, above)) in ranges.into_iter().zip(&NAMES[1..]) {
        let Some(AddressRange { base, bytes, from }) = range else { continue };
        let region = VirtualRegion { name: (*name).into(), base, bytes, access: Access::Window, from };
        let end = VirtAddr::new(base.get() + bytes);
        list.push(region);
        list.push(guard(above, end, VirtAddr::new(end.get() + BLOCK_BYTES), from));
    }
    list
}
