//! Interrupt controller and timer as generated tables name them.
//!
//! Holds no register's meaning: the architectures' drivers do.

use paging::VirtAddr;

/// The interrupt controller, and where its registers are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupts {
    /// Arm GICv2.
    GicV2 {
        /// Distributor, one page.
        distributor: VirtAddr,
        /// CPU interface, two pages.
        cpu_interface: VirtAddr,
        /// Virtual interface control, one page, when the chip has it.
        control: Option<VirtAddr>,
        /// INTID of the maintenance interrupt.
        maintenance_intid: u32,
    },
    /// Arm GICv3 or v4.
    GicV3 {
        /// Distributor, up to the routers.
        distributor: VirtAddr,
        /// First redistributor: the first page of RD_base and that of SGI_base; the others follow.
        redistributors: VirtAddr,
        /// How many, in no order of processors.
        count: usize,
        /// INTID of the maintenance interrupt.
        maintenance_intid: u32,
    },
    /// Local APIC and I/O APICs.
    Apic,
    /// A controller that is not driven: no guests.
    None,
}

/// The processors' timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Arm generic timer, with its INTIDs.
    ArmGeneric {
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
