//! The device tree that a guest is started with: what it may see, derived from the plan.
//!
//! Never describes the machine: no reservation, device or address of the host appears, but for what is passed through.

mod build;
mod devices;

use dtoolkit::Node;
use dtoolkit::model::{DeviceTree, DeviceTreeNode};
use paging::Ipa;

use crate::model::{GuestConsole, Timer};
use crate::plan::{Blob, GuestMap, Plan, PlannedDomain};
use build::{Build, address, node, ranges};

/// The blob of the domain with this number; `initrd_bytes` is the real length of its initial RAM disk, of which the plan
/// knows the place only.
///
/// # Panics
/// When the plan has no such domain.
pub fn guest_tree(plan: &Plan, domain: usize, initrd_bytes: Option<u64>) -> Vec<u8> {
    let planned = &plan.domains[domain];
    let described = &plan.board.domains[domain];
    let map = &planned.map;
    let uart = devices::uart(plan, planned);
    let mut chosen = chosen(&described.command_line);
    if let (Some(index), Some(bytes)) = (planned.initrd, initrd_bytes) {
        chosen = initrd(chosen, &plan.blobs[index], bytes);
    }
    if let (Some(uart), GuestConsole::Pl011 | GuestConsole::Board) = (&uart, planned.console) {
        chosen = chosen.with("stdout-path", format!("/{}", uart.name()));
    }
    let compatible: &[&str] = &["xen,xenvm-4.17", "xen,xenvm"];
    let root = node("")
        .with("#address-cells", 2_u32)
        .with("#size-cells", 2_u32)
        .with("model", format!("Tabula domain {}", planned.name))
        .with("compatible", compatible)
        .with("interrupt-parent", build::GIC)
        .child(chosen)
        .child(memory(planned))
        .child(cpus(&map.vcpu_ids))
        .child(psci())
        .child(hypervisor(map))
        .children(devices::gic(map.gic))
        .children(timer(plan.board.timer))
        .children(uart.is_some().then(devices::uart_clock))
        .children(uart)
        .children(devices::passed(&map.passed));
    let mut tree = DeviceTree::new();
    tree.root = root;
    tree.to_dtb()
}

fn chosen(command_line: &str) -> DeviceTreeNode {
    node("chosen").with("bootargs", command_line)
}

/// First byte and first byte behind, two cells each. Linux Documentation/devicetree/bindings, `chosen.txt`.
fn initrd(chosen: DeviceTreeNode, blob: &Blob, bytes: u64) -> DeviceTreeNode {
    chosen
        .with("linux,initrd-start", address(blob.ipa))
        .with("linux,initrd-end", address(Ipa::new(blob.ipa.get() + bytes)))
}

fn memory(domain: &PlannedDomain) -> DeviceTreeNode {
    let reg = ranges([(domain.ipa.get(), domain.memory.bytes())]);
    node(format!("memory@{:x}", domain.ipa.get())).with("device_type", "memory").with("reg", reg)
}

fn cpus(ids: &[u32]) -> DeviceTreeNode {
    let cpu = |id: &u32| {
        node(format!("cpu@{id:x}"))
            .with("device_type", "cpu")
            .with("compatible", "arm,armv8")
            .with("enable-method", "psci")
            .with("reg", *id)
    };
    node("cpus").with("#address-cells", 1_u32).with("#size-cells", 0_u32).children(ids.iter().map(cpu))
}

/// PSCI 1.1 by HVC; function ids are the specification's (Arm DEN 0022).
fn psci() -> DeviceTreeNode {
    let versions: &[&str] = &["arm,psci-1.0", "arm,psci-0.2"];
    node("psci").with("compatible", versions).with("method", "hvc")
}

/// Where grants are mapped and how events are announced. Linux Documentation/devicetree/bindings, `arm/xen.txt`.
fn hypervisor(map: &GuestMap) -> DeviceTreeNode {
    let compatible: &[&str] = &["xen,xen-4.17", "xen,xen"];
    let event = build::ppi(map.event_intid);
    node("hypervisor")
        .with("compatible", compatible)
        .with("reg", ranges([(map.grants.base.get(), map.grants.bytes)]))
        .with("interrupts", event.to_vec())
}

/// The generic timer's four PPIs in the binding's order; nothing where the machine has none.
fn timer(timer: Timer) -> Option<DeviceTreeNode> {
    match timer {
        Timer::ArmGeneric { sec_phys, phys, virt, hyp_phys } => {
            let cells: Vec<u32> = [sec_phys, phys, virt, hyp_phys].into_iter().flat_map(build::ppi).collect();
            let node = node("timer").with("compatible", "arm,armv8-timer").with("interrupts", cells);
            // The property of the name is empty: its presence says it.
            Some(node.with("always-on", Vec::<u8>::new()))
        }
        Timer::Tsc => None,
    }
}
