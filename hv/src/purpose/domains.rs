//! Domains, on every CPU.
//!
//! Does nothing early.

use crate::cpu::CpuIndex;
use crate::domain::{self, Domains};
use crate::mm::pmap::Pmap;
use crate::mm::system::System;

/// Nothing.
pub(crate) fn early(_pmap: &Pmap, _memory: &mut System) {}

/// Runs them.
pub(crate) fn run(domains: Domains) -> ! {
    domain::run::run(domains)
}

/// Runs what there is to run.
pub(crate) fn idle(_cpu: CpuIndex) -> ! {
    domain::run::next()
}
