//! `[[domain]]`, `[emulator]`: the guests, and the machine that tests run on.
//!
//! Never the hypervisor.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Place, Size, Written};

/// `[[domain]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Domain {
    /// Name of the guest.
    ///
    /// unit: text; default: none
    pub name: Written<String>,
    /// Virtual processors; may be more than the machine has.
    ///
    /// unit: count, 1 to 512; default: none
    pub vcpus: Written<u32>,
    /// The CPU that each virtual processor runs on, and no other: its place among `[[cpu.core]]`, from 0 on.
    ///
    /// unit: list of numbers, one for each of `vcpus`; default: any CPU runs any of them
    #[serde(default)]
    pub cpus: Vec<Written<u32>>,
    /// The guest's RAM.
    ///
    /// unit: table; default: none
    pub memory: Written<DomainMemory>,
    /// "payload" for the built-in test guest, "debian-cloud" for Debian's kernel for cloud machines, which is fetched when
    /// it is needed, otherwise a file relative to the board file.
    ///
    /// unit: word or path; default: none
    pub kernel: Written<String>,
    /// Room for the kernel as it runs; its real length is found when it is loaded.
    ///
    /// unit: bytes; default: none
    pub kernel_max: Written<Size>,
    /// Initial RAM disk: "busybox" for the one made around Debian's static busybox, otherwise a file relative to the board
    /// file.
    ///
    /// unit: word or path; default: the kernel has none
    pub initrd: Option<Written<String>>,
    /// Room for the initial RAM disk (needed where there is one).
    ///
    /// unit: bytes; default: none
    pub initrd_max: Option<Written<Size>>,
    /// Kernel command line.
    ///
    /// unit: text; default: ""
    pub command_line: Option<Written<String>>,
    /// Where the guest prints.
    ///
    /// unit: word; default: "none"
    pub console: Option<Written<DomainConsole>>,
    /// What becomes of the guest when it reboots. Starting it anew takes room for a second copy of its images, apart from
    /// its memory; otherwise they are packed where it runs them.
    ///
    /// unit: word; default: "off"
    pub on_reboot: Option<Written<DomainReboot>>,
    /// Devices passed through, by `device.name`.
    ///
    /// unit: list of names; default: []
    #[serde(default)]
    pub devices: Vec<Written<String>>,
}

/// `domain.memory`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DomainMemory {
    /// Where the guest sees it.
    ///
    /// unit: guest-physical address, multiple of 2 MiB; default: none
    pub base: Written<u64>,
    /// How much.
    ///
    /// unit: bytes, multiple of 2 MiB; default: none
    pub size: Written<Size>,
    /// Where it lies in RAM.
    ///
    /// unit: physical address, multiple of 2 MiB, or "auto"; default: "auto"
    pub at: Option<Written<Place>>,
}

/// Words of `domain.console`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DomainConsole {
    /// Xen's console, `hvc0` in Linux: shown on the hypervisor's console.
    Hypercall,
    /// An emulated PL011, shown on the hypervisor's console as are lines of `console_io`.
    Pl011,
    /// The board's own console, passed through; a PL011 with its `intid`.
    Board,
    /// Nowhere.
    None,
}

/// Words of `domain.on-reboot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DomainReboot {
    /// It is destroyed, and made again from its images.
    Restart,
    /// It stays off.
    Off,
}

/// `[emulator]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Emulator {
    /// QEMU's `-M`.
    ///
    /// unit: text; default: none
    pub machine: Written<String>,
    /// QEMU's `-cpu`.
    ///
    /// unit: text; default: the machine's own
    pub cpu: Option<Written<String>>,
    /// QEMU's `-m`; at least all banks together.
    ///
    /// unit: bytes; default: the sum of `memory.bank.size`
    pub memory: Option<Written<Size>>,
    /// Which of QEMU's serial ports carries the console.
    ///
    /// unit: number; default: 0
    pub serial: Option<Written<u32>>,
    /// Further arguments, verbatim.
    ///
    /// unit: list of text; default: []
    #[serde(default)]
    pub extra: Vec<Written<String>>,
}
