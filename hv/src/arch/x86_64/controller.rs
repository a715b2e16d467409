//! The APICs, as firmware left them: the hypervisor takes no interrupt, and starts CPUs through `ipi`.
//!
//! Writes nothing.

/// Nothing to prepare.
pub fn init_shared() {}

/// Nothing to prepare.
pub fn init_cpu() {}
