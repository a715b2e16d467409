//! What the console is, and registers of it.
//!
//! Holds no value of any board.

use paging::{PhysAddr, VirtAddr};

use super::Origin;

/// The hypervisor's console.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// `console.kind`, for the boot log.
    pub kind: &'static str,
    /// Where the registers are.
    pub place: ConsolePlace,
    /// Transmit register.
    pub tx: Register,
    /// When a byte may be written.
    pub ready: Flag,
    /// When the byte before is gone, where that is waited for.
    pub idle: Option<Flag>,
    /// Registers written once before the first byte.
    pub init: &'static [(Register, u32)],
    /// Registers written for each byte, after `idle` and before `ready`.
    pub before: &'static [(Register, u32)],
    /// Registers written behind each byte.
    pub after: &'static [(Register, u32)],
    /// The `kind` key.
    pub from: Origin,
}

/// Where a console's registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsolePlace {
    /// Memory-mapped: physical for the lines before the MMU, virtual (a fixmap slot) after.
    Mmio {
        /// First register, physical.
        physical: PhysAddr,
        /// First register through the fixmap.
        mapped: VirtAddr,
    },
    /// x86 I/O ports from here.
    Port(u16),
    /// None: lines go to the ring in RAM only.
    None,
}

/// A register of a polled device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Bytes (or ports) from the base.
    pub offset: u16,
    /// Access width.
    pub width: Width,
}

/// A condition on a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The register.
    pub register: Register,
    /// Bits of it that matter.
    pub mask: u32,
    /// Their value when it holds.
    pub value: u32,
}

impl Flag {
    /// Whether it holds in what the register showed.
    pub const fn holds(&self, shown: u32) -> bool {
        shown & self.mask == self.value
    }
}

/// Access width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 1 byte.
    Byte,
    /// 2 bytes.
    Half,
    /// 4 bytes.
    Word,
}
