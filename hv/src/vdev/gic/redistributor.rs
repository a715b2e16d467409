//! The registers of one vCPU's private interrupts: a GICv3's redistributor, a GICv2's banked part of the distributor.
//!
//! No LPIs: what belongs to them reads as zero.

use super::distributor::{count, lanes};
use super::private::Sleep;
use super::register::{Field, Kind};
use super::{Effect, Private, Version, Width};

/// SGI_base behind RD_base. IHI 0069, "Redistributor register map".
const SGI_BASE: u64 = 0x1_0000;
/// RD_base and SGI_base.
pub const REDISTRIBUTOR_BYTES: u64 = 0x2_0000;
/// GICR_TYPER: Affinity_Value bits [63:32], Processor_Number bits [23:8], Last bit 4.
const TYPER: u64 = 0x0008;
const TYPER_HIGH: u64 = 0x000c;
/// GICR_WAKER: ChildrenAsleep bit 2, ProcessorSleep bit 1.
const WAKER: u64 = 0x0014;
/// GICR_PIDR2, as GICD_PIDR2.
const PIDR2: u64 = 0xffe8;
/// GICD_CPENDSGIR<n> and GICD_SPENDSGIR<n>, a byte an SGI.
const CLEAR_SENDERS: core::ops::Range<u64> = 0xf10..0xf20;
const SET_SENDERS: core::ops::Range<u64> = 0xf20..0xf30;

impl Private {
    /// Reads a register of the redistributor.
    pub fn read(&self, offset: u64, width: Width) -> u64 {
        if let Some(field) = offset.checked_sub(SGI_BASE).and_then(Field::at) {
            return self.read_field(&field, width).into();
        }
        match (offset, width) {
            (TYPER, Width::Double) => self.kind(),
            (TYPER, Width::Word) => self.kind() & 0xffff_ffff,
            (TYPER_HIGH, Width::Word) => self.kind() >> 32,
            (WAKER, Width::Word) => match self.sleep {
                Sleep::Asleep => 1 << 2 | 1 << 1,
                Sleep::Awake => 0,
            },
            (PIDR2, Width::Word) => 0x38,
            _ => 0,
        }
    }

    /// Writes a register of the redistributor.
    pub fn write(&mut self, offset: u64, width: Width, value: u64) -> Effect {
        if let Some(field) = offset.checked_sub(SGI_BASE).and_then(Field::at) {
            return self.write_field(&field, width, value as u32);
        }
        if (offset, width) == (WAKER, Width::Word) {
            self.sleep = if value & 1 << 1 == 0 { Sleep::Awake } else { Sleep::Asleep };
        }
        Effect::Nothing
    }

    fn kind(&self) -> u64 {
        let last = u64::from(self.number.get() + 1 == self.vcpus);
        u64::from(self.number.affinity()) << 32 | u64::from(self.number.get()) << 8 | last << 4
    }

    pub(super) fn read_field(&self, field: &Field, width: Width) -> u32 {
        match (field.bank, field.kind, self.version, width) {
            // The one group there is.
            (0, Kind::Group, Version::V3, Width::Word) => u32::MAX,
            (0, ..) => self.bank.read(field, width),
            _ => 0,
        }
    }

    pub(super) fn write_field(&mut self, field: &Field, width: Width, value: u32) -> Effect {
        if field.bank != 0 {
            return Effect::Nothing;
        }
        let settable = match self.version {
            Version::V2 => 0xffff_0000,
            Version::V3 => u32::MAX,
        };
        self.bank.write(&Field { settable, ..*field }, width, value);
        Effect::Own
    }

    /// GICD_CPENDSGIR<n> and GICD_SPENDSGIR<n>: who has sent each SGI.
    pub(super) fn read_senders(&self, offset: u64, width: Width) -> u32 {
        if !(CLEAR_SENDERS.start..SET_SENDERS.end).contains(&offset) {
            return 0;
        }
        let first = (offset % 16) as usize;
        lanes(width, |lane| self.senders.get(first + lane).copied().unwrap_or(0).into())
    }

    pub(super) fn write_senders(&mut self, offset: u64, width: Width, value: u32) -> Effect {
        let first = (offset % 16) as usize;
        for (number, senders) in self.senders.iter_mut().enumerate().skip(first).take(count(width)) {
            let byte = (value >> (8 * (number - first))) as u8;
            if SET_SENDERS.contains(&offset) {
                *senders |= byte;
            } else if CLEAR_SENDERS.contains(&offset) {
                *senders &= !byte;
            } else {
                return Effect::Nothing;
            }
            match *senders {
                0 => self.bank.unlatch(1 << number),
                _ => self.bank.latch(1 << number),
            }
        }
        Effect::Own
    }
}
