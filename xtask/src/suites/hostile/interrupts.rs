//! Hostile guests that do with interrupts what nobody needs: storms, more of them than there are list registers, SGIs to
//! themselves without end.
//!
//! GICv3, whose registers are Arm IHI 0069's by name.

use codegen::plan::{GuestGic, PlannedDomain};

use super::program::off;
use super::{Attack, End};
use crate::suites::a64::{ERET, ISB, UDF, load};

/// STR (immediate): W1 to [X0].
const STR_W1: u32 = 0xb900_0001;
/// MSR of X0 to VBAR_EL1, ICC_PMR_EL1 (3, 0, 4, 6, 0) and ICC_IGRPEN1_EL1 (3, 0, 12, 12, 7); of X1 to ICC_SGI1R_EL1
/// (3, 0, 12, 11, 5).
const VBAR: u32 = 0xd518_c000;
const PMR: u32 = 0xd518_4600;
const IGRPEN1: u32 = 0xd518_cce0;
const SGI1R: u32 = 0xd518_cba1;
/// MRS X9 from ICC_IAR1_EL1 (3, 0, 12, 12, 0), and MSR of it to ICC_EOIR1_EL1 (3, 0, 12, 12, 1).
const X9_FROM_IAR1: u32 = 0xd538_cc09;
const EOIR1_FROM_X9: u32 = 0xd518_cc29;
/// MSR DAIFClr, #2: interrupts are taken.
const UNMASK: u32 = 0xd503_42ff;
/// ADD X10, X10, #1; CMP X10 with an immediate in bits [21:10]; B.HS over the instruction behind it.
const INCREMENT_X10: u32 = 0x9100_054a;
const CMP_X10: u32 = 0xf100_015f;
const B_HS_OVER_1: u32 = 0x5400_0042;
/// SUBS X11, X11, #1; B.NE to the instruction before it; B to itself.
const DECREMENT_X11: u32 = 0xf100_056b;
const B_NE_BACK_1: u32 = 0x54ff_ffe1;
const B_SELF: u32 = 0x1400_0000;
/// Bytes from the kernel to its vectors, and from those to "current level, own stack, IRQ". Arm ARM, "Exception vectors".
const VECTORS: u64 = 0x1000;
const IRQ: u64 = 0x280;

/// Offsets: of a redistributor's second frame, and registers by name; those of the distributor for INTIDs 32 to 63.
const SGI_FRAME: u64 = 0x1_0000;
const GICR_WAKER: u64 = 0x14;
const IGROUPR0: u64 = 0x80;
const ISENABLER0: u64 = 0x100;
const ISPENDR0: u64 = 0x200;
const GICD_CTLR: u64 = 0;
const ISENABLER1: u64 = 0x104;
const ISPENDR1: u64 = 0x204;
/// GICD_CTLR: ARE bit 4, EnableGrp1 bit 1.
const ON: u64 = 1 << 4 | 1 << 1;
/// ICC_SGI1R_EL1: INTID 1, bits [27:24]; target list, bits [15:0], the first vCPU.
const TO_ITSELF: u64 = 1 << 24 | 1;

/// Interrupts that are taken.
const TAKEN: u32 = 2000;
/// Steps with every interrupt pending and none taken.
const STEPS: u64 = 2_000_000;

/// Programs for a domain with a GICv3.
pub(super) fn all(domain: &PlannedDomain, kernel: u64) -> Vec<Attack> {
    let GuestGic::V3 { gicd, gicr } = domain.map.gic else { return Vec::new() };
    let own = gicr.base.get() + SGI_FRAME;
    let all_pending =
        [write(own + ISPENDR0, u64::from(u32::MAX)), write(gicd.base.get() + ISPENDR1, u64::from(u32::MAX))].concat();
    let to_itself = [&load(1, TO_ITSELF)[..], &[SGI1R, ISB]].concat();
    let set_up = set_up(gicd.base.get(), gicr.base.get(), kernel);
    let attack = |what: &str, words| Attack { what: what.to_owned(), words, end: End::Off };
    vec![
        attack("an interrupt storm", taking(&set_up, &all_pending, &write(own + ISPENDR0, u64::from(u32::MAX)))),
        attack("SGIs to itself without end", taking(&set_up, &to_itself, &to_itself)),
        attack("more interrupts than list registers, none taken", {
            let wait = [&load(11, STEPS)[..], &[DECREMENT_X11, B_NE_BACK_1]].concat();
            [set_up, all_pending, wait, off()].concat()
        }),
    ]
}

/// Stores a word.
fn write(at: u64, value: u64) -> Vec<u32> {
    [&load(0, at)[..], &load(1, value), &[STR_W1]].concat()
}

/// Everything enabled, nothing taken yet; X10 counts.
fn set_up(gicd: u64, gicr: u64, kernel: u64) -> Vec<u32> {
    let own = gicr + SGI_FRAME;
    [
        write(gicr + GICR_WAKER, 0),
        write(gicd + GICD_CTLR, ON),
        write(own + IGROUPR0, u64::from(u32::MAX)),
        write(own + ISENABLER0, u64::from(u32::MAX)),
        write(gicd + ISENABLER1, u64::from(u32::MAX)),
        [&load(0, kernel + VECTORS)[..], &[VBAR], &load(0, 0xff), &[PMR], &load(0, 1), &[IGRPEN1]].concat(),
        [&load(10, 0)[..], &[ISB]].concat(),
    ]
    .concat()
}

/// Takes interrupts until there were enough; each brings the next ones.
fn taking(set_up: &[u32], first: &[u32], again: &[u32]) -> Vec<u32> {
    let handler =
        [&[X9_FROM_IAR1][..], again, &[EOIR1_FROM_X9, INCREMENT_X10, CMP_X10 | TAKEN << 10, B_HS_OVER_1, ERET], &off()]
            .concat();
    let mut words = [set_up, first, &[UNMASK, B_SELF]].concat();
    let at = ((VECTORS + IRQ) / 4) as usize;
    assert!(words.len() < at && handler.len() <= 32, "the program and its handler have their places");
    words.resize(at, UDF);
    words.extend(handler);
    words
}
