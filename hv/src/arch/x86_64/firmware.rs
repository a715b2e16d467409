//! What the boot loader and ACPI say of the machine.
//!
//! Reads through the firmware window, one record at a time; nothing stays mapped and nothing is kept by address.

use arrayvec::ArrayVec;
use paging::PhysAddr;

use super::acpi::{self, AcpiError};
use super::cpu;
use super::handover::{self, HandoverError, Protocol};
use super::physical::{PhysicalMemory, Unreadable};
use crate::board;
use crate::board::types::BootOption;
use crate::firmware::{Facts, FirmwareError, FirmwareWindow};
use crate::mm::directmap;

/// What the entry code was given.
#[derive(Clone, Copy, Debug)]
pub struct Handoff {
    /// Who entered.
    pub(super) protocol: Protocol,
    /// The structure it left.
    pub(super) at: PhysAddr,
}

/// RAM from the loader's memory map, processors from ACPI, where the loader knows of ACPI.
pub fn facts(handoff: &Handoff, window: &mut FirmwareWindow) -> Result<Facts, FirmwareError> {
    let source = match handoff.protocol {
        Protocol::Pvh => "start info",
        Protocol::Multiboot2 => "boot information",
    };
    let start = board::BOOT.load.get();
    // Loaders keep clear of what they load, which ends before the stacks.
    if (start..start + board::BOOT.footprint_bytes).contains(&handoff.at.get()) {
        return Err(FirmwareError::Covered { at: handoff.at });
    }
    let mut memory = Windowed { window, pa_bits: cpu::pa_bits() };
    let handover = handover::read(&mut memory, handoff.protocol, handoff.at)?;
    let cpus = handover.rsdp.map(|rsdp| processors(&mut memory, rsdp)).transpose()?;
    let directmap = match (board::DIRECTMAP.option, handover.command_line) {
        (BootOption::AtBoot, Some(at)) => directmap::read(&handover::command_line(&mut memory, at)?),
        (BootOption::Fixed, _) | (BootOption::AtBoot, None) => None,
    };
    // What the map does not call RAM is not listed at all.
    Ok(Facts { source, ram: handover.ram, kept: ArrayVec::new(), kept_lost: 0, cpus, directmap })
}

fn processors(memory: &mut Windowed<'_>, rsdp: PhysAddr) -> Result<usize, AcpiError> {
    let root = acpi::root_table(memory, rsdp)?;
    let mut enabled = 0;
    acpi::processors(memory, root, |_| enabled += 1)?;
    Ok(enabled)
}

/// Physical memory through the window.
struct Windowed<'w> {
    window: &'w mut FirmwareWindow,
    pa_bits: u8,
}

impl PhysicalMemory for Windowed<'_> {
    fn read(&mut self, at: PhysAddr, into: &mut [u8]) -> Result<(), Unreadable> {
        let unreadable = Unreadable { at };
        // An address wider than the processor's would set reserved bits in an entry.
        let end = at.checked_add(into.len() as u64).ok_or(unreadable)?;
        if end.get() > 1 << self.pa_bits {
            return Err(unreadable);
        }
        let bytes = self.window.map(at, into.len() as u64).map_err(|_| unreadable)?;
        into.copy_from_slice(&bytes);
        Ok(())
    }
}

impl From<Unreadable> for FirmwareError {
    fn from(Unreadable { at }: Unreadable) -> Self {
        Self::Malformed { at }
    }
}

impl From<HandoverError> for FirmwareError {
    fn from(error: HandoverError) -> Self {
        match error {
            HandoverError::Unreadable { at } | HandoverError::Magic { at } | HandoverError::Length { at, .. } => {
                Self::Malformed { at }
            }
            HandoverError::NoMemoryMap => Self::Missing,
            HandoverError::TooManyRanges { at } => Self::Malformed { at },
        }
    }
}

impl From<AcpiError> for FirmwareError {
    fn from(error: AcpiError) -> Self {
        match error {
            AcpiError::Unreadable { at }
            | AcpiError::Signature { at }
            | AcpiError::Checksum { at }
            | AcpiError::Length { at, .. }
            | AcpiError::NoMadt { at } => Self::Malformed { at },
        }
    }
}
