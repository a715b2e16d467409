//! A list register, as a GICv3 has it: what the hardware may hand to the vCPU.
//!
//! Source: Arm IHI 0069, ICH_LR<n>_EL2; IHI 0048, GICH_LR<n>.

use super::Intid;

/// ICH_LR<n>_EL2. With HW = 0, bits [34:32], which a GICv3 reserves, hold the sender of a GICv2's SGI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct ListRegister(u64);

/// ICH_LR<n>_EL2.State, bits [63:62].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing, or what was here is over.
    Invalid,
    /// Not taken yet.
    Pending,
    /// Taken.
    Active,
    /// Taken, and there again.
    Both,
}

/// ICH_LR<n>_EL2.HW: deactivation goes to the physical interrupt.
const HARDWARE: u64 = 1 << 61;
/// ICH_LR<n>_EL2.Group.
const GROUP_1: u64 = 1 << 60;
/// ICH_LR<n>_EL2.Priority, bits [55:48].
const PRIORITY_SHIFT: u32 = 48;
/// ICH_LR<n>_EL2.pINTID, bits [44:32].
const PHYSICAL_SHIFT: u32 = 32;
/// ICH_LR<n>_EL2.EOI, bit 41 where HW = 0: its end is announced.
const ANNOUNCE: u64 = 1 << 41;
const PENDING: u64 = 1 << 62;
const ACTIVE: u64 = 1 << 63;

impl ListRegister {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// From the register.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The register.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// A pending interrupt.
    pub const fn pending(intid: Intid, priority: u8) -> Self {
        Self(PENDING | (priority as u64) << PRIORITY_SHIFT | intid.get() as u64)
    }

    /// Of group 1.
    pub const fn in_group_1(self) -> Self {
        Self(self.0 | GROUP_1)
    }

    /// Tied to the physical interrupt that it stands for.
    pub const fn tied_to(self, physical: Intid) -> Self {
        Self(self.0 | HARDWARE | (physical.get() as u64) << PHYSICAL_SHIFT)
    }

    /// Sent by this vCPU of a GICv2, 0 to 7.
    pub const fn sent_by(self, sender: u8) -> Self {
        Self(self.0 | ((sender & 7) as u64) << PHYSICAL_SHIFT)
    }

    /// Its end is announced, or not.
    pub const fn announced(self, announce: Announce) -> Self {
        match announce {
            Announce::End => Self(self.0 | ANNOUNCE),
            Announce::Nothing => Self(self.0 & !ANNOUNCE),
        }
    }

    /// How far it is.
    pub const fn state(self) -> State {
        match (self.0 & ACTIVE != 0, self.0 & PENDING != 0) {
            (false, false) => State::Invalid,
            (false, true) => State::Pending,
            (true, false) => State::Active,
            (true, true) => State::Both,
        }
    }

    /// Which interrupt.
    pub const fn intid(self) -> Intid {
        Intid::new((self.0 & 0x3ff) as u16)
    }

    /// Its priority.
    pub const fn priority(self) -> u8 {
        (self.0 >> PRIORITY_SHIFT) as u8
    }

    /// The physical interrupt that it is tied to.
    pub const fn physical(self) -> Option<Intid> {
        if self.0 & HARDWARE == 0 { None } else { Some(Intid::new((self.0 >> PHYSICAL_SHIFT & 0x3ff) as u16)) }
    }

    /// The sender of a GICv2's SGI.
    pub const fn sender(self) -> u8 {
        (self.0 >> PHYSICAL_SHIFT) as u8 & 7
    }

    /// From GICH_LR<n>: HW bit [31], Grp1 [30], State [29:28], Priority [27:23], PhysicalID [19:10] (HW = 0: EOI [19],
    /// CPUID [12:10]), VirtualID [9:0].
    pub const fn from_v2(register: u32) -> Self {
        let bits = register as u64;
        let common = (bits >> 28 & 0b11) << 62 | (bits >> 30 & 1) << 60 | (bits >> 23 & 0x1f) << 51 | bits & 0x3ff;
        if register & 1 << 31 != 0 {
            Self(common | HARDWARE | (bits >> 10 & 0x3ff) << PHYSICAL_SHIFT)
        } else {
            Self(common | (bits >> 19 & 1) << 41 | (bits >> 10 & 7) << PHYSICAL_SHIFT)
        }
    }

    /// To GICH_LR<n>; of the priority, the five bits that it has.
    pub const fn to_v2(self) -> u32 {
        let bits = self.0;
        let common = (bits >> 62) << 28 | (bits >> 60 & 1) << 30 | (bits >> 51 & 0x1f) << 23 | bits & 0x3ff;
        let rest = if bits & HARDWARE != 0 {
            1 << 31 | (bits >> PHYSICAL_SHIFT & 0x3ff) << 10
        } else {
            (bits >> 41 & 1) << 19 | (bits >> PHYSICAL_SHIFT & 7) << 10
        };
        (common | rest) as u32
    }
}

/// Whether the end of an interrupt raises the maintenance interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// It does: there is more of it.
    End,
    /// It does not.
    Nothing,
}
