//! VMSAv8-64 stage 1 of EL1 and EL0, 4 KiB granule, up to 48 bits: an AArch64 guest's own tables.
//!
//! As TCR_EL1 and both TTBRs say. Hardware update of the dirty state is not followed: what only that would make
//! writable is read-only here. Source: Arm ARM (DDI 0487), TCR_EL1, TTBR0_EL1, "VMSAv8-64 translation table format
//! descriptors", "VMSAv8-64 Block and Page descriptor fields".

use paging::{Entry, Ipa, Level};

use super::{Found, Grants, GuestVirt, Stage1, Start, WalkError};

/// TTBR0_EL1.BADDR, bits [47:1].
const BASE: u64 = 0x0000_ffff_ffff_fffe;
/// Next-level table address and output address without FEAT_LPA, bits [47:12].
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
/// Valid, bit [0].
const VALID: u64 = 1 << 0;
/// Table descriptor, or page descriptor at level 3, bit [1].
const TABLE_OR_PAGE: u64 = 1 << 1;
/// AP[1], bit [6]: EL0 may use it.
const USER: u64 = 1 << 6;
/// AP[2], bit [7]: read-only.
const READ_ONLY: u64 = 1 << 7;
/// AF, bit [10].
const ACCESSED: u64 = 1 << 10;
/// APTable[0], bit [61]: EL0 may use nothing below.
const TABLE_NO_USER: u64 = 1 << 61;
/// APTable[1], bit [62]: everything below is read-only.
const TABLE_READ_ONLY: u64 = 1 << 62;
/// TCR_EL1.HA, bit [39]: the processor sets access flags.
const HA: u64 = 1 << 39;
/// TCR_EL1.DS, bit [59]: 52-bit descriptors.
const DS: u64 = 1 << 59;
/// The bit of an address that chooses the range. "Selection between TTBR0_ELx and TTBR1_ELx".
const UPPER: u32 = 55;
/// A table is aligned to its size, and to this many bytes. TTBR0_EL1.BADDR.
const LEAST_TABLE_BYTES: u64 = 64;

/// The registers of a guest's EL1 regime whose MMU is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct El1 {
    /// TCR_EL1.
    pub tcr: u64,
    /// TTBR0_EL1.
    pub ttbr0: u64,
    /// TTBR1_EL1.
    pub ttbr1: u64,
}

/// What TCR_EL1 says of one of the two ranges.
struct Range {
    /// TnSZ.
    size: u64,
    /// TGn is 4 KiB.
    granule_4k: bool,
    /// EPDn: nothing is walked.
    disabled: bool,
    /// TBIn: bits [63:56] of an address are ignored.
    top_ignored: bool,
    /// HPDn: tables restrict nothing.
    flat: bool,
    ttbr: u64,
}

impl El1 {
    /// A guest whose tables of four levels begin at `root`, for both ranges of addresses. TCR_EL1.T0SZ and T1SZ 16,
    /// SH0 and SH1 0b11, ORGN0, IRGN0, ORGN1 and IRGN1 0b01 (walks are cached, inner shareable), TG1 0b10 (4 KiB), IPS
    /// 0b101 (48 bits).
    pub const fn four_levels(root: Ipa) -> Self {
        const RANGE: u64 = 16 | 0b11_01_01 << 8;
        Self { tcr: RANGE | RANGE << 16 | 0b10 << 30 | 0b101 << 32, ttbr0: root.get(), ttbr1: root.get() }
    }

    fn range(&self, at: GuestVirt) -> Range {
        let bit = |number: u32| self.tcr >> number & 1 == 1;
        if at.get() >> UPPER & 1 == 0 {
            // T0SZ [5:0], EPD0 [7], TG0 [15:14] = 0b00, TBI0 [37], HPD0 [41].
            Range {
                size: self.tcr & 0x3f,
                granule_4k: self.tcr >> 14 & 0b11 == 0b00,
                disabled: bit(7),
                top_ignored: bit(37),
                flat: bit(41),
                ttbr: self.ttbr0,
            }
        } else {
            // T1SZ [21:16], EPD1 [23], TG1 [31:30] = 0b10, TBI1 [38], HPD1 [42].
            Range {
                size: self.tcr >> 16 & 0x3f,
                granule_4k: self.tcr >> 30 & 0b11 == 0b10,
                disabled: bit(23),
                top_ignored: bit(38),
                flat: bit(42),
                ttbr: self.ttbr1,
            }
        }
    }

    /// Bits of an intermediate physical address. TCR_EL1.IPS, bits [34:32]; what needs more than 48 is not read here.
    fn physical_bits(&self) -> u32 {
        match self.tcr >> 32 & 0b111 {
            0b000 => 32,
            0b001 => 36,
            0b010 => 40,
            0b011 => 42,
            0b100 => 44,
            _ => 48,
        }
    }

    fn address(&self, level: Level, bits: u64) -> Result<Ipa, WalkError> {
        if bits >> self.physical_bits() == 0 { Ok(Ipa::new(bits)) } else { Err(WalkError::Malformed(level)) }
    }
}

/// The first level for this many bits of input address, 4 KiB granule. "VMSAv8-64 translation using the 4KB granule".
const fn start_level(bits: u64) -> Option<Level> {
    match bits {
        40..=48 => Some(Level::L0),
        31..=39 => Some(Level::L1),
        25..=30 => Some(Level::L2),
        _ => None,
    }
}

impl Stage1 for El1 {
    fn start(&self, at: GuestVirt) -> Result<Start, WalkError> {
        let range = self.range(at);
        let bits = 64 - range.size;
        let level = start_level(bits).filter(|_| range.granule_4k && self.tcr & DS == 0);
        let level = level.ok_or(WalkError::Unsupported)?;
        let ignored = if range.top_ignored { 63 - UPPER } else { 0 };
        // All bits above the range's are the one that chose it.
        let above = (at.get() << ignored) as i64 >> ignored >> bits;
        let expected = if at.get() >> UPPER & 1 == 0 { 0 } else { -1 };
        if above != expected {
            return Err(WalkError::OutOfRange);
        }
        if range.disabled {
            return Err(WalkError::Invalid(level));
        }
        let entries = (1 << bits) / level.entry_bytes();
        let table_bytes = (entries * size_of::<Entry>() as u64).max(LEAST_TABLE_BYTES);
        let table = self.address(level, range.ttbr & BASE & !(table_bytes - 1))?;
        Ok(Start { table, level, index: at.get() / level.entry_bytes() % entries })
    }

    fn decode(&self, at: GuestVirt, level: Level, entry: Entry) -> Result<Found, WalkError> {
        let bits = entry.get();
        let has = |mask: u64| bits & mask != 0;
        if !has(VALID) {
            return Err(WalkError::Invalid(level));
        }
        match (level, has(TABLE_OR_PAGE)) {
            (Level::L0 | Level::L1 | Level::L2, true) => {
                let limits = if self.range(at).flat {
                    Grants::ALL
                } else {
                    Grants { write: !has(TABLE_READ_ONLY), user: !has(TABLE_NO_USER) }
                };
                Ok(Found::Table(self.address(level, bits & ADDRESS)?, limits))
            }
            (Level::L1 | Level::L2, false) | (Level::L3, true) => {
                let first = self.address(level, bits & ADDRESS & !(level.entry_bytes() - 1))?;
                if !has(ACCESSED) && self.tcr & HA == 0 {
                    return Err(WalkError::AccessFlag(level));
                }
                Ok(Found::Leaf(first, Grants { write: !has(READ_ONLY), user: has(USER) }))
            }
            // Reserved, and treated as invalid.
            (Level::L0 | Level::L3, false) => Err(WalkError::Invalid(level)),
        }
    }
}
