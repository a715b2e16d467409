//! x86-64: entered in 32-bit mode by PVH or multiboot2, then long mode with four levels.
//!
//! Never takes an interrupt; an exception is the end. In reading order: what is read and decoded, which builds on the
//! host too, then what runs on the processor.

pub mod physical;
pub mod acpi;
pub mod handover;
pub mod descriptor;
pub mod exception;
pub mod ipi;

#[cfg(bare)]
mod entry;
#[cfg(bare)]
mod per_cpu;
#[cfg(bare)]
mod interrupts;
#[cfg(bare)]
mod apic;
#[cfg(bare)]
mod shootdown;
#[cfg(bare)]
pub mod cpu;
#[cfg(bare)]
pub mod port;
#[cfg(bare)]
pub mod tlb;
#[cfg(bare)]
pub mod cache;
#[cfg(bare)]
pub mod copy;
#[cfg(bare)]
pub mod firmware;
#[cfg(bare)]
pub mod smp;
#[cfg(bare)]
pub mod stack;
#[cfg(bare)]
pub mod controller;
#[cfg(bare)]
pub mod guest;
#[cfg(bare)]
pub mod power;
#[cfg(all(bare, feature = "self-test"))]
pub mod probe;

#[cfg(bare)]
pub use firmware::Handoff;
/// Where a guest looks for its events.
#[cfg(bare)]
pub const SHARED_INFO: crate::domain::guests::SharedLayout = crate::domain::guests::SharedLayout::X86_64;
/// The hypervisor's own tables.
#[cfg(bare)]
pub use paging::LongMode as HostFormat;
/// A guest's tables.
#[cfg(bare)]
pub use paging::Npt as GuestFormat;
/// A guest's own tables.
#[cfg(bare)]
pub type GuestRegime = crate::mm::guest_walk::GuestLongMode;
