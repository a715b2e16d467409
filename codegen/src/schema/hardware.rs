//! `[platform]`, `[memory]`, `[cpu]`, `[boot]`: what the machine is.
//!
//! Never what is built on it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Place, Size, Written};

/// `[platform]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Platform {
    /// Name of the board; the same as the file's, without `.toml`.
    ///
    /// unit: text; default: none
    pub name: Written<String>,
    /// What a person calls the machine.
    ///
    /// unit: text; default: none
    pub model: Written<String>,
    /// Instruction set.
    ///
    /// unit: word; default: none
    pub arch: Written<ArchWord>,
    /// Device tree names of the machine, most specific first.
    ///
    /// unit: list of text; default: []
    #[serde(default)]
    pub compatible: Vec<Written<String>>,
    /// How the machine is switched off: one write to a port or a register.
    ///
    /// unit: table; default: PSCI SYSTEM_OFF where `cpu.enable-method` is "psci" (from version 0.2 on); elsewhere the
    /// processors sleep (AArch64), or it is needed (x86-64)
    pub power_off: Option<Written<PowerOff>>,
    /// The device tree that the file was made from, as `cargo xtask import` writes it.
    ///
    /// unit: table; default: none
    pub imported_from: Option<Written<ImportedFrom>>,
}

/// `platform.imported-from`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImportedFrom {
    /// The tree's file.
    ///
    /// unit: path; default: none
    pub file: Written<String>,
    /// SHA-256 of its bytes.
    ///
    /// unit: 64 hexadecimal digits; default: none
    pub sha256: Written<String>,
}

/// Words of `platform.arch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ArchWord {
    /// AArch64 at EL2.
    #[serde(rename = "aarch64")]
    Aarch64,
    /// x86-64 in long mode.
    #[serde(rename = "x86_64")]
    X86_64,
}

/// `platform.power-off`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PowerOff {
    /// I/O port to write to (x86-64).
    ///
    /// unit: port; default: `address` is given instead
    pub port: Option<Written<u16>>,
    /// Register to write to.
    ///
    /// unit: physical address; default: `port` is given instead
    pub address: Option<Written<u64>>,
    /// Access width.
    ///
    /// unit: bytes, 1, 2 or 4; default: none
    pub width: Written<u8>,
    /// What is written.
    ///
    /// unit: number of `width` bytes; default: none
    pub value: Written<u32>,
}

/// `[memory]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Memory {
    /// Where the list of banks comes from.
    ///
    /// unit: word; default: none
    pub banks_from: Written<BanksFrom>,
    /// Physical address bits that the machine has for sure; tables are built for that many.
    ///
    /// unit: bits, 32 to 52 (AArch64: 48); default: 40
    pub pa_bits_min: Option<Written<u8>>,
    /// RAM, one entry for each contiguous range. Order does not matter; banks that touch are joined.
    #[serde(default)]
    pub bank: Vec<Written<Bank>>,
    /// Ranges that nobody may use.
    #[serde(default)]
    pub reserved: Vec<Written<Reserved>>,
}

impl Memory {
    /// Default of `pa-bits-min`.
    pub const PA_BITS_MIN: u8 = 40;
}

/// Words of `memory.banks-from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BanksFrom {
    /// The entries `[[memory.bank]]`; what firmware says is compared with them at boot.
    Static,
    /// The device tree at boot, inside the entries `[[memory.bank]]`: they say where RAM may be, and what is planned in
    /// them must turn out to be RAM. AArch64, with a directmap that never shows all RAM.
    FirmwareDtb,
    /// The boot loader's memory map, inside the entries `[[memory.bank]]` in the same way. x86-64, with such a directmap.
    E820,
    /// The UEFI memory map at boot. Refused: no boot protocol hands it over.
    Uefi,
}

/// `[[memory.bank]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bank {
    /// First byte.
    ///
    /// unit: physical address, multiple of 4 KiB; default: none
    pub base: Written<u64>,
    /// Length.
    ///
    /// unit: bytes, multiple of 4 KiB; default: none
    pub size: Written<Size>,
    /// Which NUMA node it belongs to; what the hypervisor keeps about a node lies in its own memory.
    ///
    /// unit: number, 0 to 63; default: 0
    pub node: Option<Written<u8>>,
}

impl Bank {
    /// The highest number of a NUMA node.
    pub const NODE_MAX: u8 = 63;
}

/// `[[memory.reserved]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reserved {
    /// What it is, for reports.
    ///
    /// unit: text; default: none
    pub name: Written<String>,
    /// First byte; the range is rounded outward to whole pages.
    ///
    /// unit: physical address; default: none
    pub base: Written<u64>,
    /// Length.
    ///
    /// unit: bytes; default: none
    pub size: Written<Size>,
    /// Whether the hypervisor may map it.
    ///
    /// unit: word; default: none
    pub kind: Written<ReservedKind>,
    /// Who keeps it.
    ///
    /// unit: word; default: none
    pub owner: Written<ReservedOwner>,
}

/// Words of `memory.reserved.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReservedKind {
    /// Never mapped.
    NoMap,
    /// May be mapped, never allocated.
    Reserved,
    /// No RAM here although a bank says so.
    Hole,
}

/// Words of `memory.reserved.owner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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

/// `[cpu]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cpu {
    /// How secondaries are started.
    ///
    /// unit: word; default: none
    pub enable_method: Written<EnableWord>,
    /// The firmware's power interface (AArch64); needed where `enable-method` is "psci".
    ///
    /// unit: table; default: none
    pub psci: Option<Written<Psci>>,
    /// Processors in logical order; the first one boots.
    #[serde(default)]
    pub core: Vec<Written<Core>>,
}

/// Words of `cpu.enable-method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EnableWord {
    /// PSCI CPU_ON (AArch64).
    Psci,
    /// A word in memory, at `cpu.core.release-addr`, that each core polls (AArch64).
    SpinTable,
    /// INIT and SIPI through the trampoline frame (x86-64).
    Sipi,
    /// One processor only.
    None,
}

/// `cpu.psci`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Psci {
    /// Version of the interface, for reports.
    ///
    /// unit: text; default: unknown
    pub version: Option<Written<String>>,
    /// Number of CPU_ON in version 0.1, which left numbers to each firmware.
    ///
    /// unit: function number; default: 0xc400_0003, as from version 0.2 on
    pub cpu_on: Option<Written<u32>>,
    /// Instruction that reaches the firmware.
    ///
    /// unit: word; default: none
    pub conduit: Written<ConduitWord>,
}

/// Words of `cpu.psci.conduit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConduitWord {
    /// SMC #0, to EL3.
    Smc,
    /// HVC #0, to a hypervisor below this one.
    Hvc,
}

/// `[[cpu.core]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Core {
    /// Affinity fields of MPIDR_EL1, bits 31, 30 and 24 masked (AArch64, needed there).
    ///
    /// unit: id; default: none
    pub mpidr: Option<Written<u64>>,
    /// Local APIC id (x86-64, needed there).
    ///
    /// unit: id, 0 to 254; default: none
    pub apic_id: Option<Written<u64>>,
    /// Where the core looks for its first instruction's address ("spin-table", needed there but for the first core).
    ///
    /// unit: physical address, multiple of 8; default: none
    pub release_addr: Option<Written<u64>>,
    /// Kind of core, for reports.
    ///
    /// unit: text; default: ""
    #[serde(rename = "type")]
    pub kind: Option<Written<String>>,
}

/// `[boot]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Boot {
    /// Format in which the loader sees the image.
    ///
    /// unit: word; default: none
    pub entry: Written<EntryWord>,
    /// Where the image is loaded; "auto" is the lowest hole of RAM that fits.
    ///
    /// unit: physical address, multiple of 2 MiB, or "auto"; default: "auto"
    pub load: Option<Written<Place>>,
    /// Exception level at which the loader enters (AArch64); checked at start.
    ///
    /// unit: level, 2; default: 2
    pub entry_el: Option<Written<u8>>,
    /// Frame in which secondaries start (x86-64); "auto" is the highest free one below 640 KiB.
    ///
    /// unit: physical address, multiple of 4 KiB below 640 KiB, or "auto"; default: "auto"
    pub trampoline: Option<Written<Place>>,
    /// What is done with the guests' images before a guest starts.
    ///
    /// unit: word; default: "checked"
    pub images: Option<Written<ImagesWord>>,
}

impl Boot {
    /// Default of `entry-el`.
    pub const ENTRY_EL: u8 = 2;
}

/// Words of `boot.images`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImagesWord {
    /// Each is added up and compared with the manifest, and cleaned to the point of coherency.
    Checked,
    /// Those that lie in their place are taken as they are: the loader has verified them and cleaned them.
    Trusted,
}

/// Words of `boot.entry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EntryWord {
    /// arm64 Image header (AArch64).
    LinuxImage,
    /// PVH note and multiboot2 header in one ELF (x86-64).
    Pvh,
}
