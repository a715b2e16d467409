//! Domains: one after the other on the boot CPU, while the others sleep.
//!
//! Does nothing early.

use crate::cpu::CpuIndex;
use crate::domain::{self, Domains};
use crate::mm::pmap::Pmap;
use crate::mm::system::System;
use crate::sync;

/// Nothing.
pub(crate) fn early(_pmap: &Pmap, _memory: &mut System) {}

/// Runs them.
pub(crate) fn run(domains: Domains) -> ! {
    domain::run(domains)
}

/// Sleeps for good.
pub(crate) fn idle(_cpu: CpuIndex) -> ! {
    sync::idle()
}
