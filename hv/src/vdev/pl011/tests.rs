//! A guest's driver and a person at the other end.

use std::vec::Vec;

use super::{CR, DR, FR, Full, IBRD, ICR, IMSC, LCR_H, MIS, Pl011, RIS};
use crate::vdev::gic::Line;

#[test]
fn what_is_written_is_sent_and_there_is_room_at_once() {
    let mut uart = Pl011::RESET;
    assert_eq!((uart.read(FR), uart.read(RIS)), (0x90, 0));
    assert_eq!(uart.write(DR, 0x141), Some(0x41));
    assert_eq!((uart.read(FR), uart.read(RIS), uart.line()), (0x90, 0x20, Line::Down));
    uart.write(IMSC, 0x20);
    assert_eq!((uart.read(MIS), uart.line()), (0x20, Line::Up));
    uart.write(ICR, 0x20);
    assert_eq!((uart.read(RIS), uart.line()), (0, Line::Down));
}

#[test]
fn bytes_wait_for_the_guest_in_order() {
    let mut uart = Pl011::RESET;
    uart.write(IMSC, 0x50);
    assert_eq!((uart.receive(1), uart.receive(2)), (Ok(()), Err(Full)), "one byte without FIFO");
    assert_eq!((uart.read(FR), uart.line()), (0xc0, Line::Up));
    assert_eq!((uart.read(DR), uart.line(), uart.read(FR)), (1, Line::Down, 0x90));
    uart.write(LCR_H, 0x70);
    assert!((0..16).all(|byte| uart.receive(byte) == Ok(())));
    assert_eq!(uart.receive(16), Err(Full));
    uart.write(ICR, u32::MAX);
    assert_eq!(uart.line(), Line::Down, "cleared by hand");
    assert_eq!((0..17).map(|_| uart.read(DR)).collect::<Vec<_>>(), (0..16).chain([0]).collect::<Vec<_>>());
}

#[test]
fn registers_remember_the_bits_they_have() {
    let mut uart = Pl011::RESET;
    assert_eq!(uart.read(CR), 0x300);
    uart.write(IBRD, u32::MAX);
    uart.write(CR, u32::MAX);
    assert_eq!((uart.read(IBRD), uart.read(CR)), (0xffff, 0xff87));
    let identity = (0..8).map(|number| uart.read(0xfe0 + 4 * number) as u8).collect::<Vec<_>>();
    assert_eq!(identity, [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1]);
}

#[test]
fn no_offset_panics() {
    let mut uart = Pl011::RESET;
    for offset in 0..0x2000 {
        uart.write(offset, u32::MAX);
        uart.read(offset);
    }
    assert_eq!((uart.read(0x1000), uart.read(0x001)), (0, 0));
}
