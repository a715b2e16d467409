//! What hostile guests execute, from their first instruction at EL1 with the MMU off.
//!
//! System registers: Arm ARM (DDI 0487), "AArch64 System Register Descriptions", each with its op0, op1, CRn, CRm, op2.

use codegen::model::ConsolePlace;
use codegen::plan::{Plan, PlannedDomain};
use paging::Ipa;

use super::{Attack, End};
use crate::suites::a64::{BR, DSB, ERET, ISB, LDR, STR, UDF, hvc, load};

/// SMC #0.
const SMC: u32 = 0xd400_0003;
/// WFI and WFE.
const WFI: u32 = 0xd503_207f;
const WFE: u32 = 0xd503_205f;
/// CMP X0, X5.
pub(super) const CMP_X0_X5: u32 = 0xeb05_001f;
/// B.EQ over the five instructions behind it.
const B_EQ_OVER_5: u32 = 0x5400_00c0;
/// STR (immediate): W1 to [X0].
const STR_W1: u32 = 0xb900_0001;
/// MOV X0, X10; ADD X10, X10, #1; ADD X9, X9, #4.
const MOV_X0_X10: u32 = 0xaa0a_03e0;
const INCREMENT_X10: u32 = 0x9100_054a;
const X9_PLUS_4: u32 = 0x9100_1129;
/// MSR of X0 to VBAR_EL1 (3, 0, 12, 0, 0), SPSR_EL1 (3, 0, 4, 0, 0), MAIR_EL1 (3, 0, 10, 2, 0), TCR_EL1 (3, 0, 2, 0, 2),
/// TTBR0_EL1 (3, 0, 2, 0, 0), TTBR1_EL1 (3, 0, 2, 0, 1), SCTLR_EL1 (3, 0, 1, 0, 0).
const VBAR: u32 = 0xd518_c000;
const SPSR: u32 = 0xd518_4000;
const MAIR: u32 = 0xd518_a200;
const TCR: u32 = 0xd518_2040;
const TTBR0: u32 = 0xd518_2000;
const TTBR1: u32 = 0xd518_2020;
const SCTLR: u32 = 0xd518_1000;
/// MSR of X1 to ELR_EL1 (3, 0, 4, 0, 1); MRS to X9 from it, and back.
const ELR_FROM_X1: u32 = 0xd518_4021;
const X9_FROM_ELR: u32 = 0xd538_4029;
const ELR_FROM_X9: u32 = 0xd518_4029;
/// Registers that a guest does not have: MRS and MSR of PMCR_EL0 (3, 3, 9, 12, 0), MRS of one of the implementation's own
/// (3, 0, 15, 0, 0).
const KEPT: [u32; 3] = [0xd53b_9c00, 0xd51b_9c00, 0xd538_f000];
/// Registers that are zero for a guest, whatever the machine's hold: MRS x0 of MDSCR_EL1 (2, 0, 0, 2, 2) and of ACTLR_EL1
/// (3, 0, 1, 0, 1).
const ZERO: [u32; 2] = [0xd530_0240, 0xd538_1020];

/// The hypercall immediate, `console_io` and its operation "write": Xen, public/arch-arm.h and public/xen.h.
pub(super) const XEN: u16 = 0xea1;
const CONSOLE_IO: u64 = 18;
/// Errors, as 64-bit registers hold them: Xen, public/errno.h; Arm DEN 0022, "Return codes".
const E2BIG: u64 = -7_i64 as u64;
const EFAULT: u64 = -14_i64 as u64;
const ENOSYS: u64 = -38_i64 as u64;
const NOT_SUPPORTED: u64 = -1_i64 as u64;
const INVALID_PARAMETERS: u64 = -2_i64 as u64;
const INVALID_ADDRESS: u64 = -9_i64 as u64;
/// PSCI functions: Arm DEN 0022, "Function prototypes".
const SYSTEM_OFF: u64 = 0x8400_0008;
const SYSTEM_RESET: u64 = 0x8400_0009;
const VERSION: u64 = 0x8400_0000;
const CPU_ON: u64 = 0xc400_0003;
const CPU_SUSPEND: u64 = 0xc400_0001;
const AFFINITY_INFO: u64 = 0xc400_0004;
const FEATURES: u64 = 0x8400_000a;
/// A place outside every domain here: a guest that got a wrong answer goes there, and is stopped with its number.
pub(super) const WRONG: u64 = 0x7000_0000;
/// Bytes from the kernel to its vectors, and from those to "current level, own stack, synchronous": Arm ARM,
/// "Exception vectors".
const VECTORS: u64 = 0x1000;
const SYNCHRONOUS: u64 = 0x200;

/// A call: the instruction, x0 to x2, x16, and the answer it must get in x0.
type Call = (u32, [u64; 3], u64, u64);

/// All of them.
pub(super) fn all(plan: &Plan) -> Vec<Attack> {
    let (Some(domain), Some(kernel)) = (plan.domains.first(), plan.blobs.first()) else { return Vec::new() };
    let kernel = kernel.ipa.get();
    let attack = |what: &str, words, end| Attack { what: what.to_owned(), words, end };
    let mut list = vec![
        attack("hypercalls with wrong numbers", answers(&numbers()), End::Off),
        attack("console writes of what it cannot read", answers(&buffers(plan, domain)), End::Off),
        attack("firmware calls with wrong arguments", answers(&firmware()), End::Off),
        attack("waiting for nothing", [&[WFI, WFE, WFI, WFE, WFI][..], &off()].concat(), End::Off),
        attack("registers that are not its own", registers(kernel), End::Off),
        attack("a trapped call in the last word of the address space", last_word(domain, kernel), End::Off),
        attack("a line in the hypervisor's name", impostor(kernel), {
            End::OffAfter(format!("{}: tabula: all domains are off; powering off", domain.name))
        }),
        attack("a request for a reset", [&load(0, SYSTEM_RESET)[..], &[hvc(0), UDF]].concat(), End::Reset),
    ];
    list.extend(stopped(domain));
    list
}

/// What ends a guest: accesses outside its memory.
fn stopped(domain: &PlannedDomain) -> Vec<Attack> {
    let end = Ipa::new(domain.ipa.get() + domain.memory.bytes());
    let below = Ipa::new(domain.ipa.get() - 8);
    let outside = |what: &str, word: u32, at: Ipa, attempt: &str| Attack {
        what: what.to_owned(),
        words: [&load(0, at.get())[..], &[word, UDF]].concat(),
        end: End::Stopped(format!("{attempt} at {at} (not mapped), its memory is {}..{end} (", domain.ipa)),
    };
    // SPSR.M, 0b10000: AArch32, User; everything masked.
    let user = [&load(0, 0x1d0)[..], &load(1, WRONG), &[SPSR, ELR_FROM_X1, ERET, UDF]].concat();
    vec![
        outside("a read below its memory", LDR, below, "read"),
        outside("a write behind its memory", STR, end, "write"),
        outside("a jump behind its memory", BR, end, "fetch"),
        outside("a read far beyond its address bits", LDR, Ipa::new(1 << 39), "read"),
        Attack {
            what: "a jump out of its memory from AArch32 at EL0".to_owned(),
            words: user,
            end: End::Stopped(format!("fetch at {} (not mapped)", Ipa::new(WRONG))),
        },
    ]
}

/// PSCI SYSTEM_OFF.
pub(super) fn off() -> Vec<u32> {
    [&load(0, SYSTEM_OFF)[..], &[hvc(0), UDF]].concat()
}

/// Calls one after the other; goes to [`WRONG`] plus the call's number at the first wrong answer.
fn answers(calls: &[Call]) -> Vec<u32> {
    let mut words = Vec::new();
    for (number, (call, arguments, sixteenth, answer)) in (0..).zip(calls) {
        for (register, value) in (0..).zip(arguments) {
            words.extend(load(register, *value));
        }
        words.extend(load(16, *sixteenth));
        words.push(*call);
        words.extend(load(5, *answer));
        words.extend(expect(number));
    }
    words.extend(off());
    words
}

/// Goes on where X0 is X5.
fn expect(number: u64) -> Vec<u32> {
    [&[CMP_X0_X5, B_EQ_OVER_5][..], &load(0, WRONG + 4 * number), &[BR]].concat()
}

fn numbers() -> Vec<Call> {
    let unknown = [0, 16, 19, 63, 1 << 32 | CONSOLE_IO, u64::MAX];
    let mut calls: Vec<Call> = unknown.map(|number| (hvc(XEN), [0; 3], number, ENOSYS)).into();
    calls.extend([2, 3, 1 << 32, u64::MAX].map(|command| (hvc(XEN), [command, 1, 0], CONSOLE_IO, ENOSYS)));
    // There is nothing to read, wherever it should go.
    calls.push((hvc(XEN), [1, u64::MAX, u64::MAX], CONSOLE_IO, 0));
    calls.extend(
        [hvc(1), hvc(0xea0), hvc(0xffff), SMC].map(|call| (call, [SYSTEM_OFF, 0, 0], CONSOLE_IO, NOT_SUPPORTED)),
    );
    calls
}

fn buffers(plan: &Plan, domain: &PlannedDomain) -> Vec<Call> {
    let (base, end) = (domain.ipa.get(), domain.ipa.get() + domain.memory.bytes());
    let write = |count, at, answer| (hvc(XEN), [0, count, at], CONSOLE_IO, answer);
    let mut calls: Vec<Call> = [4097, 1 << 32, 1 << 63, u64::MAX].map(|count| write(count, base, E2BIG)).into();
    let console = match plan.board.console.place {
        ConsolePlace::Mmio(mmio) => mmio.base.get(),
        ConsolePlace::Port(_) | ConsolePlace::None => 0,
    };
    let hypervisor = plan.sections.first().map_or(0, |text| text.link.get());
    let nowhere = [0, 1, base - 1, end, console, hypervisor, 1 << 39, 1 << 48, 0xffff_0000_0000_0000, u64::MAX];
    calls.extend(nowhere.map(|at| write(1, at, EFAULT)));
    // The first bytes can be read, the last cannot.
    calls.extend([write(64, end - 16, EFAULT), write(4096, end - 4095, EFAULT)]);
    calls.extend([write(0, u64::MAX, 0), write(0, 0, 0)]);
    calls
}

fn firmware() -> Vec<Call> {
    let call = |function, first, second, answer| (hvc(0), [function, first, second], u64::MAX, answer);
    vec![
        call(CPU_ON, 0, u64::MAX, INVALID_ADDRESS),
        call(CPU_ON, u64::MAX, 0, INVALID_PARAMETERS),
        call(CPU_SUSPEND, u64::MAX, u64::MAX, 0),
        call(0, 0, 0, NOT_SUPPORTED),
        call(u64::MAX, u64::MAX, u64::MAX, NOT_SUPPORTED),
        call(AFFINITY_INFO, 1, 0, INVALID_PARAMETERS),
        call(AFFINITY_INFO, 0, 1, INVALID_PARAMETERS),
        call(AFFINITY_INFO, u64::MAX, u64::MAX, INVALID_PARAMETERS),
        call(FEATURES, u64::MAX, 0, NOT_SUPPORTED),
        call(VERSION, 0, 0, 0x1_0001),
    ]
}

/// The vectors' place, so many bytes behind the first instruction, filled up to it, with this at the synchronous exception.
///
/// # Panics
/// Where the program reaches into its vectors.
pub(super) fn with_handler(mut words: Vec<u32>, vectors: u64, handler: &[u32]) -> Vec<u32> {
    let first = ((vectors + SYNCHRONOUS) / 4) as usize;
    assert!(words.len() <= first, "{} words of program, {first} up to the handler", words.len());
    words.resize(first, UDF);
    words.extend(handler);
    words
}

/// Each access is an undefined instruction to the guest, which counts and steps over it.
fn registers(kernel: u64) -> Vec<u32> {
    let start = [&load(0, kernel + VECTORS)[..], &[VBAR], &load(10, 0), &[ISB]].concat();
    let zero = ZERO
        .into_iter()
        .zip(1..)
        .flat_map(|(read, number)| [&load(0, u64::MAX)[..], &[read], &load(5, 0), &expect(number)].concat());
    let count = [&[MOV_X0_X10][..], &load(5, KEPT.len() as u64), &expect(0), &off()].concat();
    let handler = [X9_FROM_ELR, X9_PLUS_4, ELR_FROM_X9, INCREMENT_X10, ERET];
    with_handler([&start[..], &KEPT, &zero.collect::<Vec<_>>(), &count].concat(), VECTORS, &handler)
}

/// Prints, and switches off.
fn impostor(kernel: u64) -> Vec<u32> {
    const LINE: &[u8; 44] = b"tabula: all domains are off; powering off\n\0\0";
    let text = LINE.chunks_exact(4).map(|word| word.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte)));
    let print =
        [&load(1, 42)[..], &load(2, kernel + VECTORS + SYNCHRONOUS), &load(0, 0), &load(16, CONSOLE_IO)].concat();
    with_handler([&print[..], &[hvc(XEN)], &off()].concat(), VECTORS, &text.collect::<Vec<_>>())
}

/// The last 2 MiB of the domain's memory at the end of the address space, an SMC in the last word of both: the
/// instruction behind it is at 0, where nothing is mapped, so that the guest's own handler runs.
fn last_word(domain: &PlannedDomain, kernel: u64) -> Vec<u32> {
    // VMSAv8-64 descriptors: table 0b11; block 0b01, SH inner (0b11, bits [9:8]), AF (bit 10), AttrIndx 0.
    const TABLE: u64 = 0b11;
    const BLOCK: u64 = 0b01 | 0b11 << 8 | 1 << 10;
    const MIB: u64 = 1 << 20;
    let end = domain.ipa.get() + domain.memory.bytes();
    // Three tables in memory that is still zero: for low addresses, for high ones, and the last gigabyte's.
    let [low, high, last] = [4, 5, 6].map(|number| domain.ipa.get() + number * MIB);
    let store = |at, value| [&load(0, at)[..], &load(1, value), &[STR]].concat();
    let write = |register, value| [&load(0, value)[..], &[register]].concat();
    // TCR_EL1: T0SZ and T1SZ 25 (39 bits, from level 1), SH 0b11, ORGN and IRGN 0b01, TG1 4 KiB (0b10, bits [31:30]),
    // IPS 40 bits (0b010, bits [34:32]). SCTLR_EL1: the bits that are RES1, and M.
    let half = 25 | 0b11_0101 << 8;
    let tcr = half | half << 16 | 0b10 << 30 | 0b010 << 32;
    let sctlr = 0x30d0_0800 | 1;
    let words = [
        store(low + 8 * (kernel >> 30), kernel >> 30 << 30 | BLOCK),
        store(high + 8 * 511, last | TABLE),
        store(last + 8 * 511, (end - 2 * MIB) | BLOCK),
        [&load(0, end - 4)[..], &load(1, u64::from(SMC)), &[STR_W1]].concat(),
        write(VBAR, kernel + VECTORS),
        write(MAIR, 0xff),
        write(TCR, tcr),
        write(TTBR0, low),
        write(TTBR1, high),
        vec![DSB, ISB],
        write(SCTLR, sctlr),
        vec![ISB],
        write(BR, u64::MAX - 3),
    ];
    with_handler(words.concat(), VECTORS, &off())
}
