//! The options of `import`: where the tree is, and answers to what it does not say.
//!
//! Holds no behaviour.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The device tree: a flattened one.
    #[arg(value_name = "BOARD.dtb", required_unless_present_any = ["qemu", "live"])]
    pub tree: Option<PathBuf>,
    /// Ask QEMU for the tree of a machine, and write how it is started.
    #[arg(long, value_name = "MACHINE", conflicts_with_all = ["tree", "live"])]
    pub qemu: Option<String>,
    /// A saved /proc/device-tree; of a PC, a folder with copies of /sys/firmware/memmap and /sys/firmware/acpi/tables/APIC.
    #[arg(long, value_name = "DIR", conflicts_with = "tree")]
    pub live: Option<PathBuf>,
    /// The board's name [default: the tree's, or the output file's]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where to write the board file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Exit with 0 although something is missing.
    #[arg(long)]
    pub allow_holes: bool,
    /// What the tree does not say.
    #[command(flatten)]
    pub given: Given,
}

/// Answers to what a tree does not say.
#[derive(Debug, Default, Args)]
pub struct Given {
    /// RAM; may be repeated, replaces what the tree says.
    #[arg(long, value_name = "BASE+SIZE")]
    pub memory: Vec<String>,
    /// Firmware says at boot how much RAM there is, in the banks at most.
    #[arg(long)]
    pub banks_from_firmware: bool,
    /// The console: a node's path, an alias, a PC's port such as 0x3f8, or `none`.
    #[arg(long, value_name = "NODE")]
    pub console: Option<String>,
    /// The hypervisor sets the console up: no firmware has.
    #[arg(long)]
    pub console_driver: bool,
    /// How secondaries start.
    #[arg(long, value_enum)]
    pub enable_method: Option<EnableMethod>,
    /// How the firmware is called.
    #[arg(long, value_enum)]
    pub conduit: Option<Conduit>,
    /// Where cores look for their start address; once for each core but the first, in their order.
    #[arg(long, value_name = "ADDRESS")]
    pub release_address: Vec<String>,
    /// From one redistributor to the next, where the tree does not say it: 256 KiB for a GICv4.
    #[arg(long, value_name = "SIZE")]
    pub gicr_stride: Option<String>,
    /// The virtual interface's interrupt.
    #[arg(long, value_name = "INTID")]
    pub maintenance_intid: Option<u32>,
    /// The timer's four interrupts: secure, EL1, virtual, EL2.
    #[arg(long, value_name = "INTID", num_args = 4)]
    pub timer_intids: Vec<u32>,
    /// The value of platform.power-off.
    #[arg(long, value_name = "TABLE")]
    pub power_off: Option<String>,
    /// QEMU's `-M`, for the table [emulator].
    #[arg(long, value_name = "MACHINE", conflicts_with = "qemu")]
    pub emulator: Option<String>,
    /// QEMU's `-cpu`.
    #[arg(long, value_name = "CPU")]
    pub cpu: Option<String>,
    /// QEMU's `-smp` when it is asked for a tree.
    #[arg(long, value_name = "COUNT", requires = "qemu")]
    pub smp: Option<u32>,
    /// QEMU's `-m` when it is asked for a tree.
    #[arg(long, value_name = "SIZE", requires = "qemu")]
    pub ram: Option<String>,
    /// QEMU's `-m` for the table [emulator], where it is not the sum of the banks.
    #[arg(long, value_name = "SIZE")]
    pub emulator_memory: Option<String>,
    /// Which serial port of QEMU carries the console.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub serial: u32,
    /// A further argument of QEMU; may be repeated.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub emulator_arg: Vec<String>,
    /// Add the built-in test guest, where the interrupt controller allows it.
    #[arg(long)]
    pub payload: bool,
}

/// Words of `--enable-method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EnableMethod {
    /// PSCI CPU_ON.
    Psci,
    /// A word in memory.
    SpinTable,
    /// Not at all.
    None,
}

/// Words of `--conduit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Conduit {
    /// SMC.
    Smc,
    /// HVC.
    Hvc,
}
