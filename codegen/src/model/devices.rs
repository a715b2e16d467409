//! Devices that the hypervisor itself drives: interrupt controller, timer, console.
//!
//! Never the devices that domains own.

use paging::PhysAddr;

use super::Origin;

/// A range of device registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mmio {
    /// First byte; keeps its offset inside the page.
    pub base: PhysAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// The key that holds it.
    pub from: Origin,
}

/// One redistributor: RD_base and SGI_base frames of 64 KiB. Arm IHI 0069, "Redistributor register map".
pub(crate) const REDISTRIBUTOR_BYTES: u64 = 0x2_0000;

impl Mmio {
    /// Redistributors that lie in this range `stride_bytes` apart: the last one needs its own two frames only.
    pub(crate) fn redistributors(&self, stride_bytes: u64) -> u64 {
        self.bytes.checked_sub(REDISTRIBUTOR_BYTES).map_or(0, |rest| rest / stride_bytes + 1)
    }
}

/// `[irq]`.
#[derive(Clone, Debug)]
pub enum Irq {
    /// GICv2 (Arm IHI 0048).
    GicV2 {
        /// Distributor.
        gicd: Mmio,
        /// CPU interface.
        gicc: Mmio,
        /// Virtual interface control, when the chip has it.
        gich: Option<Mmio>,
        /// Virtual CPU interface, when the chip has it.
        gicv: Option<Mmio>,
        /// How the pages of the CPU interfaces lie.
        pages: GicPages,
        /// Message frames.
        v2m: Vec<Mmio>,
        /// INTID of the maintenance interrupt, where there is a virtual interface.
        maintenance_intid: Option<u32>,
    },
    /// GICv3 or v4 (Arm IHI 0069).
    GicV3 {
        /// Distributor.
        gicd: Mmio,
        /// Redistributor windows.
        gicr: Vec<Mmio>,
        /// Bytes from one redistributor to the next.
        stride_bytes: u64,
        /// Interrupt translation services.
        its: Vec<Mmio>,
        /// INTID of the maintenance interrupt.
        maintenance_intid: u32,
    },
    /// Broadcom's BCM2836 local controller: no guests.
    Bcm2836 {
        /// Timers and mailboxes of each core.
        local: Mmio,
    },
    /// Local APIC and I/O APICs.
    Apic {
        /// Local APIC page.
        lapic: Mmio,
        /// I/O APIC pages.
        ioapic: Vec<Mmio>,
    },
}

/// `irq.gicc-alias`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GicPages {
    /// One behind the other.
    Adjacent,
    /// Each repeated through 64 KiB.
    Aliased64K,
}

/// `[timer]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Arm generic timer: absolute INTIDs.
    ArmGeneric {
        /// Secure physical.
        sec_phys: u32,
        /// Non-secure EL1 physical.
        phys: u32,
        /// Virtual.
        virt: u32,
        /// Non-secure EL2 physical.
        hyp_phys: u32,
    },
    /// Time-stamp counter.
    Tsc,
}

/// `[console]`.
#[derive(Clone, Debug)]
pub struct Console {
    /// Where its registers are.
    pub place: ConsolePlace,
    /// How a byte is sent, as data.
    pub uart: Uart,
    /// Its interrupt, where the file names it.
    pub intid: Option<u32>,
    /// The `kind` key.
    pub from: Origin,
}

/// Where a console's registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsolePlace {
    /// Memory-mapped.
    Mmio(Mmio),
    /// x86 I/O ports starting here.
    Port(u16),
    /// No console: lines go to a ring in RAM.
    None,
}

/// A UART driven by polling (reference: each kind's documentation in `uart.rs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uart {
    /// `kind`, for reports.
    pub kind: String,
    /// Transmit register.
    pub tx: UartRegister,
    /// When a byte may be written.
    pub ready: UartFlag,
    /// When the byte before is gone, where that is waited for.
    pub idle: Option<UartFlag>,
    /// Registers written once before the first byte: (register, value).
    pub init: Vec<(UartRegister, u32)>,
    /// Registers written for each byte, after `idle` and before `ready`.
    pub before: Vec<(UartRegister, u32)>,
    /// Registers written behind each byte.
    pub after: Vec<(UartRegister, u32)>,
}

/// A condition on a register of a polled UART.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UartFlag {
    /// The register.
    pub register: UartRegister,
    /// Bits of it that matter.
    pub mask: u32,
    /// Their value when it holds.
    pub value: u32,
}

/// One register of a polled UART.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UartRegister {
    /// Bytes from the console's base; for ports, ports from the base.
    pub offset: u16,
    /// Access width.
    pub width: Width,
}

/// Access width of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 1 byte.
    Byte,
    /// 2 bytes.
    Half,
    /// 4 bytes.
    Word,
}
