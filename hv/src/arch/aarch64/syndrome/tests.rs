//! Syndromes as the manual encodes them.

use super::{Class, Status, Syndrome};
use crate::fault::Attempt;
use std::string::ToString;

fn class(class: u64, iss: u64) -> Class {
    Syndrome::new(class << 26 | 1 << 25 | iss).class()
}

#[test]
fn calls_carry_their_immediate() {
    assert_eq!(class(0x16, 0xea1), Class::Hvc(0xea1));
    assert_eq!(class(0x17, 0), Class::Smc(0));
}

#[test]
fn aborts_tell_direction_and_reason() {
    let Class::DataAbort(write) = class(0x25, 1 << 6 | 0b00_0111) else { panic!("a data abort") };
    assert_eq!((write.attempt, write.status, write.address_valid), (Attempt::Write, Status::Translation, true));
    let Class::DataAbort(read) = class(0x24, 1 << 10 | 0b01_0000) else { panic!("a data abort") };
    assert_eq!((read.attempt, read.status, read.address_valid), (Attempt::Read, Status::External, false));
    let Class::InstructionAbort(fetch) = class(0x21, 0b00_1111) else { panic!("an instruction abort") };
    assert_eq!((fetch.attempt, fetch.status), (Attempt::Execute, Status::Permission));
}

#[test]
fn every_class_and_status_has_a_name() {
    for ec in 0..64 {
        for iss in 0..64 {
            assert!(!class(ec, iss).to_string().is_empty());
        }
    }
    assert_eq!(class(0x25, 0b00_0110).to_string(), "data abort (not mapped)");
    assert_eq!(class(0x3f, 0).to_string(), "exception class 0x3f");
}
