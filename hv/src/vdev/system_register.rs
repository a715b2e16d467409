//! System registers that a guest's access to traps: which one, and what becomes of it.
//!
//! A table, feature by feature, says what a guest is told of the processor: what it cannot use, it does not see.
//!
//! Source: Arm ARM (DDI 0487), ESR_EL2, "ISS encoding for an exception from MSR, MRS, or System instruction execution";
//! identification registers by name.

#[cfg(test)]
mod tests;

use super::gic::Version;
use super::mmio::Register;
use super::timer;

/// Op0, Op1, CRn, CRm and Op2, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Encoding(u16);

impl Encoding {
    const fn new(op0: u16, op1: u16, crn: u16, crm: u16, op2: u16) -> Self {
        Self(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)
    }

    const fn op0(self) -> u16 {
        self.0 >> 14
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// MRS.
    Read,
    /// MSR, or a system instruction.
    Write,
}

/// What a guest tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    encoding: Encoding,
    /// Through which register.
    pub register: Register,
    /// Which way.
    pub direction: Direction,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Reads as zero, writes are ignored.
    Nothing,
    /// An undefined instruction.
    Undefined,
    /// An identification register: the processor's own value goes through [`Identification::shown`].
    Identification(Identification),
    /// A register of the physical timer.
    PhysicalTimer(timer::Register),
    /// ICC_SGI1R_EL1: sends SGIs.
    Send,
}

/// ID_AA64PFR0_EL1 and its like: Op0 3, Op1 0, CRn 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identification {
    /// CRm, 1 to 7.
    pub crm: u8,
    /// Op2.
    pub op2: u8,
}

impl Access {
    /// Op0 bits [21:20], Op2 [19:17], Op1 [16:14], CRn [13:10], Rt [9:5], CRm [4:1], Direction [0].
    pub const fn from_syndrome(esr: u64) -> Self {
        let encoding = Encoding::new(
            (esr >> 20) as u16 & 0b11,
            (esr >> 14) as u16 & 0b111,
            (esr >> 10) as u16 & 0xf,
            (esr >> 1) as u16 & 0xf,
            (esr >> 17) as u16 & 0b111,
        );
        let direction = if esr & 1 == 0 { Direction::Write } else { Direction::Read };
        Self { encoding, register: Register::new((esr >> 5) as u32), direction }
    }

    /// What becomes of it.
    pub fn answer(self) -> Answer {
        if let Some((_, answer)) = TABLE.iter().find(|(encoding, _)| *encoding == self.encoding) {
            return *answer;
        }
        let Encoding(bits) = self.encoding;
        let (crn, crm, op2) = (bits >> 7 & 0xf, bits >> 3 & 0xf, bits & 0b111);
        match (self.encoding.op0(), bits >> 11 & 0b111, crn, self.direction) {
            // Op0 2: breakpoints, watchpoints and what belongs to them. A guest has them, and they do nothing.
            (2, 0, 0 | 1, _) => Answer::Nothing,
            (3, 0, 0, Direction::Read) if (1..8).contains(&crm) => {
                Answer::Identification(Identification { crm: crm as u8, op2: op2 as u8 })
            }
            // Performance monitors, implementation-defined registers, and what no guest should know of.
            _ => Answer::Undefined,
        }
    }
}

/// Registers with an answer of their own.
const TABLE: [(Encoding, Answer); 10] = [
    // ICC_SGI1R_EL1; ICC_ASGI1R_EL1 and ICC_SGI0R_EL1 send to groups that a guest does not have.
    (Encoding::new(3, 0, 12, 11, 5), Answer::Send),
    (Encoding::new(3, 0, 12, 11, 6), Answer::Nothing),
    (Encoding::new(3, 0, 12, 11, 7), Answer::Nothing),
    // CNTP_TVAL_EL0, CNTP_CTL_EL0, CNTP_CVAL_EL0.
    (Encoding::new(3, 3, 14, 2, 0), Answer::PhysicalTimer(timer::Register::Left)),
    (Encoding::new(3, 3, 14, 2, 1), Answer::PhysicalTimer(timer::Register::Control)),
    (Encoding::new(3, 3, 14, 2, 2), Answer::PhysicalTimer(timer::Register::Compare)),
    // ACTLR_EL1.
    (Encoding::new(3, 0, 1, 0, 1), Answer::Nothing),
    // DC ISW, DC CSW, DC CISW: caches are the hypervisor's to keep right.
    (Encoding::new(1, 0, 7, 6, 2), Answer::Nothing),
    (Encoding::new(1, 0, 7, 10, 2), Answer::Nothing),
    (Encoding::new(1, 0, 7, 14, 2), Answer::Nothing),
];

/// What is shown of one identification register.
struct Shown {
    crm: u8,
    op2: u8,
    /// The processor's bits that a guest sees.
    kept: u64,
    /// Bits that are set.
    set: u64,
}

/// The fields, four bits each, with these numbers: field n is bits [4n+3:4n].
const fn fields(numbers: &[u32]) -> u64 {
    let mut mask = 0;
    let mut next = 0;
    while next < numbers.len() {
        mask |= 0xf << (4 * numbers[next]);
        next += 1;
    }
    mask
}

/// Of the registers of AArch64 (CRm 4 to 7), those that show anything.
const SHOWN: [Shown; 10] = [
    // ID_AA64PFR0_EL1: EL0, FP, AdvSIMD, DIT, CSV2, CSV3; EL1 is AArch64 only. Not EL2, EL3, RAS, SVE, SEL2, MPAM, AMU, RME;
    // GIC by version.
    Shown { crm: 4, op2: 0, kept: fields(&[0, 4, 5, 12, 14, 15]), set: 1 << 4 },
    // ID_AA64PFR1_EL1: BT, SSBS, CSV2_frac. Not MTE, RAS, MPAM, SME, NMI.
    Shown { crm: 4, op2: 1, kept: fields(&[0, 1, 8]), set: 0 },
    // ID_AA64DFR0_EL1: WRPs and BRPs 1 (two each), DebugVer 6 (Armv8). Not trace, PMU, SPE, TRBE.
    Shown { crm: 5, op2: 0, kept: 0, set: 0x10_1006 },
    // ID_AA64ISAR0_EL1: all instructions but TME.
    Shown { crm: 6, op2: 0, kept: !fields(&[6]), set: 0 },
    // ID_AA64ISAR1_EL1: not APA, API, GPA, GPI (pointer authentication), XS, LS64.
    Shown { crm: 6, op2: 1, kept: !fields(&[1, 2, 6, 7, 14, 15]), set: 0 },
    // ID_AA64ISAR2_EL1: RPRES, BC. Not WFxT, GPA3, APA3, MOPS, PAC_frac.
    Shown { crm: 6, op2: 2, kept: fields(&[1, 5]), set: 0 },
    // ID_AA64MMFR0_EL1: not TGran*_2 (stage 2), FGT, ECV.
    Shown { crm: 7, op2: 0, kept: !fields(&[8, 9, 10, 14, 15]), set: 0 },
    // ID_AA64MMFR1_EL1: HAFDBS, HPDS, PAN, ETS, nTLBPA. Not VMIDBits, VH, LO, SpecSEI, XNX, TWED, HCX, AFP, TIDCP1, CMOW.
    Shown { crm: 7, op2: 1, kept: fields(&[0, 3, 5, 9, 12]), set: 0 },
    // ID_AA64MMFR2_EL1: not IESB, NV, FWB, EVT.
    Shown { crm: 7, op2: 2, kept: !fields(&[3, 6, 10, 14]), set: 0 },
    // ID_DFR0_EL1, of AArch32: no debug, no performance monitors.
    Shown { crm: 1, op2: 2, kept: 0, set: 0 },
];

impl Identification {
    /// What a guest with this interrupt controller is shown where the processor says `own`.
    pub fn shown(self, own: u64, gic: Version) -> u64 {
        match SHOWN.iter().find(|shown| (shown.crm, shown.op2) == (self.crm, self.op2)) {
            Some(shown) => own & shown.kept | shown.set | self.interface(gic),
            // AArch32 at EL0 is as the processor has it; what later versions of the architecture add is not shown.
            None if self.crm < 4 => own,
            None => 0,
        }
    }

    /// ID_AA64PFR0_EL1.GIC, bits [27:24]: a CPU interface in system registers.
    fn interface(self, gic: Version) -> u64 {
        match (self.crm, self.op2, gic) {
            (4, 0, Version::V3) => 1 << 24,
            (_, _, Version::V2 | Version::V3) => 0,
        }
    }
}
