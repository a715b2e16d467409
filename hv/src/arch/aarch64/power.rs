//! Switching off through PSCI.
//!
//! Returns when the firmware does not do it.

use super::psci::{self, Conduit};
use crate::board::POWER_OFF;
use crate::board::types::PowerOff;

/// SYSTEM_OFF.
pub fn firmware_off() {
    match POWER_OFF {
        PowerOff::PsciSmc => psci::system_off(Conduit::Smc),
        PowerOff::PsciHvc => psci::system_off(Conduit::Hvc),
        PowerOff::Port { .. } | PowerOff::Mmio { .. } | PowerOff::Sleep => {}
    }
}
