//! The hypervisor, for one board: everything that varies between boards is in [`board`].
//!
//! Never maps a guest's memory except for the length of one copy, and never learns an address at run
//! time that the plan could have told it. Reading order is boot order.

#![no_std]

#[cfg(not(bare))]
extern crate std;

pub mod board;
pub mod cpu;
pub mod console;
pub mod boot;
pub mod image;
pub mod machine;
pub mod sync;
pub mod mm;
pub mod firmware;
pub mod fdt;
pub mod smp;
pub mod sched;
pub mod domain;
pub mod vdev;
#[cfg(any(not(bare), feature = "self-test"))]
pub mod self_test;
#[cfg(any(not(bare), feature = "measure"))]
pub mod measure;
mod purpose;
pub mod fault;
pub mod io;
pub mod power;
pub mod arch;
#[cfg(not(bare))]
pub mod sim;
