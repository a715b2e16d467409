//! Starting and stopping CPUs: through PSCI, or by the word that each of them polls.
//!
//! Its root is complete before; it enters through the turn-on root and finds its own in `entry`.

use super::psci::{self, Conduit};
use aarch64_cpu::asm::{self, barrier};

use super::{cpu, entry, gic, spin};
use crate::board::types::EnableMethod;
use crate::board::{CPUS, ENABLE};
use crate::cpu::CpuIndex;
use crate::smp::StartError;

/// The firmware's interface where CPUs can also be stopped through it: version 0.1 promises no more than a start.
const CONDUIT: Option<Conduit> = match ENABLE {
    EnableMethod::PsciSmc => Some(Conduit::Smc),
    EnableMethod::PsciHvc => Some(Conduit::Hvc),
    EnableMethod::Psci01Smc(_)
    | EnableMethod::Psci01Hvc(_)
    | EnableMethod::SpinTable
    | EnableMethod::Sipi { .. }
    | EnableMethod::None => None,
};

/// CPU_ON, or the word; arrives in `boot::start_secondary`.
pub fn start(cpu: CpuIndex) -> Result<(), StartError> {
    let (conduit, function) = match ENABLE {
        EnableMethod::PsciSmc => (Conduit::Smc, psci::CPU_ON),
        EnableMethod::PsciHvc => (Conduit::Hvc, psci::CPU_ON),
        EnableMethod::Psci01Smc(number) => (Conduit::Smc, u64::from(number)),
        EnableMethod::Psci01Hvc(number) => (Conduit::Hvc, u64::from(number)),
        EnableMethod::SpinTable => return spin::start(cpu),
        EnableMethod::Sipi { .. } | EnableMethod::None => return Err(StartError::Silent),
    };
    let code = psci::cpu_on(conduit, function, CPUS[cpu.get()].id, entry::secondary().get());
    if code == 0 { Ok(()) } else { Err(StartError::Refused(code)) }
}

/// CPU_OFF. Caches are the firmware's to clean. DEN 0022, "CPU_OFF".
pub fn leave() -> ! {
    if let Some(conduit) = CONDUIT {
        psci::cpu_off(conduit);
    }
    cpu::park()
}

/// AFFINITY_INFO says that the CPU is off.
pub fn is_off(cpu: CpuIndex) -> bool {
    CONDUIT.is_some_and(|conduit| psci::affinity_info(conduit, CPUS[cpu.get()].id) == psci::OFF)
}

/// SEV, which every CPU that waits for an event sees, after everything that was written before (Arm ARM, "Send Event"),
/// and an interrupt, for one that runs a guest or sleeps.
pub fn nudge(cpu: CpuIndex) {
    barrier::dsb(barrier::ISHST);
    asm::sev();
    gic::kick(cpu);
}
