//! The local APIC, as far as sending commands to other processors goes.
//!
//! In whichever mode firmware left it; never enables it, never takes an interrupt from it.

// UNSAFETY: names the local APIC's registers.
#![expect(unsafe_code, reason = "device registers and model-specific registers")]

use paging::VirtAddr;
use x86_64::registers::model_specific::Msr;

use super::cpu;
use super::ipi::{ApicId, Command};
use crate::board::types::Width;
use crate::io::Registers;

/// Intel SDM vol. 4, IA32_APIC_BASE.
const APIC_BASE: u32 = 0x1b;
/// IA32_APIC_BASE.EXTD, bit 10: x2APIC mode. Intel SDM vol. 3A, "Detecting and Enabling x2APIC Mode".
const EXTENDED: u64 = 1 << 10;
/// Intel SDM vol. 3A, table "Local APIC Register Address Map Supported by x2APIC": ICR.
const X2APIC_COMMAND: u32 = 0x830;

/// Intel SDM vol. 3A, table "Local APIC Register Address Map": ICR bits 31..0 and 63..32.
const COMMAND_LOW: u16 = 0x300;
const COMMAND_HIGH: u16 = 0x310;

/// Polls after which a command that is still pending counts as lost.
const PENDING_ITERATIONS: u32 = 1_000_000;

/// A command that did not leave this processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotSent;

/// Sends `command` and waits until it has been accepted.
pub(super) fn send(lapic: VirtAddr, to: ApicId, command: Command) -> Result<(), NotSent> {
    // SAFETY: every processor with long mode has this register.
    if unsafe { Msr::new(APIC_BASE).read() } & EXTENDED != 0 {
        // SAFETY: EXTD is set, so the register exists; the commands of `ipi` change no memory of this processor.
        unsafe { Msr::new(X2APIC_COMMAND).write(to.x2apic_command(command)) };
        return Ok(());
    }
    // SAFETY: the planner maps the local APIC's page in its own fixmap slot for the life of the image.
    let registers = unsafe { Registers::memory(lapic) };
    registers.write(COMMAND_HIGH, Width::Word, to.xapic_destination().ok_or(NotSent)?);
    registers.write(COMMAND_LOW, Width::Word, command.0);
    for _ in 0..PENDING_ITERATIONS {
        if registers.read(COMMAND_LOW, Width::Word) & Command::PENDING == 0 {
            return Ok(());
        }
        cpu::relax();
    }
    Err(NotSent)
}
