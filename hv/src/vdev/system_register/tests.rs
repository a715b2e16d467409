//! Syndromes as the manual encodes them, and what a guest is told.

use super::{Access, Answer, Direction, Identification};
use crate::vdev::gic::Version;
use crate::vdev::timer;

fn access(op0: u64, op1: u64, crn: u64, crm: u64, op2: u64, rest: u64) -> Access {
    Access::from_syndrome(op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1 | rest)
}

#[test]
fn registers_have_the_answer_that_the_table_gives() {
    let rows = [
        ((3, 0, 12, 11, 5), Answer::Send),
        ((3, 0, 12, 11, 7), Answer::Nothing),
        ((3, 3, 14, 2, 1), Answer::PhysicalTimer(timer::Register::Control)),
        ((1, 0, 7, 14, 2), Answer::Nothing),
        // MDSCR_EL1, OSLAR_EL1, DBGBCR0_EL1.
        ((2, 0, 0, 2, 2), Answer::Nothing),
        ((2, 0, 1, 0, 4), Answer::Nothing),
        ((2, 0, 0, 0, 5), Answer::Nothing),
        // PMCR_EL0; an implementation-defined register; ICH_HCR_EL2; a trace register.
        ((3, 3, 9, 12, 0), Answer::Undefined),
        ((3, 1, 11, 0, 2), Answer::Undefined),
        ((3, 4, 12, 11, 0), Answer::Undefined),
        ((2, 1, 0, 0, 0), Answer::Undefined),
    ];
    for ((op0, op1, crn, crm, op2), answer) in rows {
        assert_eq!(access(op0, op1, crn, crm, op2, 0).answer(), answer, "s{op0}_{op1}_c{crn}_c{crm}_{op2}");
    }
    let found = access(3, 0, 0, 4, 0, 7 << 5 | 1);
    assert_eq!((found.direction, found.register), (Direction::Read, crate::vdev::mmio::Register::new(7)));
    assert_eq!(found.answer(), Answer::Identification(Identification { crm: 4, op2: 0 }));
    assert_eq!(access(3, 0, 0, 4, 0, 0).answer(), Answer::Undefined, "identification registers are not written");
}

#[test]
fn no_guest_sees_what_it_cannot_use() {
    let shown = |crm, op2| Identification { crm, op2 }.shown(u64::MAX, Version::V3);
    // The register, the lowest bit of the field, the feature.
    let hidden = [
        (4, 0, 8, "EL2"),
        (4, 0, 12, "EL3"),
        (4, 0, 28, "RAS"),
        (4, 0, 32, "SVE"),
        (4, 0, 40, "MPAM"),
        (4, 0, 44, "AMU"),
        (4, 1, 8, "MTE"),
        (4, 1, 24, "SME"),
        (5, 0, 8, "PMU"),
        (5, 0, 4, "trace"),
        (5, 0, 32, "SPE"),
        (6, 0, 24, "TME"),
        (6, 1, 4, "APA"),
        (6, 1, 8, "API"),
        (6, 1, 24, "GPA"),
        (6, 1, 28, "GPI"),
        (6, 2, 12, "APA3"),
        (7, 0, 56, "FGT"),
        (7, 0, 60, "ECV"),
        (7, 1, 8, "VHE"),
        (7, 1, 16, "LOR"),
        (7, 2, 24, "NV"),
        (4, 4, 0, "SVE's own register"),
        (7, 3, 0, "TCRX"),
        (1, 2, 24, "PMU of AArch32"),
    ];
    for (crm, op2, low, feature) in hidden {
        assert_eq!(shown(crm, op2) >> low & 0xf, 0, "{feature}");
    }
    // What it can use it sees: controls for a table that hides everything.
    let seen = [
        (4, 0, 16, "FP"),
        (4, 0, 0, "EL0"),
        (6, 0, 20, "atomics"),
        (7, 0, 0, "PARange"),
        (7, 1, 20, "PAN"),
        (1, 0, 0, "ID_PFR0"),
    ];
    for (crm, op2, low, feature) in seen {
        assert_eq!(shown(crm, op2) >> low & 0xf, 0xf, "{feature}");
    }
    assert_eq!(shown(4, 0) >> 4 & 0xf, 1, "EL1 is AArch64 only");
    assert_eq!((shown(4, 0) >> 24 & 0xf, Identification { crm: 4, op2: 0 }.shown(0, Version::V2) >> 24), (1, 0));
    assert_eq!(Identification { crm: 5, op2: 0 }.shown(0, Version::V3), 0x10_1006);
}
