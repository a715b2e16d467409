//! Offsets of the registers that are made of interrupts' bits or bytes: the same in GICD, and in GICR's SGI_base.
//!
//! Pure: names a bank and a lane, touches none.

/// What a register holds of each interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// IGROUPR<n>.
    Group,
    /// ISENABLER<n>.
    SetEnable,
    /// ICENABLER<n>.
    ClearEnable,
    /// ISPENDR<n>.
    SetPending,
    /// ICPENDR<n>.
    ClearPending,
    /// ISACTIVER<n>.
    SetActive,
    /// ICACTIVER<n>.
    ClearActive,
    /// IPRIORITYR<n>.
    Priority,
    /// ITARGETSR<n>.
    Target,
    /// ICFGR<n>.
    Config,
}

/// Which interrupts a register is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// What of them.
    pub(super) kind: Kind,
    /// Their bank of 32.
    pub(super) bank: usize,
    /// The first of them in the bank.
    pub(super) lane: usize,
    /// Those that ISPENDR and ICPENDR act on: not a GICv2's SGIs.
    pub(super) settable: u32,
}

/// Registers of one bit an interrupt, 0x80 bytes each from IGROUPR on.
const BITS: [Kind; 7] = [
    Kind::Group,
    Kind::SetEnable,
    Kind::ClearEnable,
    Kind::SetPending,
    Kind::ClearPending,
    Kind::SetActive,
    Kind::ClearActive,
];

impl Field {
    /// The register at an offset from GICD's, or SGI_base's, start.
    pub(super) fn at(offset: u64) -> Option<Self> {
        let of = |kind, bank: u64, lane: u64| {
            Some(Self { kind, bank: bank as usize, lane: lane as usize, settable: u32::MAX })
        };
        match offset {
            0x080..0x400 => of(BITS[(offset - 0x080) as usize / 0x80], offset % 0x80 / 4, 0),
            0x400..0x800 => of(Kind::Priority, offset % 0x400 / 32, offset % 32),
            0x800..0xc00 => of(Kind::Target, offset % 0x400 / 32, offset % 32),
            0xc00..0xd00 => of(Kind::Config, offset % 0x100 / 8, offset % 8 / 4 * 16),
            _ => None,
        }
    }
}
