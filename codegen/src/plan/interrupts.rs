//! The interrupt controller's registers, page by page: which of them the hypervisor sees, and where.
//!
//! Only pages that hold registers it uses; never a guest's CPU interface, which the domain's own tables show.

use paging::{Frame, FrameRange, HostAccess, HostAttributes, Memory, PAGE_BYTES, PhysAddr, VirtAddr};

use super::parts::{Access, AddressRange, Interrupts, Mapping, RootKind, VirtualRegion};
use super::windows::{BLOCK_BYTES, guard, page};
use crate::model::{Board, GicPages, Irq, Mmio, Origin};

/// Pages of a GICv3's distributor up to GICD_IROUTER<n>. Arm IHI 0069, "Distributor register map".
const GICV3_GICD_PAGES: u64 = 8;
/// SGI_base behind RD_base. Arm IHI 0069, "Redistributor register map".
const SGI_BASE: u64 = 0x1_0000;
/// Bytes between the pages of a GICv2's CPU interface where each is repeated through 64 KiB.
const ALIASED: u64 = 0x1_0000;

/// The maintenance interrupt of most chips: enabled where there is no virtual interface to raise it, it stays silent. Arm
/// Base System Architecture (DEN 0094), "PPI assignments".
const NO_MAINTENANCE: u32 = 25;

/// The name of the range, in every report.
const NAME: &str = "interrupt controller";

fn at(mmio: &Mmio, offset: u64) -> Frame {
    Frame::containing(PhysAddr::new(mmio.base.get() + offset))
}

/// Which pages, in the order of their addresses; none where the hypervisor does not drive the controller.
fn frames(board: &Board) -> Vec<Frame> {
    match &board.irq {
        Irq::GicV2 { gicd, gicc, gich, pages, .. } => {
            let second = match pages {
                GicPages::Adjacent => PAGE_BYTES,
                GicPages::Aliased64K => ALIASED,
            };
            let own = [at(gicd, 0), at(gicc, 0), at(gicc, second)];
            own.into_iter().chain(gich.iter().map(|gich| at(gich, 0))).collect()
        }
        Irq::GicV3 { gicd, .. } => {
            let distributor = (0..GICV3_GICD_PAGES).map(|number| at(gicd, number * PAGE_BYTES));
            distributor.chain(redistributors(board).into_iter().flatten()).collect()
        }
        Irq::Bcm2836 { .. } | Irq::Apic { .. } => Vec::new(),
    }
}

/// The two pages of each redistributor: the first ones, one for each core, in no order of cores.
fn redistributors(board: &Board) -> Vec<[Frame; 2]> {
    let Irq::GicV3 { gicr, stride_bytes, .. } = &board.irq else { return Vec::new() };
    let all = gicr.iter().flat_map(|window| {
        (0..window.redistributors(*stride_bytes))
            .map(move |number| [0, SGI_BASE].map(|offset| at(window, number * stride_bytes + offset)))
    });
    all.take(board.cpus.cores.len()).collect()
}

/// Whole blocks of addresses that the pages need, and the key that asks for them.
pub(super) fn wanted(board: &Board) -> (u64, Origin) {
    let from = match &board.irq {
        Irq::GicV2 { gicd, .. } | Irq::GicV3 { gicd, .. } => gicd.from,
        Irq::Bcm2836 { local } => local.from,
        Irq::Apic { lapic, .. } => lapic.from,
    };
    ((frames(board).len() as u64 * PAGE_BYTES).next_multiple_of(BLOCK_BYTES), from)
}

/// What lies where in the range.
pub(super) fn place(board: &Board, range: AddressRange) -> Interrupts {
    match &board.irq {
        Irq::GicV2 { gich, maintenance_intid, .. } => Interrupts::GicV2 {
            distributor: range.base,
            cpu_interface: page(range.base, 1),
            control: gich.as_ref().map(|_| page(range.base, 3)),
            maintenance_intid: maintenance_intid.unwrap_or(NO_MAINTENANCE),
        },
        Irq::GicV3 { maintenance_intid, .. } => Interrupts::GicV3 {
            distributor: range.base,
            redistributors: page(range.base, GICV3_GICD_PAGES),
            count: redistributors(board).len(),
            maintenance_intid: *maintenance_intid,
        },
        Irq::Bcm2836 { .. } => Interrupts::None,
        Irq::Apic { .. } => Interrupts::Apic,
    }
}

/// Every page, where it is seen; none when there was no room for them.
pub(super) fn mappings(board: &Board, range: AddressRange) -> Vec<Mapping> {
    if range.bytes == 0 {
        return Vec::new();
    }
    let mapping = |(number, frame): (usize, Frame)| Mapping {
        root: RootKind::BootCpu,
        at: page(range.base, number as u64),
        frames: FrameRange::new(frame, 1),
        attributes: HostAttributes::new(HostAccess::ReadWrite, Memory::Device),
        region: NAME.into(),
    };
    frames(board).into_iter().enumerate().map(mapping).collect()
}

/// The pages as a region; what follows, up to the next range, is a guard.
pub(super) fn regions(board: &Board, range: AddressRange) -> Vec<VirtualRegion> {
    let (base, from) = (range.base, range.from);
    let bytes = frames(board).len() as u64 * PAGE_BYTES;
    if bytes == 0 {
        return Vec::new();
    }
    let end = VirtAddr::new(base.get() + bytes);
    let next = VirtAddr::new(base.get() + range.bytes + BLOCK_BYTES);
    let region = VirtualRegion { name: NAME.into(), base, bytes, access: Access::Device, from };
    vec![region, guard("guard above interrupt controller", end, next, from)]
}
