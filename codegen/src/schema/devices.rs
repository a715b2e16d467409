//! `[irq]`, `[timer]`, `[console]`, `[[device]]`: registers and interrupt numbers.
//!
//! Never the registers' meaning; that is in `check::uart` and in the hypervisor's drivers.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Size, Written};

/// A range of registers, written `{ base = …, size = … }`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Registers {
    /// First byte; keeps its offset inside the page.
    ///
    /// unit: physical address; default: none
    pub base: Written<u64>,
    /// Length.
    ///
    /// unit: bytes; default: none
    pub size: Written<Size>,
}

/// `[irq]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Irq {
    /// Kind of interrupt controller.
    ///
    /// unit: word; default: none
    pub kind: Written<IrqWord>,
    /// Distributor (GICv2 and v3, needed there).
    ///
    /// unit: `{ base, size }`; default: none
    pub gicd: Option<Written<Registers>>,
    /// CPU interface (GICv2, needed there).
    ///
    /// unit: `{ base, size }`; default: none
    pub gicc: Option<Written<Registers>>,
    /// Virtual interface control (GICv2).
    ///
    /// unit: `{ base, size }`; default: the chip has none
    pub gich: Option<Written<Registers>>,
    /// Virtual CPU interface (GICv2); given together with `gich`.
    ///
    /// unit: `{ base, size }`; default: the chip has none
    pub gicv: Option<Written<Registers>>,
    /// How the 4 KiB pages of the GICv2 CPU interfaces are laid out.
    ///
    /// unit: word; default: "none"
    pub gicc_alias: Option<Written<GiccAlias>>,
    /// Redistributors (GICv3, needed there): `gicr-stride` for each core, in any order; those of no core come last.
    ///
    /// unit: list of `{ base, size }`; default: none
    pub gicr: Option<Vec<Written<Registers>>>,
    /// From one redistributor to the next (GICv3): "256 KiB" where each has frames for virtual LPIs.
    ///
    /// unit: bytes, multiple of 64 KiB from 128 KiB on; default: "128 KiB"
    pub gicr_stride: Option<Written<Size>>,
    /// Interrupt translation services (GICv3).
    ///
    /// unit: list of `{ base, size }`; default: []
    pub its: Option<Vec<Written<Registers>>>,
    /// Message frames (GICv2).
    ///
    /// unit: list of `{ base, size }`; default: []
    pub v2m: Option<Vec<Written<Registers>>>,
    /// Interrupt of the virtual interface (GICv3, and GICv2 with `gich`, needed there).
    ///
    /// unit: INTID, 16 to 31; default: none
    pub maintenance_intid: Option<Written<u32>>,
    /// Local APIC (x86-64, needed there).
    ///
    /// unit: `{ base, size }`; default: none
    pub lapic: Option<Written<Registers>>,
    /// I/O APICs (x86-64).
    ///
    /// unit: list of `{ base, size }`; default: []
    pub ioapic: Option<Vec<Written<Registers>>>,
    /// Registers of each core's own timers and mailboxes ("bcm2836", needed there).
    ///
    /// unit: `{ base, size }`; default: none
    pub local: Option<Written<Registers>>,
}

/// Words of `irq.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IrqWord {
    /// Arm GICv2.
    GicV2,
    /// Arm GICv3 or v4.
    GicV3,
    /// The Raspberry Pi's own, without virtualization: no domains.
    Bcm2836,
    /// Local and I/O APICs.
    Apic,
}

/// Words of `irq.gicc-alias`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum GiccAlias {
    /// Adjacent 4 KiB pages.
    #[serde(rename = "none")]
    None,
    /// Each 4 KiB page repeated through 64 KiB, so `gicc` is 128 KiB long.
    #[serde(rename = "64k")]
    Pages64K,
}

/// `[timer]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Timer {
    /// Kind of timer.
    ///
    /// unit: word; default: none
    pub kind: Written<TimerWord>,
    /// Secure physical timer (needed for "arm-generic").
    ///
    /// unit: INTID, 16 to 31; default: none
    pub sec_phys: Option<Written<u32>>,
    /// Non-secure EL1 physical timer (needed for "arm-generic").
    ///
    /// unit: INTID, 16 to 31; default: none
    pub phys: Option<Written<u32>>,
    /// Virtual timer (needed for "arm-generic").
    ///
    /// unit: INTID, 16 to 31; default: none
    pub virt: Option<Written<u32>>,
    /// Non-secure EL2 physical timer (needed for "arm-generic").
    ///
    /// unit: INTID, 16 to 31; default: none
    pub hyp_phys: Option<Written<u32>>,
}

/// Words of `timer.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimerWord {
    /// Arm generic timer.
    ArmGeneric,
    /// Time-stamp counter (x86-64).
    Tsc,
}

/// `[console]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Console {
    /// Kind of UART.
    ///
    /// unit: word; default: none
    pub kind: Written<ConsoleWord>,
    /// First register; needed unless `io-port` is given or `kind` is "none".
    ///
    /// unit: physical address; default: none
    pub base: Option<Written<u64>>,
    /// Length of the registers; needed with `base`.
    ///
    /// unit: bytes; default: none
    pub size: Option<Written<Size>>,
    /// First I/O port (x86-64, "ns16550").
    ///
    /// unit: port; default: `base` is given instead
    pub io_port: Option<Written<u16>>,
    /// Registers lie 2^n bytes apart ("ns16550" with `base` and "scif", needed there; "scif" has 1 or 2).
    ///
    /// unit: power of two, 0 to 3; default: none
    pub reg_shift: Option<Written<u8>>,
    /// Access width ("ns16550" with `base`, needed there).
    ///
    /// unit: bytes, 1, 2 or 4; default: none
    pub io_width: Option<Written<u8>>,
    /// Who sets the UART up.
    ///
    /// unit: word; default: "firmware"
    pub init: Option<Written<InitWord>>,
    /// Input clock ("ns16550" with `init = "driver"`); given together with `baud`.
    ///
    /// unit: hertz; default: the rate stays as it is
    pub clock_hz: Option<Written<u32>>,
    /// Line rate ("ns16550" with `init = "driver"`); given together with `clock-hz`.
    ///
    /// unit: bits per second; default: the rate stays as it is
    pub baud: Option<Written<u32>>,
    /// Interrupt of the UART.
    ///
    /// unit: INTID (AArch64), I/O APIC input (x86-64); default: polled only
    pub intid: Option<Written<u32>>,
    /// Transmit register ("polled", needed there).
    ///
    /// unit: table; default: none
    pub tx: Option<Written<PolledTx>>,
    /// Status register and its value when a byte may be written ("polled", needed there).
    ///
    /// unit: table; default: none
    pub ready: Option<Written<PolledReady>>,
    /// Registers written before the first byte, as [offset, value] ("polled"); accesses are as wide as `tx`.
    ///
    /// unit: list of pairs; default: []
    pub init_writes: Option<Vec<Written<[u32; 2]>>>,
    /// Status register and its value when the byte before is gone ("polled"); waited for before `before-writes`.
    ///
    /// unit: table; default: nothing is waited for
    pub idle: Option<Written<PolledReady>>,
    /// Registers written for each byte before `ready` is waited for, as [offset, value] ("polled"); accesses are as wide as
    /// `ready`.
    ///
    /// unit: list of pairs; default: []
    pub before_writes: Option<Vec<Written<[u32; 2]>>>,
    /// Registers written behind each byte, as [offset, value] ("polled"); accesses are as wide as `ready`.
    ///
    /// unit: list of pairs; default: []
    pub after_writes: Option<Vec<Written<[u32; 2]>>>,
}

/// Words of `console.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleWord {
    /// Arm PrimeCell UART.
    Pl011,
    /// 16550 and its many relatives.
    Ns16550,
    /// Cadence UART of Zynq and ZynqMP.
    Xuartps,
    /// NXP i.MX UART.
    Imx,
    /// Amlogic Meson UART.
    Meson,
    /// NXP LPUART, 32-bit registers (i.MX 8 and later).
    Lpuart,
    /// Marvell Armada 3700 UART.
    Mvebu3700,
    /// Qualcomm's GENI serial engine.
    MsmGeni,
    /// Qualcomm's UARTDM.
    MsmUartdm,
    /// Samsung S3C and Exynos UART.
    S3c,
    /// Renesas SCIF.
    Scif,
    /// Any other with a transmit register and a status register: see `tx`, `ready`, `init-writes`.
    Polled,
    /// No UART: lines go to a ring in RAM.
    None,
}

/// Words of `console.init`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InitWord {
    /// Firmware has set it up.
    Firmware,
    /// The hypervisor does: "ns16550", "xuartps" and "polled" only.
    Driver,
}

/// `console.tx`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PolledTx {
    /// Distance from `console.base`.
    ///
    /// unit: bytes; default: none
    pub off: Written<u16>,
    /// Access width.
    ///
    /// unit: bytes, 1, 2 or 4; default: none
    pub width: Written<u8>,
}

/// `console.ready`, `console.idle`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PolledReady {
    /// Distance from `console.base`.
    ///
    /// unit: bytes; default: none
    pub off: Written<u16>,
    /// Access width.
    ///
    /// unit: bytes, 1, 2 or 4; default: none
    pub width: Written<u8>,
    /// Bits that matter.
    ///
    /// unit: bit mask; default: none
    pub mask: Written<u32>,
    /// Their value when a byte may be written.
    ///
    /// unit: bits under `mask`; default: none
    pub value: Written<u32>,
}

/// `[[device]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Device {
    /// Name by which `domain.devices` asks for it.
    ///
    /// unit: text; default: none
    pub name: Written<String>,
    /// Register ranges, given to the owner page by page.
    ///
    /// unit: list of `{ base, size }`; default: []
    #[serde(default)]
    pub mmio: Vec<Written<Registers>>,
    /// Interrupts.
    ///
    /// unit: list of `{ intid }`; default: []
    #[serde(default)]
    pub irq: Vec<Written<DeviceIrq>>,
    /// What the owner's device tree calls it, most specific first; without it the tree does not mention the device.
    ///
    /// unit: list of text; default: []
    #[serde(default)]
    pub compatible: Vec<Written<String>>,
    /// Whether the device reads and writes memory by itself.
    ///
    /// unit: word; default: none
    pub dma: Written<DmaWord>,
}

/// `device.irq`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceIrq {
    /// Absolute number.
    ///
    /// unit: INTID, 32 to 1019; default: none
    pub intid: Written<u32>,
}

/// Words of `device.dma`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DmaWord {
    /// It does not.
    None,
    /// It does, and its owner is trusted with all memory; each build and each boot report it.
    Trusted,
    /// It does, behind an IOMMU. Refused: no IOMMU is driven.
    Iommu,
}
