//! What a guest sees besides its memory: where its interrupt controller, console and grant table appear.
//!
//! Guest-physical addresses and interrupt numbers only: the hypervisor's emulation and the guest's device tree both take
//! them from here. Never lays a window on the domain's memory or on a device that is passed through.

use std::ops::Range;

use paging::{Frame, FrameRange, Ipa, Level, PAGE_BYTES, PhysAddr};

use super::refusal::Refusal;
use crate::codes;
use crate::diagnostic::{Radix, human_bytes};
use crate::model::{Board, ConsolePlace, Domain, GicPages, GuestConsole, Irq, Mmio, Origin};

/// What a guest sees besides its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestMap {
    /// The interrupt controller.
    pub gic: GuestGic,
    /// The emulated PL011.
    pub uart: Option<GuestUart>,
    /// The page of Xen's console ring, and one behind it for `shared_info` until the guest says where it wants that.
    pub console_ring: GuestRange,
    /// Where the guest maps its grant table.
    pub grants: GuestRange,
    /// The private interrupt that announces events.
    pub event_intid: u32,
    /// MPIDR_EL1 affinity fields of each vCPU, in order.
    pub vcpu_ids: Vec<u32>,
    /// Devices of the machine that are the guest's own.
    pub passed: Vec<Passed>,
}

/// A range of guest-physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestRange {
    /// First byte, 64 KiB aligned.
    pub base: Ipa,
    /// Length in bytes, whole pages.
    pub bytes: u64,
}

/// The interrupt controller that a guest sees: of the machine's own kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestGic {
    /// GICv2: distributor emulated, CPU interface the machine's virtual one.
    V2 {
        /// Distributor.
        gicd: GuestRange,
        /// CPU interface, two pages.
        gicc: GuestRange,
        /// The pages of GICV that stage 2 shows there.
        gicv: [Frame; 2],
    },
    /// GICv3: distributor and redistributors emulated, CPU interface in system registers.
    V3 {
        /// Distributor.
        gicd: GuestRange,
        /// Redistributors, in the order of vCPUs.
        gicr: GuestRange,
    },
    /// None that this machine could virtualise.
    None,
}

/// An emulated PL011.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestUart {
    /// Its registers, one page.
    pub registers: GuestRange,
    /// Its interrupt, shared peripheral.
    pub intid: u32,
}

/// A device passed through: it appears at its own address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// `device.name`, or `console`.
    pub name: String,
    /// Its registers as the machine has them.
    pub mmio: Vec<Mmio>,
    /// Its interrupts.
    pub intids: Vec<u32>,
    /// What the guest's device tree calls it.
    pub compatible: Vec<String>,
    /// The key that passes it through.
    pub from: Origin,
}

impl Passed {
    /// The pages that its registers touch, range by range.
    pub fn frames(&self) -> impl Iterator<Item = FrameRange> {
        self.mmio.iter().map(|mmio| {
            let first = Frame::containing(mmio.base);
            let last = Frame::containing(PhysAddr::new(mmio.base.get() + (mmio.bytes - 1)));
            FrameRange::new(first, last.number() - first.number() + 1)
        })
    }
}

/// Windows start here at the lowest: below lies what guests expect of a machine's boot memory.
const FLOOR: u64 = 0x0800_0000;
/// Each window starts on its own 64 KiB, a guest's largest page.
const UNIT: u64 = 64 << 10;
/// Distributor of a GICv2: 4 KiB. Arm IHI 0048, "Distributor register map".
const GICV2_GICD_BYTES: u64 = 0x1000;
/// CPU interface: GICC_DIR lies in a second page. Arm IHI 0048, "CPU interface register map".
const GICV2_GICC_BYTES: u64 = 0x2000;
/// Distributor of a GICv3. Arm IHI 0069, "Distributor register map".
const GICV3_GICD_BYTES: u64 = 0x1_0000;
/// One redistributor: RD_base and SGI_base. Arm IHI 0069, "Redistributor register map".
const GICR_BYTES: u64 = 0x2_0000;
/// The console's ring, then `shared_info`.
const RING_PAGES: u64 = 2;
/// 2,048 grants of version 1, eight bytes each. Xen public headers, `grant_table.h`.
const GRANT_FRAMES: u64 = 4;
/// Xen's event channel interrupt on Arm is PPI 15. Xen public headers, `arch-arm.h`, GUEST_EVTCHN_PPI.
const EVENT_INTID: u32 = 31;
/// Shared peripheral interrupts start here. Arm IHI 0048 and IHI 0069, INTIDs.
const FIRST_SPI: u32 = 32;
/// vCPUs that one list of SGI targets names. Arm IHI 0069, ICC_SGI1R_EL1.TargetList; a GICv2 has eight in all.
const TARGETS: u32 = 16;

/// Decides the windows of one domain, whose stage 2 translates `ipa_bits` bits.
pub(super) fn place(board: &Board, domain: &Domain, ipa_bits: u8) -> Result<GuestMap, Refusal> {
    let passed = passed(board, domain);
    let kind = Kind::of(&board.irq);
    let sizes = kind.sizes(domain.vcpus.value);
    let [gicd, gic, uart, ring, grants] =
        [sizes[0], sizes[1], PAGE_BYTES, RING_PAGES * PAGE_BYTES, GRANT_FRAMES * PAGE_BYTES]
            .map(|bytes| bytes.next_multiple_of(UNIT));
    let area = gicd + gic + uart + ring + grants;
    let base = hole(domain, &passed, area, 1 << ipa_bits).ok_or_else(|| no_hole(domain, area, ipa_bits))?;
    let range = |offset: u64, bytes: u64| GuestRange { base: Ipa::new(base + offset), bytes };
    let (gicd_range, gic_range) = (range(0, sizes[0]), range(gicd, sizes[1]));
    let registers = range(gicd + gic, PAGE_BYTES);
    let uart_range = match domain.console.value {
        GuestConsole::Pl011 => Some(GuestUart { registers, intid: free_spi(&passed) }),
        GuestConsole::Hypercall | GuestConsole::Board | GuestConsole::None => None,
    };
    Ok(GuestMap {
        gic: kind.gic(gicd_range, gic_range),
        uart: uart_range,
        console_ring: range(gicd + gic + uart, RING_PAGES * PAGE_BYTES),
        grants: range(gicd + gic + uart + ring, GRANT_FRAMES * PAGE_BYTES),
        event_intid: EVENT_INTID,
        vcpu_ids: (0..domain.vcpus.value).map(affinity).collect(),
        passed,
    })
}

/// Aff0 counts as far as a list of SGI targets names vCPUs, Aff1 goes on.
fn affinity(vcpu: u32) -> u32 {
    ((vcpu / TARGETS) << 8) | (vcpu % TARGETS)
}

/// The machine's controller, as far as guests are concerned.
#[derive(Clone, Copy)]
enum Kind {
    V2 { gicv: [Frame; 2] },
    V3,
    None,
}

impl Kind {
    fn of(irq: &Irq) -> Kind {
        match irq {
            Irq::GicV2 { gicv: Some(gicv), pages, .. } => {
                let second = match pages {
                    GicPages::Adjacent => PAGE_BYTES,
                    GicPages::Aliased64K => UNIT,
                };
                let page = |offset| Frame::containing(PhysAddr::new(gicv.base.get() + offset));
                Kind::V2 { gicv: [page(0), page(second)] }
            }
            Irq::GicV3 { .. } => Kind::V3,
            Irq::GicV2 { gicv: None, .. } | Irq::Bcm2836 { .. } | Irq::Apic { .. } => Kind::None,
        }
    }

    /// Bytes of the distributor and of what lies beside it.
    fn sizes(self, vcpus: u32) -> [u64; 2] {
        match self {
            Kind::V2 { .. } => [GICV2_GICD_BYTES, GICV2_GICC_BYTES],
            Kind::V3 => [GICV3_GICD_BYTES, u64::from(vcpus) * GICR_BYTES],
            Kind::None => [0, 0],
        }
    }

    fn gic(self, gicd: GuestRange, beside: GuestRange) -> GuestGic {
        match self {
            Kind::V2 { gicv } => GuestGic::V2 { gicd, gicc: beside, gicv },
            Kind::V3 => GuestGic::V3 { gicd, gicr: beside },
            Kind::None => GuestGic::None,
        }
    }
}

/// Devices and, where it asks for it, the board's console.
fn passed(board: &Board, domain: &Domain) -> Vec<Passed> {
    let devices = domain.devices.iter().map(|index| {
        let device = &board.devices[*index];
        Passed {
            name: device.name.clone(),
            mmio: device.mmio.clone(),
            intids: device.irqs.clone(),
            compatible: device.compatible.clone(),
            from: device.from,
        }
    });
    let console = match (domain.console.value, board.console.place) {
        (GuestConsole::Board, ConsolePlace::Mmio(mmio)) => Some(Passed {
            name: "console".into(),
            mmio: vec![mmio],
            intids: board.console.intid.into_iter().collect(),
            compatible: Vec::new(),
            from: domain.console.from,
        }),
        (GuestConsole::Board, ConsolePlace::Port(_) | ConsolePlace::None)
        | (GuestConsole::Hypercall | GuestConsole::Pl011 | GuestConsole::None, _) => None,
    };
    devices.chain(console).collect()
}

fn free_spi(passed: &[Passed]) -> u32 {
    let taken = |intid: &u32| passed.iter().any(|device| device.intids.contains(intid));
    (FIRST_SPI..).find(|intid| !taken(intid)).expect("a device has a few interrupts, and there are more numbers")
}

/// The lowest place for `bytes` that meets nothing the guest has.
fn hole(domain: &Domain, passed: &[Passed], bytes: u64, end: u64) -> Option<u64> {
    let memory = domain.ipa.get()..domain.ipa.get() + domain.memory_bytes;
    let devices = passed.iter().flat_map(Passed::frames);
    let mut taken: Vec<Range<u64>> =
        devices.map(|frames| frames.first.address().get()..frames.end().address().get()).collect();
    taken.push(memory);
    taken.sort_by_key(|range| range.start);
    let mut base = FLOOR;
    for range in taken {
        if range.start < base + bytes && base < range.end {
            base = range.end.next_multiple_of(Level::L2.entry_bytes());
        }
    }
    (base + bytes <= end).then_some(base)
}

fn no_hole(domain: &Domain, area: u64, ipa_bits: u8) -> Refusal {
    let message = format!(
        "no {} of guest-physical addresses below {} are left for the devices of domain {}",
        human_bytes(area),
        Radix::Hex.show(1 << ipa_bits),
        domain.name
    );
    Refusal::new(&codes::E0607, message, domain.memory_from, "memory")
        .help("move the memory's base up by as much, or give the domain less memory")
}
