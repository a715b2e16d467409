//! What each architecture provides, as types: drift in one of them is an error here.
//!
//! Holds no code. Beside these functions an architecture owns its entry: it calls
//! [`boot::start`](crate::boot::start) on the boot CPU and
//! [`boot::start_secondary`](crate::boot::start_secondary) on each other CPU, both with the CPU's own
//! root loaded (`BOOT.boot_root`, `CPU_FRAMES[n].root`), its stack at the top of `PRIVATE.stack`,
//! `cpu::index` answering, exceptions reported through [`fault`](crate::fault) and interrupts masked.

use paging::{Format, GuestAttributes, HostAttributes, Ipa, Level, PhysAddr, VirtAddr};

use crate::arch::this;
use crate::board::types::{Domain, Width};
use crate::cpu::CpuIndex;
use crate::domain::Start;
use crate::domain::guests::SharedLayout;
use crate::domain::run::{Remembers, Stack};
use crate::fault::Attempt;
use crate::firmware::{Facts, FirmwareError, FirmwareWindow};
use crate::mm::guest_walk::GuestVirt;
use crate::smp::StartError;

/// Hypervisor mappings.
const _: () = is_host_format::<this::HostFormat>();
/// Guest mappings.
const _: () = is_guest_format::<this::GuestFormat>();

/// A guest's own tables, of four levels, as software walks them.
const _: fn(Ipa) -> this::GuestRegime = this::GuestRegime::four_levels;

const fn is_host_format<F: Format<Input = VirtAddr, Attributes = HostAttributes>>() {}
const fn is_guest_format<F: Format<Input = Ipa, Attributes = GuestAttributes>>() {}

/// What the entry code hands to `boot::start`; read only by `firmware::facts`. `Copy`, `Debug`.
const _: fn(&this::Handoff) = |handoff| {
    let _copy: this::Handoff = *handoff;
};

/// What the boot chain reported: RAM, CPUs. Maps what it must read through the window, and unmaps it.
const _: fn(&this::Handoff, &mut FirmwareWindow) -> Result<Facts, FirmwareError> = this::firmware::facts;

/// Orders entry writes before the next walk; after a change from invalid to valid.
const _: fn() = this::tlb::publish;
/// Forgets one page (or the block it lies in) on this CPU; after its entry was made invalid.
const _: fn(VirtAddr) = this::tlb::flush_page;
/// Forgets every translation of the hypervisor on this CPU.
const _: fn() = this::tlb::flush;
/// Forgets every translation of the hypervisor on all CPUs.
const _: fn() = this::tlb::flush_all;
/// Forgets one page on all CPUs; after its entry was made invalid.
const _: fn(VirtAddr) = this::tlb::flush_page_all;

/// Forgets everything known of a guest, by its VMID, on all CPUs; after its entries were made invalid.
const _: fn(u16) = this::tlb::flush_guest;

/// Which CPU runs this.
const _: fn() -> CpuIndex = this::cpu::index;
/// Physical address bits this CPU implements.
const _: fn() -> u8 = this::cpu::pa_bits;
/// A counter that only grows, and what to call its unit.
const _: fn() -> u64 = this::cpu::ticks;
/// Lets another hardware thread go first.
const _: fn() = this::cpu::relax;
/// Executes nothing afterwards that was fetched before.
const _: fn() = this::cpu::synchronize;
/// Sleeps until something may have happened: a nudge at the latest.
const _: fn() = this::cpu::doze;
/// Sleeps for good, interrupts masked.
const _: fn() -> ! = this::cpu::park;

/// Reads an I/O port. AArch64 has none; no plan for it names one.
const _: fn(u16, Width) -> u32 = this::port::read;
/// Writes an I/O port.
const _: fn(u16, Width, u32) = this::port::write;

/// Zero-fills and cleans to the point of coherency; any alignment, mapped writable, nobody else's.
const _: unsafe fn(VirtAddr, u64) = this::cache::zero;
/// Cleans and invalidates to the point of coherency; any alignment, mapped; nothing on a coherent machine.
const _: unsafe fn(VirtAddr, u64) = this::cache::flush;

/// Copies bytes; what it reads may change meanwhile, and what arrives where the ranges overlap is open.
const _: unsafe fn(*const u8, *mut u8, usize) = this::copy::bytes;
/// Loads a word, little-endian, from any address.
const _: fn(&[u8; 8]) -> u64 = this::copy::load_word;
/// Stores one.
const _: fn(&mut [u8; 8], u64) = this::copy::store_word;

/// Starts one secondary: its root is complete; it arrives in `boot::start_secondary`.
const _: fn(CpuIndex) -> Result<(), StartError> = this::smp::start;

/// Wakes a CPU that dozes; everything that this CPU has written is visible to it then.
const _: fn(CpuIndex) = this::smp::nudge;
/// Stops the calling CPU for good, or until it is started again.
const _: fn() -> ! = this::smp::leave;
/// Whether a CPU that was told to leave has left.
const _: fn(CpuIndex) -> bool = this::smp::is_off;

/// Prepares the part of the interrupt controller that all CPUs share; once.
const _: fn() = this::controller::init_shared;
/// Prepares this CPU's part; after the shared one.
const _: fn() = this::controller::init_cpu;
/// Makes a CPU leave its guest or its sleep; everything that this CPU has written is visible to it then.
const _: fn(CpuIndex) = this::controller::kick;

/// Zeroes the part of this CPU's stack that no frame uses.
const _: fn() = this::stack::wipe;

/// Asks the firmware to switch the machine off; returns where the board does it by a register.
const _: fn() = this::power::firmware_off;

/// Where `shared_info` has its parts, by the Xen ABI.
const _: SharedLayout = this::SHARED_INFO;

/// Where the root of a domain's tables stands.
const _: fn(&Domain) -> Level = this::guest::root_level;
/// Where a virtual address of the loaded guest's leads, if the guest may access it like this.
const _: fn(GuestVirt, Attempt) -> Option<PhysAddr> = this::guest::translate;
/// Whether the loaded guest reads and writes past the caches.
const _: fn() -> bool = this::guest::past_caches;
/// Whether this CPU can run a domain.
const _: fn(&Domain) -> bool = this::guest::can_run;
/// Makes the loaded domain's devices as after a reset; none of its vCPUs runs.
const _: fn(&Domain) = this::guest::begin;
/// The domain is over: nothing of the machine is its any more.
const _: fn(&Domain) = this::guest::withdraw;
/// Makes a vCPU of the loaded domain ready to begin; no CPU runs it.
const _: fn(&Start) = this::guest::reset;
/// Runs a vCPU of the loaded domain until it leaves by `domain::run`.
const _: fn(u32, Stack, Remembers) -> ! = this::guest::enter;
/// Ticks of a vCPU's turn.
const _: fn() -> u64 = this::guest::turn_ticks;
/// Has this CPU leave its guest, or its sleep, at a tick; or at none.
const _: fn(Option<u64>) = this::guest::alarm;
/// Sleeps until a nudge, an interrupt or a tick.
const _: fn(Option<u64>) = this::guest::idle;
