//! Syndromes as the manual encodes them.

use super::{Direction, Extension, Register, Transfer, Width};

const ISV: u64 = 1 << 24;

fn registers() -> [u64; 31] {
    core::array::from_fn(|number| 0x1111_1111_1111_1111 * (number as u64 % 15 + 1))
}

#[test]
fn a_syndrome_names_width_register_and_direction() {
    let decode = |esr| Transfer::from_syndrome(esr);
    assert_eq!(decode(0), None);
    let store = decode(ISV | 0b10 << 22 | 3 << 16 | 1 << 6).expect("it is valid");
    assert_eq!(store, Transfer { width: Width::Word, direction: Direction::Store, register: Register::new(3) });
    assert_eq!(store.stored(&registers()), 0x4444_4444);
    let widths = [0, 1, 2, 3].map(|size: u64| decode(ISV | size << 22).map(|transfer| transfer.width));
    assert_eq!(widths, [Width::Byte, Width::Half, Width::Word, Width::Double].map(Some));
    let direction = |bits: u64| decode(ISV | bits).map(|transfer| transfer.direction);
    assert_eq!(direction(1 << 21), Some(Direction::Load(Extension::SignWord)));
    assert_eq!(direction(1 << 21 | 1 << 15), Some(Direction::Load(Extension::SignDouble)));
    assert_eq!(direction(1 << 15), Some(Direction::Load(Extension::Zero)));
}

#[test]
fn a_load_extends_as_it_says() {
    let load = |width, extension, value| {
        let mut x = registers();
        Transfer { width, direction: Direction::Load(extension), register: Register::new(5) }.load(&mut x, value);
        x[5]
    };
    assert_eq!(load(Width::Byte, Extension::Zero, 0x1ff), 0xff);
    assert_eq!(load(Width::Byte, Extension::SignWord, 0x80), 0xffff_ff80);
    assert_eq!(load(Width::Half, Extension::SignDouble, 0x8000), 0xffff_ffff_ffff_8000);
    assert_eq!(load(Width::Word, Extension::SignDouble, 0x7fff_ffff), 0x7fff_ffff);
    assert_eq!(load(Width::Double, Extension::Zero, u64::MAX), u64::MAX);
}

#[test]
fn register_31_reads_as_zero_and_is_never_written() {
    let mut x = registers();
    let zero = Register::new(31);
    let transfer = Transfer { width: Width::Word, direction: Direction::Load(Extension::Zero), register: zero };
    transfer.load(&mut x, 7);
    assert_eq!((x, zero.get(&x)), (registers(), 0));
    // A store changes no register.
    Transfer { direction: Direction::Store, register: Register::new(1), ..transfer }.load(&mut x, 7);
    assert_eq!(x, registers());
}
