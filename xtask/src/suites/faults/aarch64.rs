//! Instructions that fail at EL2, and the words of the reports.
//!
//! Encodings: as in `a64`; system registers: Arm ARM (DDI 0487), "AArch64 System Register Descriptions", each with its
//! op0, op1, CRn, CRm, op2.

use codegen::plan::Plan;
use paging::{Level, VirtAddr};

use super::patch::Place;
use super::{Attempt, Code, Counter, Fault, Machine, Reason};
use crate::suites::a64::{self, BR, DSB, ERET, ISB, LDR, STR, UDF, hvc, load};

pub(super) const MACHINE: Machine = Machine {
    counter_name: "elr",
    touch,
    class,
    overflow,
    undefined: || (inside(&[UDF], 0), "undefined instruction"),
    own,
};

/// LDAXR: W1 from [X0]; its address must be aligned whatever SCTLR_EL2.A says.
const LDAXR: u32 = 0x885f_fc01;
/// STP (pre-index): X29, X30 to [SP, #-16]!.
const PUSH: u32 = 0xa9bf_7bfd;
/// B to the instruction before it.
const B_BACK: u32 = 0x17ff_ffff;
/// BRK #0.
const BRK: u32 = 0xd420_0000;
/// SVC #0.
const SVC: u32 = 0xd400_0001;
/// ADR: X1 becomes the address 16 bytes behind this instruction's.
const ADR_X1_16: u32 = 0x1000_0081;
/// MSR ELR_EL2 (3, 4, 4, 0, 1), X1.
const MSR_ELR_X1: u32 = 0xd51c_4021;
/// MSR SPSR_EL2 (3, 4, 4, 0, 0), X0.
const MSR_SPSR_X0: u32 = 0xd51c_4000;
/// MSR CPTR_EL2 (3, 4, 1, 1, 2), X0.
const MSR_CPTR_X0: u32 = 0xd51c_1140;
/// FMOV D0, XZR.
const FMOV: u32 = 0x9e67_03e0;

/// Code whose instruction number `fails` does.
fn inside(words: &[u32], fails: usize) -> Code {
    Code { bytes: a64::bytes(words), counter: Counter::Inside(fails * size_of::<u32>()) }
}

fn touch(attempt: Attempt, at: VirtAddr) -> Code {
    let word = match attempt {
        Attempt::Read => LDR,
        Attempt::Write => STR,
        Attempt::Fetch => BR,
    };
    let mut code = with_x0(at.get(), &[word]);
    if attempt == Attempt::Fetch {
        code.counter = Counter::At(at);
    }
    code
}

/// X0 set, then these; the last one fails.
fn with_x0(value: u64, words: &[u32]) -> Code {
    let all = [&load(0, value), words].concat();
    inside(&all, all.len() - 1)
}

fn class(attempt: Attempt, reason: Reason) -> &'static str {
    match (attempt, reason) {
        (Attempt::Fetch, Reason::Unmapped) => "instruction abort (not mapped)",
        (Attempt::Fetch, Reason::Forbidden) => "instruction abort (not permitted)",
        (Attempt::Read | Attempt::Write, Reason::Unmapped) => "data abort (not mapped)",
        (Attempt::Read | Attempt::Write, Reason::Forbidden) => "data abort (not permitted)",
    }
}

fn overflow() -> (Code, u64) {
    (inside(&[PUSH, B_BACK], 0), 16)
}

/// A fault that has no address.
fn plain(what: &str, class: &str, code: Code) -> Fault {
    Fault { what: what.to_owned(), place: Place::Boot, code, classes: vec![class.to_owned()], access: None }
}

fn own(plan: &Plan, nowhere: VirtAddr) -> Vec<Fault> {
    let stack = plan.private.stack.get();
    let misaligned = VirtAddr::new(stack + 2);
    let text = plan.sections.first().map_or(nowhere, |text| text.link);
    let between = VirtAddr::new(text.get() + 2);
    let wide = VirtAddr::new(0xffff_0000_0000_0000);
    let mut faults = vec![
        Fault {
            access: Some((Attempt::Read, wide)),
            ..plain("read beyond 48 bits", class(Attempt::Read, Reason::Unmapped), touch(Attempt::Read, wide))
        },
        Fault {
            access: Some((Attempt::Read, misaligned)),
            ..plain("misaligned exclusive read", "data abort (misaligned)", with_x0(misaligned.get(), &[LDAXR]))
        },
        plain(
            "branch to between two instructions",
            "misaligned program counter",
            Code { counter: Counter::At(between), ..with_x0(between.get(), &[BR]) },
        ),
        plain("breakpoint", "breakpoint instruction", inside(&[BRK], 0)),
        // A call's return address is behind it.
        plain("supervisor call", "supervisor call", inside(&[SVC], 1)),
        plain("hypervisor call", "hypervisor call #0x5", inside(&[hvc(5)], 1)),
        plain("exception return to no mode", "illegal execution state", illegal_return()),
        plain("floating point where it traps", "trapped floating point", trapped_simd()),
    ];
    faults.extend(bad_entries(plan));
    faults
}

/// Returns to the instruction behind itself, with a mode that does not exist: SPSR_EL2.M, bits [3:0], 0b1111. It is the
/// one returned to that fails (PSTATE.IL).
fn illegal_return() -> Code {
    let words = [&load(0, 0x3cf)[..], &[ADR_X1_16, MSR_ELR_X1, MSR_SPSR_X0, ERET, ISB]].concat();
    inside(&words, words.len() - 1)
}

/// CPTR_EL2.TFP, bit [10], with the bits that are RES1.
fn trapped_simd() -> Code {
    with_x0(0x33ff | 1 << 10, &[MSR_CPTR_X0, ISB, FMOV])
}

/// Entries as a bug could write them, put into the map cache's own table through its alias, then used.
fn bad_entries(plan: &Plan) -> Vec<Fault> {
    // VMSAv8-64 descriptor: valid page 0b11, AF bit [10].
    const PAGE: u64 = 0b11;
    const ACCESSED: u64 = 1 << 10;
    let at = plan.private.mapcache;
    let entry_at = plan.private.mapcache_table.get() + at.index(Level::L3).get() as u64 * 8;
    let data = plan.sections.iter().find(|section| section.name == "data").map_or(0, |data| data.base.get());
    let behind_ram = plan.board.memory.banks.iter().map(|bank| bank.frames.end().address().get()).max().unwrap_or(0);
    let too_wide = 1 << 47;
    let rows = [
        ("an entry without its access flag", "access flag", data | PAGE),
        ("an entry that leads to no device and no RAM", "refused by the memory system", behind_ram | PAGE | ACCESSED),
        ("an entry wider than physical addresses", "address too wide", too_wide | PAGE | ACCESSED),
    ];
    rows.map(|(what, status, entry)| {
        let words = [&load(0, entry_at)[..], &load(1, entry), &[STR, DSB, ISB], &load(0, at.get()), &[LDR]].concat();
        let code = inside(&words, words.len() - 1);
        Fault { access: Some((Attempt::Read, at)), ..plain(what, &format!("data abort ({status})"), code) }
    })
    .into()
}
