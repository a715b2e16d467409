//! The hypervisor's virtual map: which slot, page and window lies where.
//!
//! Places nothing physical. All of it is the same on every CPU. That the windows fit their tables is
//! checked before a board becomes a model.

use std::collections::BTreeMap;

use paging::{Level, PAGE_BYTES, VirtAddr};

use super::domain_area;
use super::interrupts;
use super::interval::{IntervalSet, Owner};
use super::mappings::directmap_slots;
use super::memory_windows;
use super::parts::{Access, DomainArea, FixedSlots, MemoryWindows, PlannedSection, PrivateArea, VirtualRegion, Window};
use super::refusal::Refusal;
use super::tables::index;
use crate::codes;
use crate::model::{Arch, Board, ConsolePlace, EnableMethod, Layout, Origin, Placement, PowerOff};

/// What one last-level table spans, and so the size of the image window.
pub(super) const BLOCK_BYTES: u64 = Level::L2.entry_bytes();

/// Entries of a table.
const ENTRIES: u64 = 512;

/// Virtual addresses that the architecture fixes: one top-level entry each.
pub(super) struct Slots {
    /// Image and shared windows.
    pub(super) hypervisor: VirtAddr,
    /// Per-CPU private area.
    pub(super) private: VirtAddr,
    /// What belongs to the loaded domain.
    pub(super) domain: VirtAddr,
    /// The directmap window: RAM at this address plus its physical address.
    pub(super) directmap: VirtAddr,
}

impl Slots {
    /// AArch64: anywhere in the 48 bits of TTBR0_EL2. x86-64: the canonical upper half, the image in
    /// its last 2 GiB, where the `kernel` code model expects it (System V ABI, AMD64 supplement, "Code Models").
    pub(super) const fn of(arch: Arch) -> Slots {
        match arch {
            Arch::Aarch64 => Slots {
                hypervisor: VirtAddr::new(0x0a00_0000_0000),
                private: VirtAddr::new(0x7f80_0000_0000),
                domain: VirtAddr::new(0x7f00_0000_0000),
                directmap: VirtAddr::new(0x8000_0000_0000),
            },
            Arch::X86_64 => Slots {
                hypervisor: VirtAddr::new(0xffff_ffff_8000_0000),
                private: VirtAddr::new(0xffff_ff00_0000_0000),
                domain: VirtAddr::new(0xffff_fe80_0000_0000),
                directmap: VirtAddr::new(0xffff_8000_0000_0000),
            },
        }
    }
}

/// The whole virtual map, before anything physical is known.
pub(super) struct VirtualMap {
    /// Architecture slots.
    pub(super) slots: Slots,
    /// First byte of the image window: text starts here.
    pub(super) image: VirtAddr,
    /// The key that placed it.
    pub(super) image_from: Origin,
    /// Shared windows.
    pub(super) fixmap: Window,
    pub(super) pmap: Window,
    pub(super) firmware: Window,
    /// Static fixmap slots.
    pub(super) fixed: FixedSlots,
    /// First fixmap slot that is free at run time.
    pub(super) fixmap_free: u32,
    /// Private area.
    pub(super) private: PrivateArea,
    /// What lies behind the domain slot.
    pub(super) domain_area: DomainArea,
}

/// A page of the shared or private window, in bytes from its start.
pub(super) fn page(base: VirtAddr, number: u64) -> VirtAddr {
    base.checked_add(number * PAGE_BYTES).expect("the windows lie below the top of the address space")
}

impl VirtualMap {
    /// Lays the windows out one after the other, a guard page between each two.
    pub(super) fn new(board: &Board, refusals: &mut Vec<Refusal>) -> VirtualMap {
        let slots = Slots::of(board.arch);
        let (image, image_from) = image_base(board, &slots, refusals);
        let windows = page(image, ENTRIES);
        let layout = &board.layout;
        let pmap_first = u64::from(layout.fixmap_slots.value) + 1;
        let firmware_first = pmap_first + u64::from(layout.pmap_slots.value) + 1;
        let window = |first: u64, slots: u32, from| Window {
            base: page(windows, first),
            slots,
            table: index::WINDOWS,
            first: first as usize,
            from,
        };
        let (fixed, fixmap_free) = fixed_slots(board, windows);
        VirtualMap {
            private: private_area(board, &slots),
            domain_area: domain_area::place(&slots),
            fixmap: window(0, layout.fixmap_slots.value, layout.fixmap_slots.from),
            pmap: window(pmap_first, layout.pmap_slots.value, layout.pmap_slots.from),
            firmware: window(firmware_first, layout.firmware_slots.value, layout.firmware_slots.from),
            slots,
            image,
            image_from,
            fixed,
            fixmap_free,
        }
    }

    /// Fixmap, PMAP, firmware window and the guards between them.
    pub(super) fn shared_regions(&self, board: &Board) -> Vec<VirtualRegion> {
        let mut regions = self.fixmap_regions(board);
        let end = page(self.image, 2 * ENTRIES);
        let windows = [("pmap", &self.pmap), ("firmware window", &self.firmware)];
        let mut guard_from = ("guard above fixmap", self.fixmap.end());
        for (name, window) in windows {
            regions.push(guard(guard_from.0, guard_from.1, window.base, window.from));
            regions.push(VirtualRegion {
                name: name.into(),
                base: window.base,
                bytes: window.bytes(),
                access: Access::Window,
                from: window.from,
            });
            let above = if name == "pmap" { "guard above pmap" } else { "guard above firmware window" };
            guard_from = (above, window.end());
        }
        regions.push(guard(guard_from.0, guard_from.1, end, self.firmware.from));
        regions
    }

    /// One region for each static slot, one for the slots that are free at run time.
    fn fixmap_regions(&self, board: &Board) -> Vec<VirtualRegion> {
        let mut regions: Vec<VirtualRegion> = Vec::new();
        let mut push = |name: &str, base: VirtAddr, pages: u64, access, from| {
            regions.push(VirtualRegion { name: name.into(), base, bytes: pages * PAGE_BYTES, access, from });
        };
        for slot in static_slots(board) {
            let base = page(self.fixmap.base, slot.first);
            push(slot.name, base, slot.pages, slot.access, slot.from);
        }
        let free = u64::from(self.fixmap.slots.saturating_sub(self.fixmap_free));
        if free > 0 {
            let base = page(self.fixmap.base, u64::from(self.fixmap_free));
            push("fixmap", base, free, Access::Window, self.fixmap.from);
        }
        regions
    }

    /// Stack, aliases, map cache and scrub window of one CPU.
    pub(super) fn private_regions(&self, board: &Board) -> Vec<VirtualRegion> {
        let area = &self.private;
        let base = self.slots.private;
        let stack_from = board.layout.stack_bytes.from;
        let cache_from = board.layout.mapcache_slots.from;
        let region =
            |name: &str, base, bytes, access, from| VirtualRegion { name: name.into(), base, bytes, access, from };
        let stack_end = area.stack.checked_add(area.stack_bytes).expect("the stack lies inside its table");
        let scratch_end = page(area.scratch, area.scratch_bytes / PAGE_BYTES);
        let cache_bytes = u64::from(area.mapcache_slots) * PAGE_BYTES;
        let cache_end = area.mapcache.checked_add(cache_bytes).expect("the map cache lies inside its table");
        vec![
            guard("guard below stack", base, area.stack, stack_from),
            region("stack", area.stack, area.stack_bytes, Access::ReadWrite, stack_from),
            guard("guard above stack", stack_end, area.scrub_table, stack_from),
            region("scrub table", area.scrub_table, PAGE_BYTES, Access::ReadWrite, Origin::Default),
            region("map cache table", area.mapcache_table, PAGE_BYTES, Access::ReadWrite, cache_from),
            region("root table", area.root_table, PAGE_BYTES, Access::ReadWrite, Origin::Default),
            region("scratch", area.scratch, area.scratch_bytes, Access::ReadWrite, cache_from),
            guard("guard below map cache", scratch_end, area.mapcache, cache_from),
            region("map cache", area.mapcache, cache_bytes, Access::Window, cache_from),
            guard("guard above map cache", cache_end, area.scrub, cache_from),
            region("scrub window", area.scrub, BLOCK_BYTES, Access::Window, Origin::Default),
        ]
    }
}

/// Every range of a CPU's root that has a name, sorted and disjoint.
pub(super) fn regions(
    board: &Board,
    map: &VirtualMap,
    memory: &MemoryWindows,
    sections: &[PlannedSection],
) -> Vec<VirtualRegion> {
    let mut list = vec![guard("page 0", VirtAddr::new(0), page(VirtAddr::new(0), 1), Origin::Default)];
    let below = map.image.get() - BLOCK_BYTES;
    list.push(guard("guard below image", VirtAddr::new(below), map.image, map.image_from));
    let mut end = map.image;
    for section in sections {
        list.push(VirtualRegion {
            name: section.name.into(),
            base: section.link,
            bytes: section.bytes,
            access: section.access,
            from: section.from,
        });
        end = page(section.link, section.bytes / PAGE_BYTES);
    }
    list.push(guard("guard above image", end, page(map.image, ENTRIES), map.image_from));
    list.extend(map.shared_regions(board));
    list.extend(map.private_regions(board));
    list.extend(interrupts::regions(board, memory.interrupts));
    list.extend(memory_windows::regions(memory));
    list.extend(domain_area::regions(board, &map.domain_area));
    let directmap = directmap_slots(board, map).into_iter();
    list.extend(directmap.map(|base| VirtualRegion {
        name: "directmap".into(),
        base,
        bytes: Level::L0.entry_bytes(),
        access: Access::Window,
        from: board.directmap.from,
    }));
    list.retain(|region| region.bytes > 0);
    disjoint(list)
}

/// Sorts by address and proves that no two share a byte.
fn disjoint(list: Vec<VirtualRegion>) -> Vec<VirtualRegion> {
    let mut set = IntervalSet::default();
    let mut sorted = BTreeMap::new();
    for region in list {
        let end = VirtAddr::new(region.base.get() + region.bytes);
        let owner = Owner::new(region.name.clone(), region.from);
        set.insert(region.base..end, owner).expect("the windows are laid out one behind the other");
        sorted.insert(region.base, region);
    }
    sorted.into_values().collect()
}

impl Window {
    /// Length in bytes.
    pub fn bytes(&self) -> u64 {
        u64::from(self.slots) * PAGE_BYTES
    }

    /// First byte behind the last slot.
    pub fn end(&self) -> VirtAddr {
        self.base.checked_add(self.bytes()).expect("a window lies inside its table")
    }
}

/// A guard from `base` to `end`.
pub(super) fn guard(name: &str, base: VirtAddr, end: VirtAddr, from: Origin) -> VirtualRegion {
    VirtualRegion { name: name.into(), base, bytes: end.get().saturating_sub(base.get()), access: Access::Guard, from }
}

/// A run of fixmap slots whose entries are in the static tables.
pub(super) struct StaticSlot {
    pub(super) name: &'static str,
    pub(super) first: u64,
    pub(super) pages: u64,
    pub(super) access: Access,
    pub(super) from: Origin,
    /// First byte behind the slots; nothing for the manifest, whose frame is planned.
    pub(super) shows: Option<paging::PhysAddr>,
}

/// Static fixmap slots, in order: console, local APIC, power-off register, manifest.
pub(super) fn static_slots(board: &Board) -> Vec<StaticSlot> {
    let mut slots = Vec::new();
    let mut next = 0;
    let mut push = |name, pages, access, from, shows| {
        slots.push(StaticSlot { name, first: next, pages, access, from, shows });
        next += pages;
    };
    if let ConsolePlace::Mmio(mmio) = board.console.place {
        let pages = (mmio.base.get() % PAGE_BYTES + mmio.bytes).div_ceil(PAGE_BYTES);
        push("console", pages, Access::Device, mmio.from, Some(mmio.base));
    }
    if let (EnableMethod::Sipi, crate::model::Irq::Apic { lapic, .. }) = (board.cpus.enable.value, &board.irq) {
        push("local apic", 1, Access::Device, lapic.from, Some(lapic.base));
    }
    if let PowerOff::Mmio { address, .. } = board.power_off.value {
        push("power-off register", 1, Access::Device, board.power_off.from, Some(address));
    }
    push("manifest", 1, Access::Read, Origin::Default, None);
    slots
}

/// Addresses of the static slots, and how many there are.
fn fixed_slots(board: &Board, windows: VirtAddr) -> (FixedSlots, u32) {
    let slots = static_slots(board);
    let find = |name: &str| {
        let slot = slots.iter().find(|slot| slot.name == name)?;
        let offset = slot.shows.map_or(0, |address| address.get() % PAGE_BYTES);
        page(windows, slot.first).checked_add(offset)
    };
    let used = slots.iter().map(|slot| slot.pages).sum::<u64>();
    let fixed = FixedSlots {
        console: find("console"),
        lapic: find("local apic"),
        power_off: find("power-off register"),
        manifest: find("manifest").expect("every plan has a manifest slot"),
    };
    (fixed, u32::try_from(used).unwrap_or(u32::MAX))
}

/// Guard, stack, guard, three aliases, scratch pages, guard, map cache; behind them the scrub window.
fn private_area(board: &Board, slots: &Slots) -> PrivateArea {
    let stack = &board.layout.stack_bytes;
    let cache = &board.layout.mapcache_slots;
    let aliases = 1 + stack.value / PAGE_BYTES + 1;
    let scratch_pages = Layout::scratch_pages(cache.value);
    let mapcache = aliases + 3 + scratch_pages + 1;
    PrivateArea {
        stack: page(slots.private, 1),
        stack_bytes: stack.value,
        scratch: page(slots.private, aliases + 3),
        scratch_bytes: scratch_pages * PAGE_BYTES,
        mapcache: page(slots.private, mapcache),
        mapcache_slots: cache.value,
        scrub: page(slots.private, ENTRIES),
        scrub_table: page(slots.private, aliases),
        mapcache_table: page(slots.private, aliases + 1),
        root_table: page(slots.private, aliases + 2),
    }
}

/// Where text starts: one block above the slot's start, or where the file says.
fn image_base(board: &Board, slots: &Slots, refusals: &mut Vec<Refusal>) -> (VirtAddr, Origin) {
    let auto = page(slots.hypervisor, ENTRIES);
    let (base, from) = match board.layout.image_base {
        Placement::Auto(from) => return (auto, from),
        Placement::At(base, from) => (base, from),
    };
    let slot_bytes = Level::L0.entry_bytes();
    let span = Level::L1.entry_bytes();
    let offset = base.get() % span;
    let reachable = match board.arch {
        Arch::Aarch64 => base.get() >= slot_bytes && base.get() < slots.domain.get(),
        Arch::X86_64 => base.get() >= slots.hypervisor.get(),
    };
    // The guard below, the image and the windows are served by one level-2 table.
    let fits = offset >= BLOCK_BYTES && offset + 2 * BLOCK_BYTES < span;
    if base.get() % BLOCK_BYTES == 0 && reachable && fits {
        return (base, from);
    }
    let low = match board.arch {
        Arch::Aarch64 => slot_bytes,
        Arch::X86_64 => slots.hypervisor.get(),
    };
    let message = format!("the image window cannot start at {base}");
    let help = format!(
        "use a multiple of 2 MiB from {} on that lies at least 2 MiB above and 6 MiB below a multiple of 1 GiB, for example {auto}",
        VirtAddr::new(low)
    );
    refusals.push(Refusal::new(&codes::E0506, message, from, "image base").help(help));
    (auto, from)
}
