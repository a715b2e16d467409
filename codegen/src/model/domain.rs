//! Guests, as the board file describes them.

use paging::{Ipa, PhysAddr};

use super::{Mmio, Origin, Placement, Sourced};

/// `[[domain]]`.
#[derive(Clone, Debug)]
pub struct Domain {
    /// `name`.
    pub name: String,
    /// Virtual CPUs.
    pub vcpus: Sourced<u32>,
    /// The CPU that each of them runs on, by its place among the cores; empty where any may.
    pub pins: Vec<u32>,
    /// Where the guest sees its memory.
    pub ipa: Ipa,
    /// How much it gets, bytes, a multiple of 2 MiB.
    pub memory_bytes: u64,
    /// Where that lies in RAM, 2 MiB aligned.
    pub memory_at: Placement<PhysAddr>,
    /// Origin of the `memory` key.
    pub memory_from: Origin,
    /// Guest kernel.
    pub kernel: Sourced<Kernel>,
    /// Bytes reserved for it.
    pub kernel_max: Sourced<u64>,
    /// Its initial RAM disk.
    pub initrd: Option<Initrd>,
    /// Kernel command line (`/chosen/bootargs`).
    pub command_line: String,
    /// Guest console.
    pub console: Sourced<GuestConsole>,
    /// What becomes of it when it reboots.
    pub on_reboot: Sourced<OnReboot>,
    /// Names of `[[device]]` it owns, resolved to indices into [`Board::devices`](super::Board::devices).
    pub devices: Vec<usize>,
    /// The `name` key.
    pub from: Origin,
}

/// `domain.on-reboot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReboot {
    /// It starts anew.
    Restart,
    /// It stays off.
    Off,
}

/// `domain.kernel`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// The payload that xtask builds.
    Payload,
    /// Debian's kernel for cloud machines, which xtask fetches.
    DebianCloud,
    /// A file, relative to the board file.
    File(String),
}

/// `domain.initrd` and `domain.initrd-max`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initrd {
    /// Where it comes from.
    pub source: Sourced<InitrdSource>,
    /// Bytes reserved for it.
    pub max: Sourced<u64>,
}

/// `domain.initrd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitrdSource {
    /// The one that xtask makes around Debian's static busybox.
    Busybox,
    /// A file, relative to the board file.
    File(String),
}

/// `domain.console`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestConsole {
    /// Xen's console: hypercalls and a ring.
    Hypercall,
    /// An emulated PL011.
    Pl011,
    /// The board's own, passed through.
    Board,
    /// None.
    None,
}

/// `[[device]]`.
#[derive(Clone, Debug)]
pub struct Device {
    /// `name`.
    pub name: String,
    /// Register windows.
    pub mmio: Vec<Mmio>,
    /// INTIDs.
    pub irqs: Vec<u32>,
    /// What its owner's device tree calls it; empty where the owner is not told.
    pub compatible: Vec<String>,
    /// What it does to memory by itself.
    pub dma: Sourced<Dma>,
    /// The `name` key.
    pub from: Origin,
}

/// `device.dma`, as far as a device may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dma {
    /// Nothing.
    None,
    /// It can reach all of it.
    Trusted,
}
