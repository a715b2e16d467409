//! I/O ports, which AArch64 does not have.
//!
//! `codegen` refuses a board for this architecture that names one, so these are never reached.

use crate::board::types::Width;

/// Never called.
pub fn read(port: u16, _width: Width) -> u32 {
    panic!("the plan names I/O port {port:#x} on AArch64")
}

/// Never called.
pub fn write(port: u16, _width: Width, _value: u32) {
    panic!("the plan names I/O port {port:#x} on AArch64")
}
