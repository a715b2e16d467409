//! The board as the rest of the generator sees it: values that have been checked.
//!
//! Holds no `Spanned`, no unset default, no name that must still be looked up. Each fact carries an
//! [`Origin`], so that plans, tables and fault reports can name the line it came from.

mod devices;
mod domain;
mod layout;

pub(crate) use devices::REDISTRIBUTOR_BYTES;
pub use devices::{Console, ConsolePlace, GicPages, Irq, Mmio, Timer, Uart, UartFlag, UartRegister, Width};
pub use domain::{Device, Dma, Domain, GuestConsole, Initrd, InitrdSource, Kernel, OnReboot};
pub use layout::{DirectmapPolicy, Extents, GuestTables, Heap, Layout, MappedBy, PolicyChoice, Pools, Retention};

use paging::{Frame, FrameRange, PhysAddr};

use crate::diagnostic::Sources;

/// Where a fact was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// One-based line of the board file.
    Line(u32),
    /// One-based line of the file that the board names with `base =`.
    BaseLine(u32),
    /// The documented default of a key that neither file sets.
    Default,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The checked value.
    pub value: T,
    /// Where it was written.
    pub from: Origin,
}

/// One board: everything the planner needs, nothing it must check again.
#[derive(Clone, Debug)]
pub struct Board {
    /// `platform.name`; equals the file's stem.
    pub name: String,
    /// `platform.model`: what a person calls the machine.
    pub model: String,
    /// `platform.compatible`, most specific first.
    pub compatible: Vec<String>,
    /// Instruction set, entry formats and boot chain.
    pub arch: Arch,
    /// The board file as diagnostics print it, for example `platforms/qemu-arm64.toml`.
    pub file: String,
    /// The file named by `base =`, printed the same way.
    pub base_file: Option<String>,
    /// Both files' text, so that later stages can show the lines their findings are about.
    pub sources: Sources,
    /// RAM, reserved ranges, physical address width.
    pub memory: Memory,
    /// Processors in logical order; the first boots.
    pub cpus: Cpus,
    /// Interrupt controller.
    pub irq: Irq,
    /// Timer interrupts.
    pub timer: Timer,
    /// Where the hypervisor's own lines go.
    pub console: Console,
    /// How the image is entered.
    pub boot: Boot,
    /// How the machine is switched off.
    pub power_off: Sourced<PowerOff>,
    /// Sizes and places the planner works with.
    pub layout: Layout,
    /// Which RAM the hypervisor maps by default.
    pub directmap: Sourced<DirectmapPolicy>,
    /// Whether the boot command line may choose another policy.
    pub directmap_choice: Sourced<PolicyChoice>,
    /// Where the hypervisor's own pages come from.
    pub heap: Heap,
    /// How guests' tables are reached.
    pub guest_tables: Sourced<GuestTables>,
    /// Guests, in file order.
    pub domains: Vec<Domain>,
    /// Devices that a domain may own.
    pub devices: Vec<Device>,
    /// How `xtask run` starts it; `None` where no emulator is known.
    pub emulator: Option<Emulator>,
}

/// Instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// AArch64 at EL2: VMSAv8-64, 4 KiB granule, 48-bit addresses.
    Aarch64,
    /// x86-64 long mode with four levels, hypervisor in the upper half.
    X86_64,
}

/// `memory.banks-from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanksFrom {
    /// The banks are all the RAM that is used.
    File,
    /// The banks are where RAM may be; firmware says at boot how much of them there is.
    Firmware,
}

/// `[memory]`.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What the banks stand for.
    pub banks_from: BanksFrom,
    /// Banks sorted by base, merged where they touch, disjoint.
    pub banks: Vec<RamBank>,
    /// Ranges of RAM nobody may use; sorted, may overlap each other.
    pub reserved: Vec<Reserved>,
    /// `memory.pa-bits-min`: physical address bits the board needs, 32..=52.
    pub pa_bits: Sourced<u8>,
}

/// `[[memory.bank]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RamBank {
    /// Whole frames.
    pub frames: FrameRange,
    /// NUMA node.
    pub node: u8,
    /// The `base` key.
    pub from: Origin,
}

/// `[[memory.reserved]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// `name`.
    pub name: String,
    /// Whole frames, rounded outward.
    pub frames: FrameRange,
    /// Whether the hypervisor may map it.
    pub kind: ReservedKind,
    /// Who keeps it.
    pub owner: ReservedOwner,
    /// The `base` key.
    pub from: Origin,
}

/// `memory.reserved.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedKind {
    /// Never mapped.
    NoMap,
    /// May be mapped, never allocated.
    Reserved,
    /// No RAM here although a bank says so.
    Hole,
}

/// `memory.reserved.owner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedOwner {
    /// Secure firmware.
    El3,
    /// A vendor's hypervisor.
    VendorHyp,
    /// Another processor on the chip.
    Coprocessor,
    /// The boot loader, until the hypervisor has read what it left.
    Bootloader,
    /// The person who wrote the file.
    User,
}

/// `[cpu]`.
#[derive(Clone, Debug)]
pub struct Cpus {
    /// How secondaries start.
    pub enable: Sourced<EnableMethod>,
    /// In logical order.
    pub cores: Vec<Core>,
}

/// `cpu.enable-method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnableMethod {
    /// PSCI CPU_ON (Arm DEN 0022).
    Psci(Conduit),
    /// The same in version 0.1, with the firmware's own number of CPU_ON.
    Psci01(Conduit, u32),
    /// A word at [`Core::release`] that each core polls (Devicetree Specification, "spin-table").
    SpinTable,
    /// INIT-SIPI-SIPI through the planned trampoline frame.
    Sipi,
    /// One CPU only.
    None,
}

/// `cpu.psci.conduit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// SMC #0.
    Smc,
    /// HVC #0.
    Hvc,
}

/// `[[cpu.core]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// AArch64: MPIDR_EL1 affinity fields, bit 31 masked. x86: APIC id.
    pub id: u64,
    /// `type`, for reports.
    pub kind: String,
    /// `release-addr`; known for every core but the first where the cores spin.
    pub release: Option<PhysAddr>,
    /// The `mpidr` or `apic-id` key.
    pub from: Origin,
}

/// `[boot]`.
#[derive(Clone, Debug)]
pub struct Boot {
    /// Image format the loader sees.
    pub entry: BootEntry,
    /// Where the image is loaded.
    pub load: Placement<PhysAddr>,
    /// AArch64: exception level the loader enters at; checked at start.
    pub entry_el: Sourced<u8>,
    /// x86: the frame below 1 MiB that secondaries start in.
    pub trampoline: Placement<Frame>,
    /// What is done with the guests' images.
    pub images: Sourced<Images>,
}

/// `boot.images`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// Added up, compared with the manifest, cleaned.
    Checked,
    /// Taken as they are.
    Trusted,
}

/// `boot.entry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootEntry {
    /// arm64 `Image` header (Linux Documentation/arch/arm64/booting).
    LinuxImage,
    /// PVH note and multiboot2 header in one ELF.
    Pvh,
}

/// A place that is given or left to the planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement<T> {
    /// Written in the file.
    At(T, Origin),
    /// `"auto"`.
    Auto(Origin),
}

/// `platform.power-off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerOff {
    /// PSCI SYSTEM_OFF through the CPU conduit.
    Psci,
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
    /// One write to a device register.
    Mmio {
        /// Register address.
        address: PhysAddr,
        /// Access width.
        width: Width,
        /// Value written.
        value: u32,
    },
}

/// `[emulator]`.
#[derive(Clone, Debug)]
pub struct Emulator {
    /// `-M`.
    pub machine: String,
    /// `-cpu`; the machine's own when absent.
    pub cpu: Option<String>,
    /// `-m`, bytes.
    pub memory_bytes: u64,
    /// Which `-serial` carries the console.
    pub serial: u32,
    /// Further arguments, verbatim.
    pub extra: Vec<String>,
}
