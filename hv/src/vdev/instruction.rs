//! A64 loads and stores for which a data abort has no syndrome: pairs, and those that write their base back.
//!
//! Others, atomics, exclusives, SIMD and unprivileged ones among them, are nobody's way to a device register: `None`.
//!
//! Source: Arm ARM (DDI 0487), "Loads and Stores", "Load/store register pair" and "Load/store register" classes.

#[cfg(test)]
mod tests;

use super::mmio::{Direction, Extension, Register, Transfer, Width};

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The access to the address that faulted.
    pub first: Transfer,
    /// The one right behind it.
    pub second: Option<Transfer>,
    /// The base register, and what it holds afterwards.
    pub written_back: Option<(Register, u64)>,
}

/// When the base register changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Indexing {
    /// Not at all: the offset is added for this access.
    Offset,
    /// Before the access.
    Pre,
    /// After it.
    Post,
}

impl Instruction {
    /// Decodes `word`, which faulted at `at` with these registers; `None` where the address is another, so that what
    /// was fetched is not what was executed, or the form is none of ours.
    pub fn decode(word: u32, x: &[u64; 31], at: u64) -> Option<Self> {
        let (instruction, base, offset, indexing) = match word >> 24 & 0b11_1111 {
            0b10_1000 | 0b10_1001 => pair(word)?,
            0b11_1000 => single(word)?,
            _ => return None,
        };
        // The stack pointer is no register of the guest's context.
        if base.is_last() {
            return None;
        }
        let moved = base.get(x).wrapping_add(offset);
        let address = if indexing == Indexing::Post { base.get(x) } else { moved };
        let clash = |transfer: Transfer| transfer.register == base;
        let (first, second) = instruction;
        match indexing {
            _ if address != at => None,
            Indexing::Offset => Some(Self { first, second, written_back: None }),
            // CONSTRAINED UNPREDICTABLE: the base is transferred and written back.
            Indexing::Pre | Indexing::Post if clash(first) || second.is_some_and(clash) => None,
            Indexing::Pre | Indexing::Post => Some(Self { first, second, written_back: Some((base, moved)) }),
        }
    }
}

type Form = ((Transfer, Option<Transfer>), Register, u64, Indexing);

/// A field of the instruction, its sign extended.
const fn signed(word: u32, low: u32, bits: u32) -> u64 {
    ((word << (32 - low - bits)) as i32 >> (32 - bits)) as i64 as u64
}

/// LDP, STP, LDPSW, LDNP, STNP: opc bits [31:30], V bit [26], indexing bits [24:23], L bit [22], imm7 bits [21:15], Rt2
/// bits [14:10], Rn bits [9:5], Rt bits [4:0].
fn pair(word: u32) -> Option<Form> {
    let load = word & 1 << 22 != 0;
    let (width, direction) = match (word >> 30, load) {
        (0b00, true) => (Width::Word, Direction::Load(Extension::Zero)),
        (0b10, true) => (Width::Double, Direction::Load(Extension::Zero)),
        (0b01, true) => (Width::Word, Direction::Load(Extension::SignDouble)),
        (0b00, false) => (Width::Word, Direction::Store),
        (0b10, false) => (Width::Double, Direction::Store),
        _ => return None,
    };
    let indexing = match word >> 23 & 0b11 {
        0b01 => Indexing::Post,
        0b11 => Indexing::Pre,
        _ => Indexing::Offset,
    };
    let transfer = |register| Transfer { width, direction, register: Register::new(register) };
    let (first, second) = (transfer(word), transfer(word >> 10));
    if load && first.register == second.register {
        return None;
    }
    let offset = signed(word, 15, 7).wrapping_mul(width.bytes());
    Some(((first, Some(second)), Register::new(word >> 5), offset, indexing))
}

/// LDR, STR and theirs with imm9: size bits [31:30], opc bits [23:22], bit [21] clear, imm9 bits [20:12], indexing bits
/// [11:10].
fn single(word: u32) -> Option<Form> {
    let indexing = match (word >> 21 & 1, word >> 10 & 0b11) {
        (0, 0b01) => Indexing::Post,
        (0, 0b11) => Indexing::Pre,
        _ => return None,
    };
    let direction = match (word >> 22 & 0b11, word >> 30) {
        (0b00, _) => Direction::Store,
        (0b01, _) => Direction::Load(Extension::Zero),
        (0b10, 0b00..=0b10) => Direction::Load(Extension::SignDouble),
        (0b11, 0b00 | 0b01) => Direction::Load(Extension::SignWord),
        _ => return None,
    };
    let transfer = Transfer { width: Width::from_log2(word >> 30), direction, register: Register::new(word) };
    Some(((transfer, None), Register::new(word >> 5), signed(word, 12, 9), indexing))
}
