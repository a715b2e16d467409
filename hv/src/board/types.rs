//! The hand-written types that generated layout tables are literals of.
//!
//! Holds no value of any board and decides nothing: `codegen` fills these in, the hypervisor reads them.

mod console;
mod guest;
mod interrupts;
mod memory;

pub use console::*;
pub use guest::*;
pub use interrupts::*;
pub use memory::*;

use paging::{Frame, Ipa, PhysAddr, VirtAddr};

/// Where a fact was written, so that a fault report can name the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// One-based line of [`Platform::file`].
    Line(u32),
    /// One-based line of [`Platform::base_file`].
    BaseLine(u32),
    /// A documented default.
    Default,
}

/// What the board calls itself and which files said so.
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    /// `platform.name`.
    pub name: &'static str,
    /// `platform.model`.
    pub model: &'static str,
    /// The board file, relative to the project.
    pub file: &'static str,
    /// The file it inherits from; empty when none.
    pub base_file: &'static str,
    /// `memory.pa-bits-min`, bits.
    pub pa_bits: u8,
    /// Origin of `memory.pa-bits-min`.
    pub pa_bits_from: Origin,
}

/// How the image is entered and where it must lie.
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// Physical address of the first byte of the image.
    pub load: PhysAddr,
    /// Origin of `boot.load`.
    pub load_from: Origin,
    /// Image and everything planned behind it (per-CPU frames, tables, manifest), bytes.
    pub footprint_bytes: u64,
    /// AArch64: exception level to be entered at. Unused on x86-64.
    pub entry_el: u8,
    /// Origin of `boot.entry-el`.
    pub entry_el_from: Origin,
    /// Frame of the root that is loaded between enabling the MMU and the CPU's own root.
    pub turn_on_root: Frame,
    /// Frame of the boot CPU's own root.
    pub boot_root: Frame,
    /// x86-64: the frame below 1 MiB in which secondaries start; frame 0 means none.
    pub trampoline: Frame,
}

/// What a region may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read and execute.
    Execute,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Device registers, read and write.
    Device,
    /// Never mapped: a guard.
    Guard,
    /// A window whose entries change at run time.
    Window,
}

/// One section of the image, at its planned extent.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// `text`, `rodata`, `tables` or `data`.
    pub name: &'static str,
    /// First physical byte.
    pub base: PhysAddr,
    /// First virtual byte.
    pub link: VirtAddr,
    /// Extent in bytes, whole pages.
    pub bytes: u64,
    /// Permissions.
    pub access: Access,
    /// The key that sets the extent.
    pub from: Origin,
}

/// One named range of hypervisor virtual addresses; the table of them is sorted and disjoint.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// What it is, as fault reports print it.
    pub name: &'static str,
    /// First byte.
    pub base: VirtAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// What it may be used for.
    pub access: Access,
    /// The key that made it.
    pub from: Origin,
}

/// One named range of physical addresses; the table of them is sorted and disjoint.
#[derive(Clone, Copy, Debug)]
pub struct PhysRegion {
    /// What it is.
    pub name: &'static str,
    /// First byte.
    pub base: PhysAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// The key that made it.
    pub from: Origin,
}

/// `memory.banks-from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanksFrom {
    /// The banks are all the RAM that is used.
    File,
    /// The banks are where RAM may be; firmware says how much of them there is.
    Firmware,
}

/// `[[memory.bank]]`.
#[derive(Clone, Copy, Debug)]
pub struct RamBank {
    /// First byte.
    pub base: PhysAddr,
    /// Length in bytes.
    pub bytes: u64,
    /// NUMA node.
    pub node: u8,
    /// The `base` key.
    pub from: Origin,
}

/// `[[cpu.core]]`.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// MPIDR_EL1 affinity fields or APIC id.
    pub id: u64,
    /// Where it polls for its first instruction's address, where cores spin.
    pub release: Option<PhysAddr>,
    /// The `mpidr` or `apic-id` key.
    pub from: Origin,
}

/// A window of 4 KiB slots whose leaf entries all lie in one static table.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// First byte of slot 0.
    pub base: VirtAddr,
    /// Slots.
    pub slots: u32,
    /// Index into the boot tables of the table that holds the leaves.
    pub table: usize,
    /// Entry of slot 0 in that table.
    pub first: usize,
    /// The key that sizes it.
    pub from: Origin,
}

/// The per-CPU private area: the same virtual addresses on every CPU, other frames behind each.
#[derive(Clone, Copy, Debug)]
pub struct PrivateArea {
    /// Lowest byte of the stack; a guard page lies below and above.
    pub stack: VirtAddr,
    /// Bytes of stack.
    pub stack_bytes: u64,
    /// Pages for this CPU's books: its map cache's above all.
    pub scratch: VirtAddr,
    /// Bytes of them.
    pub scratch_bytes: u64,
    /// Slot 0 of the map cache.
    pub mapcache: VirtAddr,
    /// Slots of the map cache.
    pub mapcache_slots: u32,
    /// The 2 MiB scrub window; its entry is empty while nothing is being scrubbed.
    pub scrub: VirtAddr,
    /// Alias of this CPU's own table that holds the scrub window's entry (level 2), writable.
    pub scrub_table: VirtAddr,
    /// Alias of this CPU's own table that holds the map cache's leaves (level 3), writable.
    pub mapcache_table: VirtAddr,
    /// Alias of this CPU's own root, writable: only the domain slot's entry changes.
    pub root_table: VirtAddr,
}

/// Frames that belong to one CPU, all planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuFrames {
    /// Its root, loaded for life.
    pub root: Frame,
    /// Private area, level 1.
    pub private_l1: Frame,
    /// Private area, level 2.
    pub private_l2: Frame,
    /// Private area, level 3: stack and map cache.
    pub private_l3: Frame,
    /// First frame of the stack.
    pub stack: Frame,
    /// First frame of the scratch pages.
    pub scratch: Frame,
}

/// How the machine is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerOff {
    /// PSCI SYSTEM_OFF by SMC.
    PsciSmc,
    /// PSCI SYSTEM_OFF by HVC.
    PsciHvc,
    /// Not at all: the processors sleep.
    Sleep,
    /// One write to an I/O port.
    Port {
        /// Port number.
        port: u16,
        /// Access width.
        width: Width,
        /// Value written.
        value: u32,
    },
    /// One write to a device register, through the fixmap.
    Mmio {
        /// The register through the fixmap.
        mapped: VirtAddr,
        /// Access width.
        width: Width,
        /// Value written.
        value: u32,
    },
}

/// How secondaries start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnableMethod {
    /// PSCI CPU_ON by SMC (Arm DEN 0022).
    PsciSmc,
    /// PSCI CPU_ON by HVC.
    PsciHvc,
    /// CPU_ON of PSCI 0.1 by SMC, under the firmware's own number.
    Psci01Smc(u32),
    /// The same by HVC.
    Psci01Hvc(u32),
    /// A word at [`Cpu::release`] that each core polls.
    SpinTable,
    /// INIT-SIPI-SIPI; the local APIC's registers through the fixmap.
    Sipi {
        /// Local APIC page, mapped.
        lapic: VirtAddr,
    },
    /// One CPU only.
    None,
}

/// A file that the boot loader places in RAM; its length and sum are in the manifest.
#[derive(Clone, Copy, Debug)]
pub struct Blob {
    /// What it is, for example `payload.kernel`.
    pub name: &'static str,
    /// First byte in RAM.
    pub base: PhysAddr,
    /// Where its domain sees it.
    pub ipa: Ipa,
    /// Bytes reserved.
    pub max_bytes: u64,
    /// The key that reserves them.
    pub from: Origin,
}

/// The page that tells each blob's real length and sum.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    /// Its frame.
    pub frame: Frame,
    /// The fixmap slot through which it is read, mapped read-only.
    pub mapped: VirtAddr,
}

/// `boot.images`: what is done with those that lie in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// Each is added up and compared with the manifest, and cleaned to the point of coherency.
    Checked,
    /// Each is taken as the loader left it.
    Trusted,
}

/// A guest, as planned.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    /// `name`.
    pub name: &'static str,
    /// Virtual machine identifier: 1, 2, … in file order.
    pub vmid: u16,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// The CPU that each runs on, in order; empty where any may run any.
    pub pins: &'static [u32],
    /// Where the guest sees its memory.
    pub ipa: Ipa,
    /// Where that memory lies, 2 MiB aligned.
    pub memory: PhysAddr,
    /// Its length in bytes, a multiple of 2 MiB.
    pub memory_bytes: u64,
    /// Bits of guest-physical address its stage 2 translates.
    pub ipa_bits: u8,
    /// Frames that it may have for the tables of its stage 2.
    pub tables_limit_frames: u64,
    /// Index of the kernel in `BLOBS`.
    pub kernel: usize,
    /// Index of the initial RAM disk in `BLOBS`.
    pub initrd: Option<usize>,
    /// Index of the device tree in `BLOBS`.
    pub device_tree: usize,
    /// Where it prints.
    pub console: GuestConsole,
    /// What becomes of it when it reboots.
    pub on_reboot: OnReboot,
    /// What it sees besides its memory.
    pub map: GuestMap,
    /// The `name` key.
    pub from: Origin,
}

/// A device that can reach all memory, whoever that belongs to: `dma = "trusted"`.
#[derive(Clone, Copy, Debug)]
pub struct Hole {
    /// `device.name`.
    pub device: &'static str,
    /// The domain that has the device.
    pub domain: Option<&'static str>,
    /// The `dma` key.
    pub from: Origin,
}

/// `domain.on-reboot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReboot {
    /// It is made again from its images, which lie apart from its memory.
    Restart,
    /// It stays off.
    Off,
}

/// `domain.console`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestConsole {
    /// Xen's console: hypercalls and a ring.
    Hypercall,
    /// An emulated PL011, and hypercalls.
    Pl011,
    /// The board's own, passed through.
    Board,
    /// None.
    None,
}
