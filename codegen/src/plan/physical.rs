//! Physical memory: who owns what, and what is still free.
//!
//! Never moves a claim: what is given comes first, what is "auto" goes into what is left.

use std::ops::Range;

use paging::{FrameRange, PhysAddr};

use super::interval::{IntervalSet, Owner};
use super::parts::PhysicalRegion;
use super::refusal::{self, Refusal};
use super::windows::BLOCK_BYTES;
use crate::codes::{self, Code};
use crate::diagnostic::human_bytes;
use crate::model::{Board, ConsolePlace, Heap, Irq, Mmio, Origin, Pools, PowerOff, RamBank};

/// What the first frames of RAM are left for: firmware that the board file does not list.
pub(super) const FIRMWARE_BYTES: u64 = 2 << 20;

/// Claims on physical addresses.
pub(super) struct Physical<'a> {
    banks: &'a [RamBank],
    claims: IntervalSet<PhysAddr>,
}

/// A range of frames as half-open addresses.
pub(super) fn addresses(frames: FrameRange) -> Range<PhysAddr> {
    frames.first.address()..frames.end().address()
}

/// A range by its first byte and length; the end stays below 2^64.
pub(super) fn span(base: PhysAddr, bytes: u64) -> Range<PhysAddr> {
    base..PhysAddr::new(base.get().saturating_add(bytes))
}

fn align_up(at: PhysAddr, align: u64) -> Option<PhysAddr> {
    at.get().checked_next_multiple_of(align).map(PhysAddr::new)
}

impl<'a> Physical<'a> {
    /// Device registers first, then reservations: those may overlap each other and lie over devices.
    pub(super) fn new(board: &'a Board) -> Physical<'a> {
        let mut physical = Physical { banks: &board.memory.banks, claims: IntervalSet::default() };
        for (name, mmio) in devices(board) {
            physical.claims.insert_rest(span(mmio.base, mmio.bytes), &Owner::new(name, mmio.from));
        }
        for reserved in &board.memory.reserved {
            let owner = Owner::new(reserved.name.clone(), reserved.from);
            physical.claims.insert_rest(addresses(reserved.frames), &owner);
        }
        physical
    }

    /// Claims a range, or says who has it.
    pub(super) fn claim(&mut self, range: Range<PhysAddr>, owner: Owner, code: &'static Code) -> Result<(), Refusal> {
        self.claims.insert(range, owner.clone()).map_err(|clash| Refusal::overlap(code, &owner, &clash, PhysAddr::get))
    }

    /// Who would be in the way of a claim.
    pub(super) fn probe(&self, range: &Range<PhysAddr>, owner: &Owner, code: &'static Code) -> Result<(), Refusal> {
        let mut claims = self.claims.clone();
        let clash = claims.insert(range.clone(), owner.clone());
        clash.map_err(|clash| Refusal::overlap(code, owner, &clash, PhysAddr::get))
    }

    /// Whether one bank holds all of `range`.
    pub(super) fn is_ram(&self, range: &Range<PhysAddr>) -> bool {
        let holds = |bank: &RamBank| {
            let bank = addresses(bank.frames);
            bank.start <= range.start && range.end <= bank.end
        };
        self.banks.iter().any(holds)
    }

    /// A refusal of a range that no bank holds, with the bank that comes closest.
    pub(super) fn outside(
        &self,
        code: &'static Code,
        what: &str,
        range: &Range<PhysAddr>,
        from: Origin,
        label: &str,
    ) -> Refusal {
        let shown = refusal::range(range, PhysAddr::get);
        let distance = |bank: &&RamBank| {
            let bank = addresses(bank.frames);
            let above = range.start.get().saturating_sub(bank.end.get());
            above.max(bank.start.get().saturating_sub(range.start.get()))
        };
        let nearest = self.banks.iter().min_by_key(distance);
        let Some(bank) = nearest else {
            return Refusal::new(code, format!("{what} {shown} does not lie in RAM"), from, label);
        };
        let held = refusal::range(&addresses(bank.frames), PhysAddr::get);
        let message = format!("{what} {shown} does not lie in one bank of RAM; the nearest is {held}");
        Refusal::new(code, message, from, label).and(bank.from, "nearest bank")
    }

    /// First address that the planner may choose for itself.
    pub(super) fn floor(&self) -> PhysAddr {
        let lowest = self.banks.first().map_or(0, |bank| bank.frames.first.address().get());
        PhysAddr::new(lowest.saturating_add(FIRMWARE_BYTES))
    }

    /// Free RAM, lowest first.
    pub(super) fn free(&self) -> impl Iterator<Item = Range<PhysAddr>> + '_ {
        self.banks.iter().flat_map(|bank| self.claims.gaps(addresses(bank.frames)))
    }

    /// The lowest aligned address from `floor` on where `bytes` (which may depend on it) are free below `limit`.
    pub(super) fn lowest_hole(
        &self,
        floor: PhysAddr,
        limit: PhysAddr,
        align: u64,
        bytes: impl Fn(PhysAddr) -> u64,
    ) -> Option<PhysAddr> {
        self.free().find_map(|gap| {
            let at = align_up(gap.start.max(floor), align)?;
            let end = at.checked_add(bytes(at))?;
            (end <= gap.end.min(limit)).then_some(at)
        })
    }

    /// The highest free frame that ends at or below `limit`, from `floor` on.
    pub(super) fn highest_frame(&self, floor: PhysAddr, limit: PhysAddr) -> Option<PhysAddr> {
        let page = paging::PAGE_BYTES;
        let fitting = self.free().filter_map(|gap| {
            let end = gap.end.min(limit).get() / page * page;
            let at = end.checked_sub(page)?;
            (at >= gap.start.max(floor).get()).then_some(PhysAddr::new(at))
        });
        fitting.max()
    }

    /// The largest aligned free range, for help texts.
    pub(super) fn largest_hole(&self, align: u64) -> Option<Range<PhysAddr>> {
        let aligned = self.free().filter_map(|gap| {
            let start = align_up(gap.start, align)?;
            (start < gap.end).then_some(start..gap.end)
        });
        aligned.max_by_key(|gap| (gap.end.get() - gap.start.get(), std::cmp::Reverse(gap.start)))
    }

    /// Fixed pools take whole blocks out of what is left.
    pub(super) fn check_pools(&self, heap: &Heap, refusals: &mut Vec<Refusal>) {
        let Pools::Fixed(bytes) = heap.pools.value else { return };
        let whole = |gap: Range<PhysAddr>| {
            let start = align_up(gap.start, BLOCK_BYTES).map_or(u64::MAX, PhysAddr::get);
            (gap.end.get() / BLOCK_BYTES * BLOCK_BYTES).saturating_sub(start)
        };
        let free: u64 = self.free().map(whole).sum();
        // One block is split for tables and records.
        let room = free.saturating_sub(BLOCK_BYTES);
        if bytes > room {
            let message = format!(
                "the heap's pools are {}, and {} of whole 2 MiB blocks are free",
                human_bytes(bytes),
                human_bytes(free)
            );
            let help = match room {
                0 => "free some RAM: shrink a reservation or a domain".into(),
                room => format!("at most {} can be set aside: one block is for tables", human_bytes(room)),
            };
            refusals.push(Refusal::new(&codes::E0606, message, heap.pools.from, "fixed pools").help(help));
        }
    }

    /// All claims, sorted and disjoint.
    pub(super) fn into_regions(self) -> Vec<PhysicalRegion> {
        let region = |(range, owner): (Range<PhysAddr>, &Owner)| PhysicalRegion {
            name: owner.name.clone(),
            base: range.start,
            bytes: range.end.get() - range.start.get(),
            from: owner.from,
        };
        self.claims.iter().map(region).collect()
    }
}

/// Every device register the board file names, each range once.
fn devices(board: &Board) -> Vec<(String, Mmio)> {
    let mut list: Vec<(String, Mmio)> = Vec::new();
    let mut push = |name: &str, mmio: &Mmio| list.push((name.to_owned(), *mmio));
    match &board.irq {
        Irq::GicV2 { gicd, gicc, gich, gicv, v2m, .. } => {
            push("gicd", gicd);
            push("gicc", gicc);
            gich.iter().for_each(|gich| push("gich", gich));
            gicv.iter().for_each(|gicv| push("gicv", gicv));
            v2m.iter().for_each(|frame| push("v2m", frame));
        }
        Irq::GicV3 { gicd, gicr, its, .. } => {
            push("gicd", gicd);
            gicr.iter().for_each(|window| push("gicr", window));
            its.iter().for_each(|service| push("its", service));
        }
        Irq::Bcm2836 { local } => push("local interrupts", local),
        Irq::Apic { lapic, ioapic } => {
            push("local apic", lapic);
            ioapic.iter().for_each(|page| push("io apic", page));
        }
    }
    if let ConsolePlace::Mmio(mmio) = &board.console.place {
        push("console", mmio);
    }
    if let PowerOff::Mmio { address, width, .. } = board.power_off.value {
        let register = Mmio { base: address, bytes: width.bytes(), from: board.power_off.from };
        push("power-off register", &register);
    }
    for device in &board.devices {
        device.mmio.iter().for_each(|mmio| push(&device.name, mmio));
    }
    list
}

impl crate::model::Width {
    /// Bytes of one access.
    pub const fn bytes(self) -> u64 {
        match self {
            crate::model::Width::Byte => 1,
            crate::model::Width::Half => 2,
            crate::model::Width::Word => 4,
        }
    }
}
