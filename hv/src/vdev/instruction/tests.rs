//! Words as an assembler writes them.

use proptest::prelude::*;

use super::Instruction;
use crate::vdev::mmio::{Direction, Extension, Register, Transfer, Width};

const AT: u64 = 0x900_0100;

/// x1 is the base; the others hold their own numbers.
fn registers(base: u64) -> [u64; 31] {
    let mut x = core::array::from_fn(|number| number as u64);
    x[1] = base;
    x
}

fn transfer(width: Width, direction: Direction, register: u32) -> Transfer {
    Transfer { width, direction, register: Register::new(register) }
}

#[test]
fn forms_that_write_back() {
    use Direction::{Load, Store};
    use Extension::{SignDouble, SignWord, Zero};
    // The word, the transfer, what the base moves by and whether before the access.
    let rows = [
        (0xb800_4420, transfer(Width::Word, Store, 0), 4, 0, "str w0, [x1], #4"),
        (0xf81f_8c20, transfer(Width::Double, Store, 0), -8, -8, "str x0, [x1, #-8]!"),
        (0xb840_4422, transfer(Width::Word, Load(Zero), 2), 4, 0, "ldr w2, [x1], #4"),
        (0x3840_1c23, transfer(Width::Byte, Load(Zero), 3), 1, 1, "ldrb w3, [x1, #1]!"),
        (0x3800_143f, transfer(Width::Byte, Store, 31), 1, 0, "strb wzr, [x1], #1"),
        (0x78c0_2424, transfer(Width::Half, Load(SignWord), 4), 2, 0, "ldrsh w4, [x1], #2"),
        (0xb880_4425, transfer(Width::Word, Load(SignDouble), 5), 4, 0, "ldrsw x5, [x1], #4"),
    ];
    for (word, first, moved, before, text) in rows {
        let base = AT.wrapping_add_signed(-before);
        let expected = Instruction {
            first,
            second: None,
            written_back: Some((Register::new(1), base.wrapping_add_signed(moved))),
        };
        assert_eq!(Instruction::decode(word, &registers(base), AT), Some(expected), "{text}");
    }
}

#[test]
fn pairs() {
    use Direction::{Load, Store};
    use Extension::{SignDouble, Zero};
    let rows = [
        (0x2900_0820, Width::Word, Store, (0, 2), 0, None, "stp w0, w2, [x1]"),
        (0xa941_0c22, Width::Double, Load(Zero), (2, 3), 16, None, "ldp x2, x3, [x1, #16]"),
        (0x69ff_0c22, Width::Word, Load(SignDouble), (2, 3), -8, Some(-8), "ldpsw x2, x3, [x1, #-8]!"),
        (0xa8c1_0c22, Width::Double, Load(Zero), (2, 3), 0, Some(16), "ldp x2, x3, [x1], #16"),
        (0xa800_7c3f, Width::Double, Store, (31, 31), 0, None, "stnp xzr, xzr, [x1]"),
    ];
    for (word, width, direction, (one, two), before, moved, text) in rows {
        let base = AT.wrapping_add_signed(-before);
        let expected = Instruction {
            first: transfer(width, direction, one),
            second: Some(transfer(width, direction, two)),
            written_back: moved.map(|moved| (Register::new(1), base.wrapping_add_signed(moved))),
        };
        assert_eq!(Instruction::decode(word, &registers(base), AT), Some(expected), "{text}");
    }
}

#[test]
fn what_is_not_ours_is_refused() {
    let rows = [
        (0xd503_201f, "nop"),
        (0x885f_7c20, "ldxr w0, [x1]"),
        (0xb820_0022, "ldadd w0, w2, [x1]"),
        (0xad00_0420, "stp q0, q1, [x1]"),
        (0x3c80_0420, "str q0, [x1], #0"),
        (0xb840_0820, "ldtr w0, [x1]"),
        (0xd50b_7421, "dc zva, x1"),
        (0xb840_4421, "ldr w1, [x1], #4: base and target"),
        (0xa8c1_0821, "ldp x1, x2, [x1], #16: base and target"),
        (0xa940_0822, "ldp x2, x2, [x1]: twice the same"),
        (0xf880_0420, "size 11, opc 10: not allocated"),
        (0x6900_0820, "stgp x0, x2, [x1]"),
    ];
    for (word, text) in rows {
        assert_eq!(Instruction::decode(word, &registers(AT), AT), None, "{text}");
    }
    let post = 0xb800_4420;
    assert!(Instruction::decode(post, &registers(AT), AT).is_some());
    assert_eq!(Instruction::decode(post, &registers(AT), AT + 4), None, "it did not fault there");
    assert_eq!(Instruction::decode(post | 0x1f << 5, &registers(AT), AT), None, "str w0, [sp], #4");
}

proptest! {
    #[test]
    fn no_word_panics(word: u32, x: [u64; 31], at: u64) {
        let _decoded = Instruction::decode(word, &x, at);
        let base = x.get(word as usize >> 5 & 0x1f).copied().unwrap_or(at);
        if let Some(found) = Instruction::decode(word, &x, base) {
            prop_assert_eq!(found.first.width, found.second.map_or(found.first.width, |second| second.width));
        }
    }
}
