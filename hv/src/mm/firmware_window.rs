//! Window onto what firmware left in RAM: a device tree, boot information, ACPI tables.
//!
//! Read-only, the boot CPU only, one range at a time, unmapped when the guard is dropped.

// UNSAFETY: mapped bytes become a slice.
#![expect(unsafe_code, reason = "reads firmware's tables through a window")]

use core::ops::Deref;

use paging::{Frame, HostAccess, HostAttributes, Memory, PAGE_BYTES, PhysAddr, VirtAddr};

use super::fixmap::Fixmap;
use super::leaves::Leaves;
use super::this_cpu::ThisCpu;
use crate::board;

/// The window, empty.
pub struct FirmwareWindow {
    leaves: Leaves<'static, ThisCpu>,
}

/// More bytes than the window has slots for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Bytes asked for.
    pub bytes: u64,
}

/// Makes the window usable.
pub fn init(_fixmap: &Fixmap) -> FirmwareWindow {
    FirmwareWindow { leaves: Leaves::of(&board::FIRMWARE, "firmware window") }
}

impl FirmwareWindow {
    /// Maps `bytes` from `at` until the guard is dropped.
    pub fn map(&mut self, at: PhysAddr, bytes: u64) -> Result<Mapped<'_>, TooLarge> {
        let offset = at.get() % PAGE_BYTES;
        let slots = bytes.saturating_add(offset).div_ceil(PAGE_BYTES);
        if slots > self.leaves.slots() as u64 {
            return Err(TooLarge { bytes });
        }
        let attributes = HostAttributes::new(HostAccess::Read, Memory::Normal);
        for slot in 0..slots {
            self.leaves.set(slot as usize, Frame::containing(at).add(slot), attributes);
        }
        let first = VirtAddr::new(board::FIRMWARE.base.get() + offset);
        Ok(Mapped { window: self, slots: slots as usize, first, bytes: bytes as usize })
    }
}

/// A range of physical memory, mapped.
pub struct Mapped<'w> {
    window: &'w mut FirmwareWindow,
    slots: usize,
    first: VirtAddr,
    bytes: usize,
}

impl Deref for Mapped<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `FirmwareWindow::map` mapped every page of the range and only `drop` unmaps them. Firmware has
        // handed the memory over, no other CPU runs, and the window is read-only, so the bytes do not change.
        unsafe { core::slice::from_raw_parts(self.first.get() as *const u8, self.bytes) }
    }
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        (0..self.slots).for_each(|slot| self.window.leaves.clear(slot));
    }
}
