//! Switching the machine off, the way the board says.
//!
//! Never returns; a machine that does not go off sleeps.

// UNSAFETY: names a device register.
#![expect(unsafe_code, reason = "device registers")]

use crate::arch::this;
use crate::board::POWER_OFF;
use crate::board::types::PowerOff;
use crate::io::Registers;

/// Off.
pub fn off() -> ! {
    match POWER_OFF {
        PowerOff::PsciSmc | PowerOff::PsciHvc => this::power::firmware_off(),
        PowerOff::Sleep => {}
        PowerOff::Port { port, width, value } => Registers::ports(port).write(0, width, value),
        PowerOff::Mmio { mapped, width, value } => {
            // SAFETY: the planner maps the register's page in its own fixmap slot for the life of the image.
            let register = unsafe { Registers::memory(mapped) };
            register.write(0, width, value);
        }
    }
    this::cpu::park()
}
