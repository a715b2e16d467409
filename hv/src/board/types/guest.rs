//! What a guest sees besides its memory, as planned: addresses are the guest's, numbers its interrupts.
//!
//! The guest's device tree says the same; both come from one plan.

use paging::{Frame, FrameRange, Ipa};

use super::Origin;

/// What a guest sees besides its memory.
#[derive(Clone, Copy, Debug)]
pub struct GuestMap {
    /// The interrupt controller.
    pub gic: GuestGic,
    /// The emulated PL011, where the console is one.
    pub uart: Option<GuestUart>,
    /// The page of Xen's console ring, whose frame is HVM_PARAM_CONSOLE_PFN, and one behind it for `shared_info` until the
    /// guest says where it wants that.
    pub console_ring: GuestRange,
    /// Where the guest maps its grant table: `reg` of its hypervisor node.
    pub grants: GuestRange,
    /// The private interrupt that announces events: `interrupts` of its hypervisor node.
    pub event_intid: u32,
    /// MPIDR_EL1 affinity fields of each vCPU, in order: `reg` of its CPU nodes.
    pub vcpu_ids: &'static [u32],
    /// Devices of the machine that are the guest's own.
    pub passed: &'static [Passed],
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
    /// GICv2: the distributor is emulated, the CPU interface is the machine's virtual one.
    V2 {
        /// Distributor.
        gicd: GuestRange,
        /// CPU interface, two pages.
        gicc: GuestRange,
        /// The pages of GICV that stage 2 shows there, in order.
        gicv: [Frame; 2],
    },
    /// GICv3: distributor and redistributors are emulated, the CPU interface is system registers.
    V3 {
        /// Distributor.
        gicd: GuestRange,
        /// Redistributors, 128 KiB each, in the order of vCPUs.
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

/// A device passed through: its registers appear at their own addresses.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// `device.name`, or `console`.
    pub name: &'static str,
    /// Pages of registers; frame n appears as guest frame n.
    pub registers: &'static [FrameRange],
    /// Its interrupts.
    pub intids: &'static [u32],
    /// The key that passes it through.
    pub from: Origin,
}
