//! Nodes of devices: interrupt controller, UART, what is passed through.
//!
//! Sources: Linux Documentation/devicetree/bindings, `interrupt-controller/arm,gic.yaml`, `arm,gic-v3.yaml`,
//! `serial/pl011.yaml`, `clock/fixed-clock.yaml`.

use dtoolkit::model::DeviceTreeNode;

use super::build::{Build, GIC, UART_CLOCK, node, ranges, spi};
use crate::model::{ConsolePlace, GuestConsole};
use crate::plan::{GuestGic, GuestRange, Passed, Plan, PlannedDomain};

/// What the PL011's divisors divide; an emulated one has no rate and a real one was set up by firmware.
const UART_CLOCK_HZ: u32 = 24_000_000;

/// The controller of a domain, where its machine can virtualise one.
pub(super) fn gic(gic: GuestGic) -> Option<DeviceTreeNode> {
    let (compatible, gicd, beside) = match gic {
        GuestGic::V2 { gicd, gicc, .. } => ("arm,gic-400", gicd, gicc),
        GuestGic::V3 { gicd, gicr } => ("arm,gic-v3", gicd, gicr),
        GuestGic::None => return None,
    };
    let pair = |range: GuestRange| (range.base.get(), range.bytes);
    let node = node(format!("interrupt-controller@{:x}", gicd.base.get()))
        .with("compatible", compatible)
        .with("#interrupt-cells", 3_u32)
        .with("#address-cells", 0_u32)
        .with("interrupt-controller", Vec::<u8>::new())
        .with("reg", ranges([pair(gicd), pair(beside)]))
        .with("phandle", GIC);
    Some(node)
}

/// The PL011, emulated or the board's.
pub(super) fn uart(plan: &Plan, domain: &PlannedDomain) -> Option<DeviceTreeNode> {
    let (base, bytes, intid) = match (domain.console, domain.map.uart, plan.board.console.place) {
        (GuestConsole::Pl011, Some(uart), _) => (uart.registers.base.get(), uart.registers.bytes, uart.intid),
        (GuestConsole::Board, _, ConsolePlace::Mmio(mmio)) => (mmio.base.get(), mmio.bytes, plan.board.console.intid?),
        (GuestConsole::Pl011 | GuestConsole::Board | GuestConsole::Hypercall | GuestConsole::None, _, _) => {
            return None;
        }
    };
    let compatible: &[&str] = &["arm,pl011", "arm,primecell"];
    let clocks: &[&str] = &["uartclk", "apb_pclk"];
    let node = node(format!("serial@{base:x}"))
        .with("compatible", compatible)
        .with("reg", ranges([(base, bytes)]))
        .with("interrupts", spi(intid).to_vec())
        .with("clocks", vec![UART_CLOCK, UART_CLOCK])
        .with("clock-names", clocks);
    Some(node)
}

/// The clock that a PL011's binding asks for.
pub(super) fn uart_clock() -> DeviceTreeNode {
    node("clock")
        .with("compatible", "fixed-clock")
        .with("#clock-cells", 0_u32)
        .with("clock-frequency", UART_CLOCK_HZ)
        .with("phandle", UART_CLOCK)
}

/// Devices that are the guest's own and that its tree is to mention.
pub(super) fn passed(passed: &[Passed]) -> impl Iterator<Item = DeviceTreeNode> {
    passed.iter().filter(|device| !device.compatible.is_empty()).map(|device| {
        let name = match device.mmio.first() {
            Some(mmio) => format!("{}@{:x}", device.name, mmio.base.get()),
            None => device.name.clone(),
        };
        let names: Vec<&str> = device.compatible.iter().map(String::as_str).collect();
        let cells: Vec<u32> = device.intids.iter().copied().flat_map(spi).collect();
        node(name)
            .with("compatible", &names[..])
            .with("reg", ranges(device.mmio.iter().map(|mmio| (mmio.base.get(), mmio.bytes))))
            .with("interrupts", cells)
    })
}
