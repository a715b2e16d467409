//! Instructions that order and invalidate, told by their bits.
//!
//! Knows the encodings that the hypervisor uses, no others. Sources: Arm ARM (DDI 0487), "DSB", "ISB", "SYS" and "TLB
//! maintenance instructions"; Intel SDM volume 2, "INVLPG", "MOV - Move to/from Control Registers", "MFENCE", "CPUID".

/// Whose instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// AArch64.
    Aarch64,
    /// x86-64.
    X86,
}

impl Machine {
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "aarch64" => Ok(Self::Aarch64),
            "x86_64" => Ok(Self::X86),
            _ => Err(format!("kinds: no machine `{name}`")),
        }
    }
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Waits for earlier accesses or invalidations: DSB; MFENCE.
    Barrier,
    /// Forgets what was fetched: ISB; CPUID.
    Synchronize,
    /// Forgets a page on this CPU: TLBI by address; INVLPG.
    Page,
    /// Forgets everything on this CPU: TLBI ALLE2; a load of CR3.
    All,
    /// Forgets a page on every CPU: TLBI by address, inner shareable.
    PageEverywhere,
    /// Forgets everything on every CPU: TLBI ALLE2IS.
    AllEverywhere,
}

impl Kind {
    /// All of them, by number.
    pub(crate) const ALL: [Self; 6] =
        [Self::Barrier, Self::Synchronize, Self::Page, Self::All, Self::PageEverywhere, Self::AllEverywhere];

    /// Its name in the file.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Barrier => "barriers",
            Self::Synchronize => "synchronizations",
            Self::Page => "page-invalidations",
            Self::All => "invalidations",
            Self::PageEverywhere => "broadcast-page-invalidations",
            Self::AllEverywhere => "broadcast-invalidations",
        }
    }

    /// The kind of an instruction, if it is one of these.
    pub(crate) fn of(machine: Machine, bytes: &[u8]) -> Option<Self> {
        match machine {
            Machine::Aarch64 => Self::of_a64(u32::from_le_bytes(bytes.try_into().ok()?)),
            Machine::X86 => Self::of_x86(bytes),
        }
    }

    /// SYS with CRn 8 is TLBI: op1 in bits 18:16, CRm in 11:8 (3 inner shareable, 7 this CPU), op2 in 7:5 (odd by address).
    fn of_a64(word: u32) -> Option<Self> {
        /// CRm, the option of a barrier.
        const OPTION: u32 = 0xf << 8;
        const DSB: u32 = 0xd503_309f;
        const ISB: u32 = 0xd503_30df;
        const TLBI: u32 = 0xd508_8000;
        const TLBI_MASK: u32 = 0xfff8_f000;
        if word & !OPTION == DSB {
            return Some(Self::Barrier);
        }
        if word & !OPTION == ISB {
            return Some(Self::Synchronize);
        }
        if word & TLBI_MASK != TLBI {
            return None;
        }
        let (shareable, by_address) = (word >> 8 & 0xf == 3, word >> 5 & 1 == 1);
        Some(match (shareable, by_address) {
            (false, true) => Self::Page,
            (false, false) => Self::All,
            (true, true) => Self::PageEverywhere,
            (true, false) => Self::AllEverywhere,
        })
    }

    fn of_x86(bytes: &[u8]) -> Option<Self> {
        let register = |modrm: &u8| modrm >> 3 & 7;
        let opcode = bytes.iter().position(|byte| *byte == 0x0f)?;
        // Before the opcode: REX at most.
        if opcode > 1 || (opcode == 1 && bytes[0] & 0xf0 != 0x40) {
            return None;
        }
        match &bytes[opcode + 1..] {
            [0x01, modrm, ..] if register(modrm) == 7 && *modrm < 0xc0 => Some(Self::Page),
            [0x22, modrm, ..] if register(modrm) == 3 => Some(Self::All),
            [0xae, 0xf0, ..] => Some(Self::Barrier),
            [0xa2, ..] => Some(Self::Synchronize),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Machine};

    #[test]
    fn a64_barriers_and_invalidations() {
        let cases = [
            (0xd503_3a9f, Some(Kind::Barrier)),        // dsb ishst
            (0xd503_379f, Some(Kind::Barrier)),        // dsb nsh
            (0xd503_3fdf, Some(Kind::Synchronize)),    // isb
            (0xd50c_8721, Some(Kind::Page)),           // tlbi vae2, x1
            (0xd50c_871f, Some(Kind::All)),            // tlbi alle2
            (0xd50c_8320, Some(Kind::PageEverywhere)), // tlbi vae2is, x0
            (0xd50c_831f, Some(Kind::AllEverywhere)),  // tlbi alle2is
            (0xd503_3bbf, None),                       // dmb ish
            (0xd50b_7b20, None),                       // dc cvac, x0
            (0xd503_205f, None),                       // wfe
        ];
        for (word, kind) in cases {
            assert_eq!(Kind::of(Machine::Aarch64, &u32::to_le_bytes(word)), kind, "{word:#x}");
        }
    }

    #[test]
    fn x86_barriers_and_invalidations() {
        let cases: [(&[u8], Option<Kind>); 7] = [
            (&[0x0f, 0x01, 0x38], Some(Kind::Page)),                // invlpg [rax]
            (&[0x41, 0x0f, 0x01, 0x3f], Some(Kind::Page)),          // invlpg [r15]
            (&[0x0f, 0x22, 0xd8], Some(Kind::All)),                 // mov cr3, rax
            (&[0x0f, 0xae, 0xf0], Some(Kind::Barrier)),             // mfence
            (&[0x0f, 0xa2], Some(Kind::Synchronize)),               // cpuid
            (&[0x0f, 0x01, 0xf8], None),                            // swapgs
            (&[0x48, 0xb8, 0x0f, 0x01, 0x38, 0, 0, 0, 0, 0], None), // mov rax, imm64
        ];
        for (bytes, kind) in cases {
            assert_eq!(Kind::of(Machine::X86, bytes), kind, "{bytes:x?}");
        }
    }
}
