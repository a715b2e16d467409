//! The interrupt controller that a guest sees: GICv2 or GICv3, as the machine has.
//!
//! A [`Distributor`] for each domain, a [`Private`] part for each vCPU, both behind the domain's one lock. What may be
//! taken waits in their books until [`Private::refill`] puts it into list registers; those stay as they are until there
//! is something to change. Never touches a register: list registers come and go as values.
//!
//! Source: Arm IHI 0048 (GICv2) and IHI 0069 (GICv3), registers by name.

mod bank;
mod distributor;
mod list;
mod private;
mod redistributor;
mod register;
mod sgi;
#[cfg(test)]
mod tests;

pub use bank::{Bank, Line};
pub use distributor::{Distributor, Effect, Lines};
pub use list::{ListRegister, State};
pub use private::{Private, Refill, Refilled};
pub use redistributor::REDISTRIBUTOR_BYTES;
pub use sgi::{Sgi, Targets};

use super::mmio::Width;

/// Number of an interrupt, physical or virtual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Intid(u16);

impl Intid {
    /// Interrupts with a number of their own on every CPU: SGIs, then PPIs.
    pub const PRIVATE: u16 = 32;

    /// From its number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// SGI or PPI: every CPU has its own.
    pub const fn is_private(self) -> bool {
        self.0 < Self::PRIVATE
    }

    /// Which bank of 32 it is in, and its bit there.
    const fn place(self) -> (usize, u32) {
        ((self.0 / 32) as usize, 1 << (self.0 % 32))
    }
}

/// Numbers of the bits that are set, ascending.
pub fn numbers(mut bits: u32) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let number = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (number < 32).then_some(number as usize)
    })
}

/// Number of a vCPU within its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VcpuNumber(u16);

impl VcpuNumber {
    /// From its number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Aff0 counts to 16, as many as one target list names; Aff1 goes on. IHI 0069, ICC_SGI1R_EL1.TargetList.
    pub const fn affinity(self) -> u32 {
        ((self.0 as u32 / 16) << 8) | (self.0 as u32 % 16)
    }

    /// Whose affinity fields, Aff3 to Aff0 a byte each, these are; `None` for nobody's.
    pub const fn from_affinity(affinity: u32) -> Option<Self> {
        let (aff1, aff0) = (affinity >> 8, affinity & 0xff);
        if aff0 < 16 && aff1 < 256 { Some(Self((aff1 * 16 + aff0) as u16)) } else { None }
    }
}

/// Which architecture version a guest sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// GICv2: CPU interface in memory, one group (0), up to eight vCPUs.
    V2,
    /// GICv3: affinity routing always on, one security state, one group (1).
    V3,
}
