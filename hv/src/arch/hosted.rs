//! Stand-in for an architecture, so that common code builds and is tested on the host.
//!
//! Has the model board's formats and no machine: whatever would touch one ends the test that called it.

use paging::{El2, Level, Stage2};

use crate::board::types::Domain;
use crate::domain::guests::SharedLayout;

/// What of the AArch64 code needs no machine.
#[path = "aarch64/syndrome.rs"]
pub mod syndrome;

/// The model board is an AArch64 one.
pub type HostFormat = El2;
/// See [`HostFormat`].
pub type GuestFormat = Stage2;
/// See [`HostFormat`].
pub type GuestRegime = crate::mm::guest_walk::El1;

/// As on AArch64.
pub const SHARED_INFO: SharedLayout = SharedLayout::AARCH64;

/// Nothing is handed over.
#[derive(Clone, Copy, Debug)]
pub struct Handoff;

/// No firmware.
pub mod firmware {
    use super::Handoff;
    use crate::firmware::{Facts, FirmwareError, FirmwareWindow};

    /// Nothing is reported.
    pub fn facts(_handoff: &Handoff, _window: &mut FirmwareWindow) -> Result<Facts, FirmwareError> {
        Err(FirmwareError::Missing)
    }
}

/// No translations are cached: tests look at the entries.
pub mod tlb {
    use paging::VirtAddr;

    /// Nothing to order.
    pub fn publish() {}
    /// Nothing to forget.
    pub fn flush_page(_at: VirtAddr) {}
    /// Nothing to forget.
    pub fn flush() {}
    /// Nothing to forget.
    pub fn flush_page_all(_at: VirtAddr) {}
    /// Nothing to forget.
    pub fn flush_all() {}
    /// Nothing to forget.
    pub fn flush_guest(_vmid: u16) {}
}

/// One processor.
pub mod cpu {
    use crate::cpu::CpuIndex;

    /// The first.
    pub fn index() -> CpuIndex {
        CpuIndex::BOOT
    }

    /// As many as the architecture has.
    pub fn pa_bits() -> u8 {
        48
    }

    /// Time stands still.
    pub fn ticks() -> u64 {
        0
    }

    /// Nobody else runs.
    pub fn relax() {
        core::hint::spin_loop();
    }

    /// Nothing was fetched.
    pub fn synchronize() {}

    /// Something has happened at once.
    pub fn doze() {}

    /// A test that gets here has failed.
    pub fn park() -> ! {
        panic!("the machine is off")
    }
}

/// No ports.
pub mod port {
    use crate::board::types::Width;

    /// A test that gets here has failed.
    pub fn read(port: u16, _width: Width) -> u32 {
        panic!("port {port:#x} is read")
    }

    /// A test that gets here has failed.
    pub fn write(port: u16, _width: Width, _value: u32) {
        panic!("port {port:#x} is written")
    }
}

/// No caches.
#[expect(unsafe_code, reason = "the contract's functions are unsafe")]
pub mod cache {
    use paging::VirtAddr;

    /// A test that gets here has failed.
    ///
    /// # Safety
    /// None.
    pub unsafe fn zero(at: VirtAddr, _bytes: u64) {
        panic!("{at} is zeroed")
    }

    /// Nothing to clean.
    ///
    /// # Safety
    /// None.
    pub unsafe fn flush(_at: VirtAddr, _bytes: u64) {}
}

/// No memory but the tests'.
#[expect(unsafe_code, reason = "the contract's functions are unsafe")]
pub mod copy {
    /// A word, little-endian, at any address.
    pub fn load_word(from: &[u8; 8]) -> u64 {
        u64::from_le_bytes(*from)
    }

    /// Stores one.
    pub fn store_word(to: &mut [u8; 8], word: u64) {
        *to = word.to_le_bytes();
    }

    /// A test that gets here has failed.
    ///
    /// # Safety
    /// None.
    pub unsafe fn bytes(from: *const u8, to: *mut u8, bytes: usize) {
        panic!("{bytes} bytes are copied from {from:p} to {to:p}")
    }
}

/// No interrupts.
pub mod controller {
    /// Nothing to prepare.
    pub fn init_shared() {}
    /// Nothing to prepare.
    pub fn init_cpu() {}
    /// No other processor.
    pub fn kick(_cpu: crate::cpu::CpuIndex) {}
}

/// The test's own stack stays.
pub mod stack {
    /// Wipes nothing.
    pub fn wipe() {}
}

/// Nothing to look at.
pub mod probe {
    use paging::{Frame, VirtAddr};

    use crate::self_test::{GuestWalk, Sight};

    /// Nothing is translated.
    pub fn look(_at: VirtAddr) -> Sight {
        Sight { readable: false, writable: false, frame: None }
    }

    /// Every load faults.
    pub fn load(_at: VirtAddr) -> Option<u64> {
        None
    }

    /// The model board's.
    pub fn root() -> Frame {
        crate::board::BOOT.boot_root
    }

    /// None but the first.
    pub type OtherGuestFormat = super::GuestFormat;

    /// No processor.
    pub const GUEST_WALK: Option<GuestWalk> = None;

    /// A test that gets here has failed.
    pub fn restart(_then: extern "C" fn() -> !) -> ! {
        panic!("the stack of a test is not emptied")
    }
}

/// No other processor.
pub mod smp {
    use crate::cpu::CpuIndex;
    use crate::smp::StartError;

    /// None arrives.
    pub fn start(_cpu: CpuIndex) -> Result<(), StartError> {
        Err(StartError::Silent)
    }

    /// Nobody dozes.
    pub fn nudge(_cpu: CpuIndex) {}

    /// A test that gets here has failed.
    pub fn leave() -> ! {
        panic!("the machine is off")
    }

    /// None ever ran.
    pub fn is_off(_cpu: CpuIndex) -> bool {
        true
    }
}

/// No firmware that could switch off.
pub mod power {
    /// Returns, as where a register does it.
    pub fn firmware_off() {}
}

/// No guests.
pub mod guest {
    use paging::PhysAddr;

    use super::{Domain, Level};
    use crate::domain::Start;
    use crate::domain::run::{Remembers, Stack};
    use crate::fault::Attempt;
    use crate::mm::guest_walk::GuestVirt;

    /// As on the model board's architecture.
    pub fn root_level(domain: &Domain) -> Level {
        paging::Stage2::start_level(domain.ipa_bits)
    }

    /// None.
    pub fn can_run(_domain: &Domain) -> bool {
        false
    }

    /// No guest runs, so none has an address.
    pub fn translate(_at: GuestVirt, _access: Attempt) -> Option<PhysAddr> {
        None
    }

    /// No caches.
    pub fn past_caches() -> bool {
        false
    }

    /// It has none.
    pub fn begin(_domain: &Domain) {}

    /// It had none.
    pub fn withdraw(_domain: &Domain) {}

    /// None begins.
    pub fn reset(_start: &Start) {}

    /// A test that gets here has failed.
    pub fn enter(vcpu: u32, _stack: Stack, _remembers: Remembers) -> ! {
        panic!("vCPU {vcpu} is entered")
    }

    /// One.
    pub fn turn_ticks() -> u64 {
        1
    }

    /// Time stands still.
    pub fn alarm(_at: Option<u64>) {}

    /// A test that gets here has failed.
    pub fn idle(_until: Option<u64>) {
        panic!("a test sleeps")
    }
}
