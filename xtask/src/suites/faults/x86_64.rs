//! Instructions that fail in long mode, and the words of the reports.
//!
//! Encodings: Intel SDM vol. 2, "Instruction Set Reference", of each instruction named.

use codegen::plan::Plan;
use paging::{Level, PhysAddr, VirtAddr};

use super::patch::Place;
use super::{Attempt, Code, Counter, Fault, Machine, Reason};

pub(super) const MACHINE: Machine =
    Machine { counter_name: "rip", touch, class, overflow, undefined: || (inside(&[], UD2), "invalid opcode"), own };

/// MOV RAX, imm64 and MOV RCX, imm64: the first two bytes.
const MOV_RAX: [u8; 2] = [0x48, 0xb8];
const MOV_RCX: [u8; 2] = [0x48, 0xb9];
/// MOV RCX, [RAX].
const READ: &[u8] = &[0x48, 0x8b, 0x08];
/// MOV [RAX], RCX.
const WRITE: &[u8] = &[0x48, 0x89, 0x08];
/// MOV [RAX], ECX.
const WRITE_32: &[u8] = &[0x89, 0x08];
/// JMP RAX.
const JUMP: &[u8] = &[0xff, 0xe0];
/// PUSH RAX, and a jump back to it.
const PUSH_FOR_EVER: &[u8] = &[0x50, 0xeb, 0xfd];
/// JMP to itself.
const STAY: &[u8] = &[0xeb, 0xfe];
/// UD2.
const UD2: &[u8] = &[0x0f, 0x0b];
/// INT3.
const INT3: &[u8] = &[0xcc];
/// XOR ECX, ECX.
const CLEAR_ECX: &[u8] = &[0x31, 0xc9];
/// DIV ECX.
const DIV_ECX: &[u8] = &[0xf7, 0xf1];
/// MOV AX, 38H: a selector behind the end of each CPU's table.
const MOV_AX_38: &[u8] = &[0x66, 0xb8, 0x38, 0x00];
/// MOV DS, AX.
const MOV_DS_AX: &[u8] = &[0x66, 0x8e, 0xd8];
/// PUSHFQ; OR QWORD PTR [RSP], 100H (RFLAGS.TF, bit 8); POPFQ; NOP.
const STEP: &[u8] = &[0x9c, 0x48, 0x81, 0x0c, 0x24, 0x00, 0x01, 0x00, 0x00, 0x9d, 0x90];
/// SUB RSP, 16; SIDT [RSP]; MOV WORD PTR [RSP], 8FH; LIDT [RSP]: a table that ends behind vector 8.
const SHORT_TABLE: &[u8] =
    &[0x48, 0x83, 0xec, 0x10, 0x0f, 0x01, 0x0c, 0x24, 0x66, 0xc7, 0x04, 0x24, 0x8f, 0x00, 0x0f, 0x01, 0x1c, 0x24];

/// Code whose last instruction is the one that fails.
fn inside(before: &[&[u8]], fails: &[u8]) -> Code {
    let mut bytes = before.concat();
    let counter = Counter::Inside(bytes.len());
    bytes.extend(fails);
    Code { bytes, counter }
}

/// Code whose report names what comes behind it: traps are taken after their instruction.
fn behind(bytes: &[u8]) -> Code {
    Code { bytes: bytes.to_vec(), counter: Counter::Inside(bytes.len()) }
}

fn load(register: [u8; 2], value: u64) -> Vec<u8> {
    [&register[..], &value.to_le_bytes()].concat()
}

fn touch(attempt: Attempt, at: VirtAddr) -> Code {
    let set = load(MOV_RAX, at.get());
    match attempt {
        Attempt::Read => inside(&[&set], READ),
        Attempt::Write => inside(&[&set], WRITE),
        Attempt::Fetch => Code { counter: Counter::At(at), ..inside(&[&set], JUMP) },
    }
}

fn class(_attempt: Attempt, reason: Reason) -> &'static str {
    match reason {
        Reason::Unmapped => "page fault (nothing is mapped)",
        Reason::Forbidden => "page fault (the mapping forbids it)",
    }
}

fn overflow() -> (Code, u64) {
    (inside(&[], PUSH_FOR_EVER), 8)
}

/// A fault that has no address.
fn plain(what: &str, class: &str, code: Code) -> Fault {
    Fault { what: what.to_owned(), place: Place::Boot, code, classes: vec![class.to_owned()], access: None }
}

fn own(plan: &Plan, nowhere: VirtAddr) -> Vec<Fault> {
    let not_canonical = load(MOV_RAX, 1 << 47);
    let mut faults = vec![
        plain(
            "read of no canonical address",
            "general protection fault (error code 0x0)",
            inside(&[&not_canonical], READ),
        ),
        plain(
            "a selector beyond the table",
            "general protection fault (error code 0x38)",
            inside(&[MOV_AX_38], MOV_DS_AX),
        ),
        plain("division by zero", "divide error", inside(&[CLEAR_ECX], DIV_ECX)),
        plain("breakpoint", "breakpoint", behind(INT3)),
        plain("single step", "debug exception", behind(STEP)),
        Fault {
            access: Some((Attempt::Write, nowhere)),
            ..plain(
                "a page fault that cannot be delivered",
                "double fault",
                inside(&[SHORT_TABLE, &load(MOV_RAX, nowhere.get())], WRITE),
            )
        },
        reserved_bit(plan),
    ];
    faults.extend(plan.fixed.lapic.map(stray_nmi));
    faults
}

/// An entry with a bit that must be zero, put into the map cache's own table through its alias, then used.
fn reserved_bit(plan: &Plan) -> Fault {
    // Intel SDM vol. 3A, "4-Level Paging": P, bit 0; R/W, bit 1; physical addresses end at 51, and bits between
    // MAXPHYADDR and 51 are reserved.
    const PRESENT: u64 = 1 << 0;
    const WRITABLE: u64 = 1 << 1;
    const RESERVED: u64 = 1 << 51;
    let at = plan.private.mapcache;
    let entry_at = plan.private.mapcache_table.get() + at.index(Level::L3).get() as u64 * 8;
    let data = plan.sections.iter().find(|section| section.name == "data");
    let entry = data.map_or(PhysAddr::new(0), |data| data.base).get() | PRESENT | WRITABLE | RESERVED;
    let write = [load(MOV_RAX, entry_at), load(MOV_RCX, entry), WRITE.to_vec()].concat();
    let code = inside(&[&write, &load(MOV_RAX, at.get())], READ);
    let class = "page fault (an entry has a reserved bit set)";
    Fault { access: Some((Attempt::Read, at)), ..plain("an entry with a reserved bit", class, code) }
}

/// An NMI that no CPU asked for: ICR, destination APIC id 0, delivery mode NMI (0b100, bits [10:8]), level assert
/// (bit 14). Intel SDM vol. 3A, "Interrupt Command Register (ICR)".
fn stray_nmi(lapic: VirtAddr) -> Fault {
    let write = |register: u64, value: u64| {
        [load(MOV_RAX, lapic.get() + register), load(MOV_RCX, value), WRITE_32.to_vec()].concat()
    };
    let code = inside(&[&write(0x310, 0), &write(0x300, 0x4400)], STAY);
    plain("an NMI nobody asked for", "non-maskable interrupt", code)
}
