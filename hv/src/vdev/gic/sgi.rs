//! Interrupts that vCPUs send to each other: what the guest wrote, as an SGI and its targets.
//!
//! Source: Arm IHI 0069, ICC_SGI1R_EL1; IHI 0048, GICD_SGIR.

use super::VcpuNumber;

/// An SGI that a vCPU sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sgi {
    /// Its bit among the private interrupts.
    bit: u32,
    /// To whom.
    targets: Targets,
}

/// The vCPUs that an SGI goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Sixteen in a row from `first`, a bit each.
    List {
        /// vCPU of bit 0.
        first: u16,
        /// Which of them.
        bits: u16,
    },
    /// All but the sender.
    Others,
}

impl Sgi {
    /// ICC_SGI1R_EL1: Aff3 bits [55:48], RS bits [47:44], IRM bit [40], Aff2 bits [39:32], INTID bits [27:24], Aff1 bits
    /// [23:16], TargetList bits [15:0].
    pub const fn from_sgi1r(value: u64) -> Self {
        let bit = 1 << (value >> 24 & 0xf);
        if value & 1 << 40 != 0 {
            return Self { bit, targets: Targets::Others };
        }
        // vCPUs have Aff1 and Aff0 to 15 only: other fields name nobody.
        let nobody = value >> 48 & 0xff | value >> 44 & 0xf | value >> 32 & 0xff;
        let first = (value >> 16 & 0xff) as u16 * 16;
        let bits = if nobody == 0 { value as u16 } else { 0 };
        Self { bit, targets: Targets::List { first, bits } }
    }

    /// GICD_SGIR: TargetListFilter bits [25:24], CPUTargetList bits [23:16], SGIINTID bits [3:0].
    pub const fn from_sgir(value: u32, sender: VcpuNumber) -> Self {
        let targets = match value >> 24 & 0b11 {
            0b00 => Targets::List { first: 0, bits: (value >> 16 & 0xff) as u16 },
            0b01 => Targets::Others,
            0b10 => Targets::List { first: 0, bits: 1 << (sender.get() & 0xf) },
            _ => Targets::List { first: 0, bits: 0 },
        };
        Self { bit: 1 << (value & 0xf), targets }
    }

    /// Its bit among the private interrupts.
    pub const fn bit(self) -> u32 {
        self.bit
    }

    /// Its targets, in a domain of so many vCPUs.
    pub fn targets(self, sender: VcpuNumber, vcpus: u16) -> impl Iterator<Item = VcpuNumber> {
        let (from, bits) = match self.targets {
            Targets::List { first, bits } => (first..vcpus.min(first.saturating_add(16)), Some((first, bits))),
            Targets::Others => (0..vcpus, None),
        };
        from.filter(move |number| match bits {
            Some((first, bits)) => bits & 1 << (number - first) != 0,
            None => *number != sender.get(),
        })
        .map(VcpuNumber::new)
    }
}
