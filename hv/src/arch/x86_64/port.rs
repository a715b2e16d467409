//! The processor's I/O ports.
//!
//! One access each; what a port means is the caller's knowledge.

// UNSAFETY: port instructions.
#![expect(unsafe_code, reason = "port input and output")]

use x86_64::instructions::port::Port;

use crate::board::types::Width;

/// Reads a port.
pub fn read(port: u16, width: Width) -> u32 {
    // SAFETY (all three): the plan names the port as the console's or the power switch's, and a read of those changes
    // no memory.
    match width {
        Width::Byte => u32::from(unsafe { Port::<u8>::new(port).read() }),
        Width::Half => u32::from(unsafe { Port::<u16>::new(port).read() }),
        Width::Word => unsafe { Port::<u32>::new(port).read() },
    }
}

/// Writes a port; of a narrow access the low bits of `value`.
pub fn write(port: u16, width: Width, value: u32) {
    // SAFETY (all three): the plan names the port as the console's or the power switch's; no device behind it masters
    // memory.
    match width {
        Width::Byte => unsafe { Port::<u8>::new(port).write(value as u8) },
        Width::Half => unsafe { Port::<u16>::new(port).write(value as u16) },
        Width::Word => unsafe { Port::<u32>::new(port).write(value) },
    }
}
