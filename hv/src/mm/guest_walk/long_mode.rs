//! Long mode with four levels: an x86-64 guest's own tables.
//!
//! As CR3 and EFER say; five levels and legacy modes are the caller's to refuse. Source: Intel SDM volume 3 (325384),
//! "4-Level Paging and 5-Level Paging"; AMD APM volume 2 (24593), "Long-Mode Page Translation".

use paging::{Entry, Ipa, Level};

use super::{Found, Grants, GuestVirt, Stage1, Start, WalkError};

/// P, bit 0.
const PRESENT: u64 = 1 << 0;
/// R/W, bit 1.
const WRITE: u64 = 1 << 1;
/// U/S, bit 2.
const USER: u64 = 1 << 2;
/// PS, bit 7: a page-directory-pointer or page-directory entry maps a page; reserved in a PML4 entry.
const PAGE_SIZE: u64 = 1 << 7;
/// PAT, bit 12 of an entry that maps a page of 2 MiB or 1 GiB: no part of its address, and not reserved.
const LARGE_PAT: u64 = 0x1000;
/// XD, bit 63: reserved where EFER.NXE is clear.
const EXECUTE_DISABLE: u64 = 1 << 63;
/// Physical address, bits 51:12.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Bits of a linear address; those above repeat the highest. Intel SDM volume 1, "Canonical Addressing".
const INPUT_BITS: u32 = 48;

/// EFER.NXE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoExecute {
    /// Bit 63 of an entry forbids execution.
    Enabled,
    /// Bit 63 of an entry is reserved.
    Disabled,
}

/// A guest in long mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestLongMode {
    /// CR3.
    pub cr3: u64,
    /// EFER.NXE.
    pub no_execute: NoExecute,
    /// Physical address bits that the guest was told of (CPUID 8000_0008h EAX[7:0]): 52 at most; those above are reserved.
    pub physical_bits: u8,
}

impl GuestLongMode {
    /// A guest whose tables of four levels begin at `root`.
    pub const fn four_levels(root: Ipa) -> Self {
        Self { cr3: root.get(), no_execute: NoExecute::Enabled, physical_bits: 48 }
    }

    /// Bits of any entry that are reserved.
    fn reserved(&self) -> u64 {
        let above = ADDRESS & !((1_u64 << self.physical_bits.min(52)) - 1);
        match self.no_execute {
            NoExecute::Enabled => above,
            NoExecute::Disabled => above | EXECUTE_DISABLE,
        }
    }
}

impl Stage1 for GuestLongMode {
    fn start(&self, at: GuestVirt) -> Result<Start, WalkError> {
        let unused = u64::BITS - INPUT_BITS;
        let canonical = ((at.get() << unused) as i64 >> unused) as u64;
        if canonical != at.get() {
            return Err(WalkError::OutOfRange);
        }
        let index = at.get() / Level::L0.entry_bytes() % paging::ENTRIES as u64;
        Ok(Start { table: Ipa::new(self.cr3 & ADDRESS), level: Level::L0, index })
    }

    fn decode(&self, _: GuestVirt, level: Level, entry: Entry) -> Result<Found, WalkError> {
        let bits = entry.get();
        if bits & PRESENT == 0 {
            return Err(WalkError::Invalid(level));
        }
        if bits & self.reserved() != 0 {
            return Err(WalkError::Malformed(level));
        }
        let address = bits & ADDRESS;
        let grants = Grants { write: bits & WRITE != 0, user: bits & USER != 0 };
        match (level, bits & PAGE_SIZE != 0) {
            (Level::L0 | Level::L1 | Level::L2, false) => Ok(Found::Table(Ipa::new(address), grants)),
            (Level::L0, true) => Err(WalkError::Malformed(level)),
            (Level::L1 | Level::L2, true) => {
                let first = address & !LARGE_PAT;
                if !first.is_multiple_of(level.entry_bytes()) {
                    return Err(WalkError::Malformed(level));
                }
                Ok(Found::Leaf(Ipa::new(first), grants))
            }
            (Level::L3, _) => Ok(Found::Leaf(Ipa::new(address), grants)),
        }
    }
}
