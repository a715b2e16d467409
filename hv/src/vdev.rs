//! What a guest is shown in the place of hardware, as state machines and decoders: values in, values out.
//!
//! Touches no register and maps nothing; the architectures bring accesses here and take effects from here.

pub mod exception;
pub mod gic;
pub mod instruction;
pub mod mmio;
pub mod pl011;
pub mod system_register;
pub mod timer;
