//! The processor's I/O ports.
//!
//! One access each; what a port means is the caller's knowledge.

// UNSAFETY: port instructions.
#![expect(unsafe_code, reason = "port input and output")]

use x86_64::instructions::port::Port;
use x86_64::structures::port::{PortRead, PortWrite};

use crate::board::types::Width;

/// Reads a port.
pub fn read(port: u16, width: Width) -> u32 {
    match width {
        Width::Byte => u32::from(input::<u8>(port)),
        Width::Half => u32::from(input::<u16>(port)),
        Width::Word => input::<u32>(port),
    }
}

/// Writes a port; of a narrow access the low bits of `value`.
pub fn write(port: u16, width: Width, value: u32) {
    match width {
        Width::Byte => output(port, value as u8),
        Width::Half => output(port, value as u16),
        Width::Word => output(port, value),
    }
}

fn input<T: PortRead>(port: u16) -> T {
    // SAFETY: the plan names the port as the console's, and a read of that changes no memory.
    unsafe { Port::new(port).read() }
}

fn output<T: PortWrite>(port: u16, value: T) {
    // SAFETY: the plan names the port as the console's or the power switch's, or it is an 8259's; no device behind these
    // masters memory.
    unsafe { Port::new(port).write(value) }
}
