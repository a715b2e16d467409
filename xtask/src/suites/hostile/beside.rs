//! Hostile guests that share their only CPU with another domain, which answers for longer than they live.
//!
//! Seeded and bounded; the other one is the built-in guest, and says how often it lost a register.

use codegen::plan::{GuestGic, GuestRange, Plan, PlannedDomain};

use super::program::{CMP_X0_X5, WRONG, XEN, off};
use super::random::{self, Addresses, Dice};
use super::{Attack, Bench, End, attack_beside, interrupts, seeds};
use crate::boards::BoardFile;
use crate::cli::Profile;
use crate::failure::Failure;
use crate::guests;
use crate::suites::a64::{BR, ISB, hvc, load};
use crate::suites::{boots, variants};

/// The domains: the hostile one takes the place of the first one's kernel.
const GUESTS: &str = "[[domain]]\nname = \"payload\"\nvcpus = 2\nmemory = { base = 0x4000_0000, size = \"16 MiB\" }\n\
                      kernel = \"payload\"\nkernel-max = \"64 KiB\"\nconsole = \"hypercall\"\n\n\
                      [[domain]]\nname = \"other\"\nvcpus = 1\nmemory = { base = 0x4000_0000, size = \"16 MiB\" }\n\
                      kernel = \"payload\"\nkernel-max = \"64 KiB\"\nconsole = \"hypercall\"\n\
                      command-line = \"role=outlast\"\n";
/// What the other one says in the end: `tests/guests/payload/src/exchange.rs`.
const OUTLIVED: &str = "other: payload: outlived the other domain, 0 of ";

/// MSR of X0 to CPACR_EL1 (3, 0, 1, 0, 2); FMOV X0 from a SIMD register, whose number goes to bits [9:5].
const CPACR: u32 = 0xd518_1040;
const X0_FROM_SIMD: u32 = 0x9e66_0000;
/// FMOV D7 from X5.
const D7_FROM_X5: u32 = 0x9e67_00a7;
/// B.NE over the five instructions behind it.
const B_NE_OVER_5: u32 = 0x5400_00c1;
/// What the other domain keeps in its SIMD registers: `tests/guests/payload/src/smp.rs`.
const CANARY: u64 = 0x5ec7_e75e_c7e7_5ec7;
/// `sched_op` and its operation "yield". Xen, public/sched.h.
const SCHED_OP: u64 = 29;
/// Looks at all SIMD registers.
const ROUNDS: usize = 20;
/// Accesses of one program.
const ACCESSES: usize = 400;
/// Firmware calls of one program.
const CALLS: usize = 120;
/// Load and store with an unsigned offset of 0, X1 at [X0]: size in bits [31:30], opc in bits [23:22]. LDP and STP of X1
/// and X2; LDR X1 with post-index 8.
const SINGLE: u32 = 0x3900_0001;
const OTHERS: [u32; 3] = [0xa940_0801, 0xa900_0801, 0xf840_8401];

pub(super) fn run(bench: &mut Bench<'_>, profile: Profile) {
    let project = bench.builder.project;
    let board = variants::with_guests(project, "qemu-arm64", "hostile-beside", GUESTS);
    match board.and_then(|board| one_core(bench, board)).and_then(|board| bench.builder.build(&board, profile)) {
        Ok(mut built) => {
            for attack in all(&built.planned.plan, seeds(bench.length)) {
                let result = attack_beside(bench, &mut built, &attack, outlived);
                bench.job(format!("hostile guest beside another, {}: {}", profile.word(), attack.what), result);
            }
        }
        Err(failure) => bench.job(format!("hostile beside another, {}", profile.word()), Err(failure)),
    }
}

fn outlived(lines: &[String]) -> Result<(), Failure> {
    boots::in_order(lines, &["tabula: domain payload: ".to_owned(), OUTLIVED.to_owned()])
}

fn all(plan: &Plan, seeds: u64) -> Vec<Attack> {
    let (Some(domain), Some(kernel)) = (plan.domains.first(), plan.blobs.first()) else { return Vec::new() };
    let (addresses, kernel) = (Addresses::new(plan, domain), kernel.ipa.get());
    let attack = |what: &str, words, end| Attack { what: what.to_owned(), words, end };
    let stopped = |number: u64| End::Stopped(format!("fetch at {}", paging::Ipa::new(WRONG + 4 * number)));
    let mut list = vec![
        attack("looking for the other one's SIMD registers", simd(&[]), End::Off),
        attack("control: one that finds a canary in one", simd(&[D7_FROM_X5]), stopped(7)),
    ];
    list.extend(interrupts::all(domain, kernel));
    for seed in 0..seeds {
        let attack = |what: &str, words, end| attack(&format!("{what}, seed {seed}"), words, end);
        let operations = random::operations(&addresses, &mut Dice(seed));
        list.extend([
            attack("accesses to its interrupt controller", inside(domain, kernel, &mut Dice(seed)), End::Off),
            attack("an access to nothing", outside(kernel, &addresses, &mut Dice(seed)), End::Any),
            attack("firmware calls about its second processor", second(kernel, &addresses, &mut Dice(seed)), End::Any),
            attack("cache and TLB operations", random::stepping(kernel, operations), End::Any),
        ]);
    }
    list
}

/// Goes to [`WRONG`] where a SIMD register of its own holds the canary of the other domain, which ran meanwhile.
fn simd(first: &[u32]) -> Vec<u32> {
    let mut words = [&load(0, 0b11 << 20)[..], &[CPACR, ISB], &load(5, CANARY), first].concat();
    for _ in 0..ROUNDS {
        for register in 0..32 {
            words.extend([X0_FROM_SIMD | register << 5, CMP_X0_X5, B_NE_OVER_5]);
            words.extend(load(0, WRONG + 4 * u64::from(register)));
            words.push(BR);
        }
        words.extend([&load(16, SCHED_OP)[..], &load(0, 0), &[hvc(XEN)]].concat());
    }
    words.extend(off());
    words
}

/// A load or a store of any width.
fn access(dice: &mut Dice) -> u32 {
    match dice.below(8) {
        0 => dice.one_of(&OTHERS),
        _ => {
            let size = dice.below(4) as u32;
            let opc = dice.below(if size == 3 { 2 } else { 4 }) as u32;
            // With 32 bits there is no sign extension to 32.
            let opc = if size == 2 && opc == 3 { 2 } else { opc };
            SINGLE | size << 30 | opc << 22
        }
    }
}

/// Accesses inside of emulated devices, aligned or not.
fn inside(domain: &PlannedDomain, kernel: u64, dice: &mut Dice) -> Vec<u32> {
    let windows: Vec<GuestRange> = match domain.map.gic {
        GuestGic::V2 { gicd, .. } => vec![gicd],
        GuestGic::V3 { gicd, gicr } => vec![gicd, gicr],
        GuestGic::None => Vec::new(),
    };
    let mut words = Vec::new();
    for _ in 0..ACCESSES {
        let window = dice.one_of(&windows);
        // Most registers are in the first pages.
        let bytes = if dice.below(2) == 0 { window.bytes } else { 0x1000 };
        let misaligned = if dice.below(8) == 0 { dice.below(8) } else { 0 };
        let at = window.base.get() + ((dice.below(bytes - 16) & !7) | misaligned);
        words.extend(load(0, at));
        words.extend(load(1, dice.word()));
        words.push(access(dice));
    }
    random::stepping(kernel, words)
}

/// One access to an address that may be anything; what comes behind it is reached where that is the domain's.
fn outside(kernel: u64, addresses: &Addresses, dice: &mut Dice) -> Vec<u32> {
    let at = match dice.below(2) {
        0 => addresses.any(dice),
        _ => dice.word() >> dice.below(40),
    };
    let words = [&load(0, at)[..], &load(1, dice.word()), &[access(dice)]].concat();
    random::stepping(kernel, words)
}

/// CPU_ON, CPU_OFF of none, AFFINITY_INFO, FEATURES: of processors that are there, on or off, and that are not.
fn second(kernel: u64, addresses: &Addresses, dice: &mut Dice) -> Vec<u32> {
    /// CPU_ON and AFFINITY_INFO by both conventions, MIGRATE, FEATURES. Arm DEN 0022, "Function prototypes".
    const FUNCTIONS: [u64; 7] =
        [0xc400_0003, 0xc400_0003, 0x8400_0003, 0xc400_0004, 0x8400_0004, 0xc400_0005, 0x8400_000a];
    let mut words = Vec::new();
    for _ in 0..CALLS {
        let target = dice.one_of(&[0, 1, 1, 1, 2, 0xf, 1 << 8, 1 << 31, 1 << 40, u64::MAX]);
        // The program itself, its text cut anywhere, and what may be elsewhere.
        let entry = if dice.below(2) == 0 { kernel + dice.below(0x100) } else { addresses.any(dice) };
        for (register, value) in (0..).zip([dice.one_of(&FUNCTIONS), target, entry, dice.word()]) {
            words.extend(load(register, value));
        }
        words.push(hvc(0));
    }
    words.extend(off());
    words
}

/// The board with its first core only.
fn one_core(bench: &Bench<'_>, board: BoardFile) -> Result<BoardFile, Failure> {
    let path = bench.builder.project.root().join(&board.path);
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let mut cores = 0;
    let kept = guests::tables(&text).into_iter().filter(|table| {
        let core = table.starts_with("[[cpu.core]]");
        cores += usize::from(core);
        !core || cores == 1
    });
    let text: String = kept.collect();
    std::fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(board)
}
