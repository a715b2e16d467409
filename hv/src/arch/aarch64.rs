//! AArch64 at EL2: without VHE, 4 KiB granule, one TTBR0_EL2.
//!
//! Knows registers and instructions; what is mapped and in which order things happen is common code's business.

pub mod cache;
pub mod copy;
pub mod cpu;
pub mod early;
pub mod entry;
pub mod firmware;
pub mod gic;
pub mod guest;
pub mod port;
pub mod power;
#[cfg(feature = "self-test")]
pub mod probe;
mod psci;
mod registers;
pub mod smp;
mod spin;
pub mod stack;
pub mod syndrome;
pub mod tlb;
mod vectors;

pub use gic as controller;
use paging::{El2, PhysAddr, Stage2};

use crate::domain::guests::SharedLayout;

/// Format of the hypervisor's own tables.
pub type HostFormat = El2;
/// Format of a guest's tables.
pub type GuestFormat = Stage2;
/// A guest's own tables.
pub type GuestRegime = crate::mm::guest_walk::El1;

/// Where a guest looks for its events.
pub const SHARED_INFO: SharedLayout = SharedLayout::AARCH64;

/// What the boot loader left in x0. Linux, "Booting AArch64 Linux", "Call the kernel image".
#[derive(Clone, Copy, Debug)]
pub struct Handoff {
    /// The device tree, if there is one.
    pub device_tree: PhysAddr,
}
