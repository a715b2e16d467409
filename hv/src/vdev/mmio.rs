//! A guest's access to a device's register: how wide it is, and which of the guest's registers it goes through.
//!
//! Decodes the syndrome of a data abort where that says it; [`super::instruction`] does where it does not. Never reads or
//! writes anything but the general registers it is given.
//!
//! Source: Arm ARM (DDI 0487), ESR_EL2, "ISS encoding for an exception from a Data Abort".

#[cfg(test)]
mod tests;

/// How wide an access is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 1 byte.
    Byte,
    /// 2 bytes.
    Half,
    /// 4 bytes.
    Word,
    /// 8 bytes.
    Double,
}

impl Width {
    /// From log2 of the bytes, as ISS.SAS and the size field of an instruction have it.
    pub(super) const fn from_log2(bits: u32) -> Self {
        match bits & 0b11 {
            0b00 => Self::Byte,
            0b01 => Self::Half,
            0b10 => Self::Word,
            _ => Self::Double,
        }
    }

    /// Bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Word => 4,
            Self::Double => 8,
        }
    }

    const fn bits(self) -> u32 {
        self.bytes() as u32 * 8
    }

    /// As much of a value as fits.
    pub const fn cut(self, value: u64) -> u64 {
        value & u64::MAX >> (64 - self.bits())
    }
}

/// What becomes of a value that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Zeroes above it.
    Zero,
    /// Its sign up to bit 31, zeroes above.
    SignWord,
    /// Its sign up to bit 63.
    SignDouble,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the device to the guest's register.
    Load(Extension),
    /// From the guest's register to the device.
    Store,
}

/// One of x0 to x30, or the one that reads as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register(u8);

/// One access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// How wide.
    pub width: Width,
    /// Which way.
    pub direction: Direction,
    /// Through which register.
    pub register: Register,
}

impl Register {
    /// From a field of five bits.
    pub const fn new(bits: u32) -> Self {
        Self((bits & 0x1f) as u8)
    }

    /// What it holds.
    pub fn get(self, x: &[u64; 31]) -> u64 {
        x.get(usize::from(self.0)).copied().unwrap_or(0)
    }

    /// Writes it, if it can be written.
    pub fn set(self, x: &mut [u64; 31], value: u64) {
        if let Some(register) = x.get_mut(usize::from(self.0)) {
            *register = value;
        }
    }

    /// Whether it is the one that reads as zero, or the stack pointer, whose number is the same.
    pub(super) const fn is_last(self) -> bool {
        self.0 == 31
    }
}

impl Transfer {
    /// What the syndrome says; `None` where it does not: ISV, bit [24], clear.
    ///
    /// SAS bits [23:22], SSE bit [21], SRT bits [20:16], SF bit [15], WnR bit [6].
    pub const fn from_syndrome(esr: u64) -> Option<Self> {
        if esr & 1 << 24 == 0 {
            return None;
        }
        let direction = match (esr & 1 << 6 != 0, esr & 1 << 21 != 0, esr & 1 << 15 != 0) {
            (true, _, _) => Direction::Store,
            (false, false, _) => Direction::Load(Extension::Zero),
            (false, true, false) => Direction::Load(Extension::SignWord),
            (false, true, true) => Direction::Load(Extension::SignDouble),
        };
        let register = Register::new((esr >> 16) as u32);
        Some(Self { width: Width::from_log2((esr >> 22) as u32), direction, register })
    }

    /// What a store writes.
    pub fn stored(self, x: &[u64; 31]) -> u64 {
        self.width.cut(self.register.get(x))
    }

    /// Gives the guest what a load reads.
    pub fn load(self, x: &mut [u64; 31], value: u64) {
        let unused = 64 - self.width.bits();
        let signed = ((value << unused) as i64 >> unused) as u64;
        let value = match self.direction {
            Direction::Load(Extension::Zero) => self.width.cut(value),
            Direction::Load(Extension::SignWord) => Width::Word.cut(signed),
            Direction::Load(Extension::SignDouble) => signed,
            Direction::Store => return,
        };
        self.register.set(x, value);
    }
}
