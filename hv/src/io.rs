//! Device registers that the plan names, in memory or behind I/O ports.
//!
//! Never given an address that was found at run time.

// UNSAFETY: touches device registers.
#![expect(unsafe_code, reason = "device registers")]

use paging::VirtAddr;

use crate::arch::this;
use crate::board::types::Width;

/// One device's registers.
#[derive(Clone, Copy, Debug)]
pub struct Registers(Space);

#[derive(Clone, Copy, Debug)]
enum Space {
    Memory(VirtAddr),
    Port(u16),
}

impl Registers {
    /// Registers behind I/O ports from `first`.
    pub const fn ports(first: u16) -> Self {
        Self(Space::Port(first))
    }

    /// Registers in memory.
    ///
    /// # Safety
    ///
    /// - `base` and what follows it up to the device's last register is mapped as device memory, for good;
    /// - nothing else is mapped there.
    pub const unsafe fn memory(base: VirtAddr) -> Self {
        Self(Space::Memory(base))
    }

    /// Reads the register at `offset`.
    #[inline(always)]
    pub fn read(self, offset: u16, width: Width) -> u32 {
        match self.0 {
            Space::Memory(base) => read_memory(base.get() + u64::from(offset), width),
            Space::Port(first) => this::port::read(first + offset, width),
        }
    }

    /// Writes the register at `offset`.
    #[inline(always)]
    pub fn write(self, offset: u16, width: Width, value: u32) {
        match self.0 {
            Space::Memory(base) => write_memory(base.get() + u64::from(offset), width, value),
            Space::Port(first) => this::port::write(first + offset, width, value),
        }
    }
}

#[inline(always)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "one access: the arms differ in its width only")]
fn read_memory(at: u64, width: Width) -> u32 {
    // SAFETY: only `Registers::read` calls this, and whoever made the `Registers` promised a device there.
    unsafe {
        match width {
            Width::Byte => u32::from((at as *const u8).read_volatile()),
            Width::Half => u32::from((at as *const u16).read_volatile()),
            Width::Word => (at as *const u32).read_volatile(),
        }
    }
}

#[inline(always)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "one access: the arms differ in its width only")]
fn write_memory(at: u64, width: Width, value: u32) {
    // SAFETY: only `Registers::write` calls this, and whoever made the `Registers` promised a device there.
    unsafe {
        match width {
            Width::Byte => (at as *mut u8).write_volatile(value as u8),
            Width::Half => (at as *mut u16).write_volatile(value as u16),
            Width::Word => (at as *mut u32).write_volatile(value),
        }
    }
}
