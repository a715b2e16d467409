//! The controller's registers in memory, through the pages that the plan maps.
//!
//! Knows no register: offsets are the drivers'.

// UNSAFETY: touches device registers.
#![expect(unsafe_code, reason = "device registers")]

use paging::VirtAddr;

use crate::board::INTERRUPTS;
use crate::board::types::Interrupts;

/// Registers that follow each other in planned pages.
#[derive(Clone, Copy)]
pub(super) struct Window(VirtAddr);

/// The distributor.
pub(super) const DISTRIBUTOR: Window = Window(match INTERRUPTS {
    Interrupts::GicV2 { distributor, .. } | Interrupts::GicV3 { distributor, .. } => distributor,
    Interrupts::Apic | Interrupts::None => VirtAddr::new(0),
});

/// The CPU interface of a GICv2.
pub(super) const CPU_INTERFACE: Window = Window(match INTERRUPTS {
    Interrupts::GicV2 { cpu_interface, .. } => cpu_interface,
    Interrupts::GicV3 { .. } | Interrupts::Apic | Interrupts::None => VirtAddr::new(0),
});

/// The virtual interface control of a GICv2.
pub(super) const CONTROL: Window = Window(match INTERRUPTS {
    Interrupts::GicV2 { control: Some(control), .. } => control,
    Interrupts::GicV2 { control: None, .. } | Interrupts::GicV3 { .. } | Interrupts::Apic | Interrupts::None => {
        VirtAddr::new(0)
    }
});

/// Redistributors of a GICv3: the first, and how many.
const REDISTRIBUTORS: (VirtAddr, usize) = match INTERRUPTS {
    Interrupts::GicV3 { redistributors, count, .. } => (redistributors, count),
    Interrupts::GicV2 { .. } | Interrupts::Apic | Interrupts::None => (VirtAddr::new(0), 0),
};

/// The two pages of one redistributor.
#[derive(Clone, Copy)]
pub(super) struct Redistributor {
    /// RD_base.
    pub(super) control: Window,
    /// SGI_base.
    pub(super) private: Window,
}

/// The redistributor with this number; `None` behind the last one.
pub(super) fn redistributor(number: usize) -> Option<Redistributor> {
    let (first, count) = REDISTRIBUTORS;
    let page = |page: u64| Window(VirtAddr::new(first.get() + (2 * number as u64 + page) * paging::PAGE_BYTES));
    (number < count).then(|| Redistributor { control: page(0), private: page(1) })
}

impl Window {
    /// Reads a register.
    pub(super) fn read(self, offset: u64) -> u32 {
        let at = (self.0.get() + offset) as *const u32;
        // SAFETY: the plan maps the pages of each window as device memory, for good, and the constants above name them;
        // the drivers' offsets lie inside.
        unsafe { at.read_volatile() }
    }

    /// Writes a register.
    pub(super) fn write(self, offset: u64, value: u32) {
        let at = (self.0.get() + offset) as *mut u32;
        // SAFETY: as `read`; EL2 owns the controller.
        unsafe { at.write_volatile(value) }
    }

    /// Writes one byte of a register that is made of bytes.
    pub(super) fn write_byte(self, offset: u64, value: u8) {
        let at = (self.0.get() + offset) as *mut u8;
        // SAFETY: as `write`; GICD_IPRIORITYR and GICD_ITARGETSR are byte-accessible.
        unsafe { at.write_volatile(value) }
    }

    /// Reads a register of 64 bits.
    pub(super) fn read_double(self, offset: u64) -> u64 {
        let at = (self.0.get() + offset) as *const u64;
        // SAFETY: as `read`, for GICR_TYPER.
        unsafe { at.read_volatile() }
    }

    /// Writes a register of 64 bits.
    pub(super) fn write_double(self, offset: u64, value: u64) {
        let at = (self.0.get() + offset) as *mut u64;
        // SAFETY: as `write`, for GICD_IROUTER<n>.
        unsafe { at.write_volatile(value) }
    }
}
