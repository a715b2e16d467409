//! Starting another CPU through PSCI.
//!
//! Its root is complete before; it enters through the turn-on root and finds its own in `entry`.

use super::entry;
use super::psci::{self, Conduit};
use crate::board::types::EnableMethod;
use crate::board::{CPUS, ENABLE};
use crate::cpu::CpuIndex;
use crate::smp::StartError;

/// CPU_ON; arrives in `boot::start_secondary`.
pub fn start(cpu: CpuIndex) -> Result<(), StartError> {
    let conduit = match ENABLE {
        EnableMethod::PsciSmc => Conduit::Smc,
        EnableMethod::PsciHvc => Conduit::Hvc,
        EnableMethod::Sipi { .. } | EnableMethod::None => return Err(StartError::Silent),
    };
    let code = psci::cpu_on(conduit, CPUS[cpu.get()].id, entry::secondary().get(), cpu.get() as u64);
    if code == 0 { Ok(()) } else { Err(StartError::Refused(code)) }
}
