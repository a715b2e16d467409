//! Width of a CPU's physical addresses, as Arm's registers name it.

/// Bits of physical address. Arm ARM (DDI 0487), ID_AA64MMFR0_EL1.PARange, TCR_EL2.PS and
/// VTCR_EL2.PS, which share one encoding. 52 bits need another descriptor format and are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PhysicalSize {
    /// 4 GiB.
    Bits32,
    /// 64 GiB.
    Bits36,
    /// 1 TiB.
    Bits40,
    /// 4 TiB.
    Bits42,
    /// 16 TiB.
    Bits44,
    /// 256 TiB.
    Bits48,
}

impl PhysicalSize {
    /// From ID_AA64MMFR0_EL1.PARange, bits [3:0]: the widest size that is implemented and that
    /// these formats can name. `None` for a reserved value.
    pub const fn from_pa_range(field: u64) -> Option<Self> {
        match field {
            0b0000 => Some(Self::Bits32),
            0b0001 => Some(Self::Bits36),
            0b0010 => Some(Self::Bits40),
            0b0011 => Some(Self::Bits42),
            0b0100 => Some(Self::Bits44),
            // 48, 52 and 56 bits.
            0b0101..=0b0111 => Some(Self::Bits48),
            _ => None,
        }
    }

    /// Bits of physical address.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Bits32 => 32,
            Self::Bits36 => 36,
            Self::Bits40 => 40,
            Self::Bits42 => 42,
            Self::Bits44 => 44,
            Self::Bits48 => 48,
        }
    }

    /// The value of a PS field.
    pub(super) const fn field(self) -> u64 {
        match self {
            Self::Bits32 => 0b000,
            Self::Bits36 => 0b001,
            Self::Bits40 => 0b010,
            Self::Bits42 => 0b011,
            Self::Bits44 => 0b100,
            Self::Bits48 => 0b101,
        }
    }
}
