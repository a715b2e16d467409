//! Programs of hostile guests that nobody wrote: calls, registers and operations drawn from a seed.
//!
//! Bounded, and the same for the same seed. They spare what would end the guest by itself (its own text, its own
//! translation registers, shutting down): whatever it is answered, it gets to its end.
//!
//! System registers and operations: Arm ARM (DDI 0487), "System instruction class encoding overview".

use codegen::model::ConsolePlace;
use codegen::plan::{Plan, PlannedDomain};

use super::program::{XEN, off, with_handler};
use super::{Attack, End};
use crate::suites::a64::{ERET, ISB, STR, hvc, load};

/// Calls and accesses of one program: what fits the room that the payload's kernel has.
const STEPS: usize = 160;
/// Where arguments lie: in the domain's first 2 MiB, which the kernel leaves alone.
const ARGUMENTS: u64 = 0x1000;
/// Words of a structure.
const STRUCTURE: u64 = 4;

/// MRS and MSR to and from X1: bit 20, 1, L (bit 21), op0 in bits [20:19], op1 [18:16], CRn [15:12], CRm [11:8], op2 [7:5].
const MRS: u32 = 0xd520_0001;
const MSR: u32 = 0xd500_0001;
/// Where CRn is.
const CRN_SHIFT: u32 = 12;
/// SYS with X1: op0 is 1.
const SYS: u32 = 0xd508_0001;
/// MSR of X0 to VBAR_EL1; MRS and MSR of X9 and ELR_EL1; ADD X9, X9, #4.
const VBAR: u32 = 0xd518_c000;
const X9_FROM_ELR: u32 = 0xd538_4029;
const ELR_FROM_X9: u32 = 0xd518_4029;
const X9_PLUS_4: u32 = 0x9100_1129;
/// Bytes from the kernel to its vectors.
const VECTORS: u64 = 0xf000;

/// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators".
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.word() % end
    }

    pub(super) fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// One program of each kind for each seed.
pub(super) fn all(plan: &Plan, seeds: u64) -> Vec<Attack> {
    let (Some(domain), Some(kernel)) = (plan.domains.first(), plan.blobs.first()) else { return Vec::new() };
    let addresses = Addresses::new(plan, domain);
    let kernel = kernel.ipa.get();
    let mut list = Vec::new();
    for seed in 0..seeds {
        let attack = |what: &str, words, end| Attack { what: format!("{what}, seed {seed}"), words, end };
        let operations = operations(&addresses, &mut Dice(seed));
        list.extend([
            attack("random hypercalls", calls(&addresses, &mut Dice(seed)), End::Off),
            attack("random firmware calls", firmware(&addresses, &mut Dice(seed)), End::Off),
            attack("random system registers", stepping(kernel, registers(&mut Dice(seed))), End::Off),
            // One of them may reach beyond the guest's memory.
            attack("random cache and TLB operations", stepping(kernel, operations), End::Any),
        ]);
    }
    list
}

/// What a pointer may be.
pub(super) struct Addresses {
    pub(super) base: u64,
    end: u64,
    /// Where the guest has nothing, or not what it says: below, behind, the machine's console and RAM, the hypervisor.
    elsewhere: Vec<u64>,
}

impl Addresses {
    pub(super) fn new(plan: &Plan, domain: &PlannedDomain) -> Self {
        let (base, end) = (domain.ipa.get(), domain.ipa.get() + domain.memory.bytes());
        let console = match plan.board.console.place {
            ConsolePlace::Mmio(mmio) => mmio.base.get(),
            ConsolePlace::Port(_) | ConsolePlace::None => 0,
        };
        let sections = plan.sections.iter().flat_map(|section| [section.link.get(), section.base.get()]);
        let mut elsewhere: Vec<u64> = sections.collect();
        elsewhere.extend([
            0,
            1,
            base - 1,
            end,
            console,
            1 << 39,
            1 << 48,
            0xffff_0000_0000_0000,
            u64::MAX,
            u64::MAX - 7,
        ]);
        elsewhere.extend(plan.domains.iter().map(|other| other.memory.first.address().get()));
        Self { base, end, elsewhere }
    }

    /// A pointer of any class: good, misaligned, across two pages, across the end of memory, elsewhere.
    pub(super) fn any(&self, dice: &mut Dice) -> u64 {
        let good = self.base + ARGUMENTS + 8 * dice.below(0x8000);
        match dice.below(8) {
            0..=2 => self.base + ARGUMENTS,
            3 => good,
            4 => good + dice.below(8),
            5 => (good | 0xfff) - dice.below(16),
            6 => self.end - dice.below(64),
            _ => dice.one_of(&self.elsewhere),
        }
    }

    /// A number as structures hold them: a domain, a port, a page, a pointer, anything.
    fn field(&self, dice: &mut Dice) -> u64 {
        match dice.below(8) {
            0 => 0x7ff0 | dice.below(8) << 32,
            1 => dice.below(4) | dice.below(130) << 32,
            2 => dice.below(8) | dice.below(4) << 16,
            3 => self.base / paging::PAGE_BYTES + dice.below(16),
            4 => self.any(dice),
            5 => dice.below(1 << 13) << 32 | dice.below(1 << 13),
            6 => u64::from(dice.word() as u32),
            _ => dice.word(),
        }
    }
}

/// Stores of a structure where arguments lie.
fn structure(addresses: &Addresses, dice: &mut Dice) -> Vec<u32> {
    let mut words = Vec::new();
    for word in 0..STRUCTURE {
        words.extend(load(0, addresses.base + ARGUMENTS + 8 * word));
        words.extend(load(1, addresses.field(dice)));
        words.push(STR);
    }
    words
}

/// Hypercalls, each on a new structure.
fn calls(addresses: &Addresses, dice: &mut Dice) -> Vec<u32> {
    const NUMBERS: [u64; 10] = [12, 17, 18, 20, 20, 24, 32, 32, 33, 34];
    let mut words = Vec::new();
    for _ in 0..STEPS {
        let number = match dice.below(16) {
            0 => dice.below(64),
            1 => dice.word(),
            _ => dice.one_of(&NUMBERS),
        };
        // sched_op ends the guest, or its turn for good.
        let number = if number == 29 { 30 } else { number };
        let third = dice.below(70);
        words.extend(structure(addresses, dice));
        let arguments = match number {
            24 => [dice.below(14), dice.below(3), addresses.any(dice)],
            18 => [dice.below(3), dice.below(600), addresses.any(dice)],
            _ => [dice.below(25), addresses.any(dice), third],
        };
        for (register, value) in (0..).zip(arguments).chain([(16, number)]) {
            words.extend(load(register, value));
        }
        words.push(hvc(XEN));
    }
    words.extend(off());
    words
}

/// Firmware calls that do not end the guest, with any arguments.
fn firmware(addresses: &Addresses, dice: &mut Dice) -> Vec<u32> {
    /// SYSTEM_OFF, SYSTEM_RESET, SYSTEM_RESET2, and what stops a vCPU: CPU_SUSPEND, CPU_OFF, CPU_DEFAULT_SUSPEND,
    /// SYSTEM_SUSPEND. Arm DEN 0022, "Function prototypes". Their low bytes.
    const ENDINGS: [u64; 7] = [0x8, 0x9, 0x12, 0x1, 0x2, 0xc, 0xe];
    let mut words = Vec::new();
    for _ in 0..STEPS {
        let base = dice.one_of(&[0x8400_0000, 0xc400_0000, 0x8000_0000, 0x8600_0000, 0xc600_0000]);
        let function = match (base + dice.below(0x40), dice.below(8)) {
            (_, 0) => dice.word() | 1 << 63,
            (function, _) if ENDINGS.contains(&(function & 0xff)) => base,
            (function, _) => function,
        };
        // Its own vCPU and those it does not have: none starts.
        let arguments = [function, dice.one_of(&[0, 1 << 8, 1 << 40, u64::MAX]), addresses.any(dice), dice.word()];
        for (register, value) in (0..).zip(arguments) {
            words.extend(load(register, value));
        }
        words.push(hvc(0));
    }
    words.extend(off());
    words
}

/// What runs with a handler that steps over whatever traps or faults at EL1.
pub(super) fn stepping(kernel: u64, steps: Vec<u32>) -> Vec<u32> {
    let start = [&load(0, kernel + VECTORS)[..], &[VBAR, ISB]].concat();
    with_handler([start, steps, off()].concat(), VECTORS, &[X9_FROM_ELR, X9_PLUS_4, ELR_FROM_X9, ERET])
}

/// Reads of any system register, writes of those that do not change how the guest itself executes.
fn registers(dice: &mut Dice) -> Vec<u32> {
    /// CRn of what may be written: performance monitors (9), the interrupt controller (12, from CRm 8 on), the
    /// implementation's own (11, 15).
    const WRITTEN: [u32; 4] = [9, 11, 12, 15];
    let mut words = Vec::new();
    for _ in 0..STEPS * 4 {
        let (op1, crm, op2) = (dice.below(8) as u32, dice.below(16) as u32, dice.below(8) as u32);
        let fields = |op0: u32, crn: u32, crm: u32| op0 << 19 | op1 << 16 | crn << CRN_SHIFT | crm << 8 | op2 << 5;
        if dice.below(2) == 0 {
            let crn = dice.below(16) as u32;
            words.push(MRS | fields(dice.one_of(&[2, 3]), crn, crm));
        } else {
            let crn = dice.one_of(&WRITTEN);
            words.extend(load(1, dice.word()));
            words.push(MSR | fields(3, crn, if crn == 12 { crm | 8 } else { crm }));
        }
    }
    words
}

/// Cache maintenance, translations and invalidations, of any address but the guest's own text.
pub(super) fn operations(addresses: &Addresses, dice: &mut Dice) -> Vec<u32> {
    let mut words = Vec::new();
    for _ in 0..STEPS * 2 {
        let address = match dice.below(3) {
            0 => dice.word(),
            1 => addresses.base + ARGUMENTS + dice.below(0x8000),
            _ => dice.word() | 0xffff << 48,
        };
        let (op1, crn) = (dice.one_of(&[0, 0, 3, 4, 6]), dice.one_of(&[7, 8]));
        let (crm, op2) = (dice.below(16) as u32, dice.below(8) as u32);
        words.extend(load(1, address));
        words.push(SYS | op1 << 16 | crn << CRN_SHIFT | crm << 8 | op2 << 5);
    }
    words
}
