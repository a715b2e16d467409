//! The APICs, as firmware left them: the hypervisor takes no interrupt, and starts CPUs through `ipi`.
//!
//! Writes nothing.

use crate::cpu::CpuIndex;

/// Nothing to prepare.
pub fn init_shared() {}

/// Nothing to prepare.
pub fn init_cpu() {}

/// No guest runs that a CPU could leave.
pub fn kick(_cpu: CpuIndex) {}
