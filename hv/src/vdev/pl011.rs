//! A PL011 as a guest drives it: sends at once, receives into sixteen bytes.
//!
//! Bytes come and go as values: whose console they belong to is the caller's.
//!
//! Source: Arm PrimeCell UART (PL011) Technical Reference Manual (DDI 0183), "Summary of registers".

#[cfg(test)]
mod tests;

use super::gic::Line;

const DR: u64 = 0x000;
const FR: u64 = 0x018;
const ILPR: u64 = 0x020;
const IBRD: u64 = 0x024;
const FBRD: u64 = 0x028;
const LCR_H: u64 = 0x02c;
const CR: u64 = 0x030;
const IFLS: u64 = 0x034;
const IMSC: u64 = 0x038;
const RIS: u64 = 0x03c;
const MIS: u64 = 0x040;
const ICR: u64 = 0x044;
/// UARTPeriphID0 to 3, then UARTPCellID0 to 3, a byte each: revision 1, so 16 bytes deep.
const IDENTIFICATION: u64 = 0xfe0;
const IDENTITY: [u8; 8] = [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/// UARTFR: TXFE bit 7, RXFF bit 6, RXFE bit 4.
const TX_EMPTY: u32 = 1 << 7;
const RX_FULL: u32 = 1 << 6;
const RX_EMPTY: u32 = 1 << 4;
/// UARTLCR_H.FEN, bit 4: the FIFOs are on.
const FIFO_ON: u32 = 1 << 4;
/// UARTRIS: TXRIS bit 5, RXRIS bit 4.
const TX: u32 = 1 << 5;
const RX: u32 = 1 << 4;
/// Interrupts there are: UARTIMSC, bits [10:0].
const ALL: u32 = 0x7ff;

/// Bytes that wait for the guest.
const DEPTH: usize = 16;

/// Registers that only remember: offset, bits there are, value after a reset.
const REMEMBERED: [(u64, u32, u32); 6] =
    [(ILPR, 0xff, 0), (IBRD, 0xffff, 0), (FBRD, 0x3f, 0), (LCR_H, 0xff, 0), (CR, 0xff87, 0x300), (IFLS, 0x3f, 0x12)];
/// Where UARTLCR_H is among them.
const LINE_CONTROL: usize = 3;

/// Nobody reads: the byte is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// One PL011.
#[derive(Clone, Debug)]
pub struct Pl011 {
    remembered: [u32; REMEMBERED.len()],
    mask: u32,
    raw: u32,
    received: [u8; DEPTH],
    first: usize,
    waiting: usize,
}

impl Default for Pl011 {
    fn default() -> Self {
        Self::RESET
    }
}

impl Pl011 {
    /// As after a reset.
    pub const RESET: Self = {
        let mut remembered = [0; REMEMBERED.len()];
        let mut number = 0;
        while number < remembered.len() {
            remembered[number] = REMEMBERED[number].2;
            number += 1;
        }
        Self { remembered, mask: 0, raw: 0, received: [0; DEPTH], first: 0, waiting: 0 }
    };

    /// What its line to the interrupt controller is.
    pub fn line(&self) -> Line {
        if self.raw & self.mask == 0 { Line::Down } else { Line::Up }
    }

    /// A byte for the guest.
    ///
    /// # Errors
    /// The guest has not read what came before.
    pub fn receive(&mut self, byte: u8) -> Result<(), Full> {
        if self.waiting == self.depth() {
            return Err(Full);
        }
        self.received[(self.first + self.waiting) % DEPTH] = byte;
        self.waiting += 1;
        self.raw |= RX;
        Ok(())
    }

    /// Reads a register.
    pub fn read(&mut self, offset: u64) -> u32 {
        match offset {
            DR => self.take().into(),
            FR => self.flags(),
            IMSC => self.mask,
            RIS => self.raw,
            MIS => self.raw & self.mask,
            IDENTIFICATION..0x1000 if offset.is_multiple_of(4) => {
                IDENTITY[(offset - IDENTIFICATION) as usize / 4].into()
            }
            _ => remembered(offset).map_or(0, |number| self.remembered[number]),
        }
    }

    /// Writes a register; returns the byte that is sent.
    pub fn write(&mut self, offset: u64, value: u32) -> Option<u8> {
        match offset {
            DR => {
                // There is room again at once: TXRIS is raised as the FIFO drains, not by its being empty.
                self.raw |= TX;
                return Some(value as u8);
            }
            IMSC => self.mask = value & ALL,
            ICR => self.raw &= !value,
            _ => {
                if let Some(number) = remembered(offset) {
                    self.remembered[number] = value & REMEMBERED[number].1;
                }
            }
        }
        None
    }

    fn depth(&self) -> usize {
        if self.remembered[LINE_CONTROL] & FIFO_ON == 0 { 1 } else { DEPTH }
    }

    fn take(&mut self) -> u8 {
        if self.waiting == 0 {
            return 0;
        }
        let byte = self.received[self.first];
        self.first = (self.first + 1) % DEPTH;
        self.waiting -= 1;
        if self.waiting == 0 {
            self.raw &= !RX;
        }
        byte
    }

    fn flags(&self) -> u32 {
        let empty = if self.waiting == 0 { RX_EMPTY } else { 0 };
        let full = if self.waiting >= self.depth() { RX_FULL } else { 0 };
        TX_EMPTY | empty | full
    }
}

fn remembered(offset: u64) -> Option<usize> {
    REMEMBERED.iter().position(|(at, ..)| *at == offset)
}
