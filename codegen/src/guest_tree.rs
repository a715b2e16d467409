//! The device tree that a guest is started with: what it may see, derived from the plan.
//!
//! Never describes the machine: no reservation, device or address of the host appears.

use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};

use crate::model::Timer;
use crate::plan::{Plan, PlannedDomain};

/// The blob of the domain with this number.
///
/// # Panics
/// When the plan has no such domain.
pub fn guest_tree(plan: &Plan, domain: usize) -> Vec<u8> {
    let planned = &plan.domains[domain];
    let described = &plan.board.domains[domain];
    let root = DeviceTreeNode::new_unchecked("")
        .with("#address-cells", 2_u32)
        .with("#size-cells", 2_u32)
        .with("model", format!("Tabula domain {}", planned.name))
        .with("compatible", "tabula,domain")
        .child(chosen(&described.command_line))
        .child(memory(planned))
        .child(cpus(planned.vcpus))
        .child(psci())
        .child(hypervisor())
        .children(timer(plan.board.timer));
    let mut tree = DeviceTree::new();
    tree.root = root;
    tree.to_dtb()
}

/// Building a node from what it holds.
trait Build: Sized {
    fn with<T: dtoolkit::ToPropertyValue>(self, name: &str, value: T) -> Self;
    fn child(self, child: DeviceTreeNode) -> Self;
    fn children(self, children: impl IntoIterator<Item = DeviceTreeNode>) -> Self {
        children.into_iter().fold(self, Self::child)
    }
}

impl Build for DeviceTreeNode {
    fn with<T: dtoolkit::ToPropertyValue>(mut self, name: &str, value: T) -> Self {
        self.add_property(DeviceTreeProperty::new_unchecked(name, value));
        self
    }

    fn child(mut self, child: DeviceTreeNode) -> Self {
        self.add_child(child);
        self
    }
}

fn node(name: impl Into<String>) -> DeviceTreeNode {
    DeviceTreeNode::new_unchecked(name)
}

fn chosen(command_line: &str) -> DeviceTreeNode {
    node("chosen").with("bootargs", command_line)
}

/// Both numbers take two cells.
fn memory(domain: &PlannedDomain) -> DeviceTreeNode {
    let numbers = [domain.ipa.get(), domain.memory.bytes()];
    let reg: Vec<u8> = numbers.into_iter().flat_map(u64::to_be_bytes).collect();
    node(format!("memory@{:x}", domain.ipa.get())).with("device_type", "memory").with("reg", reg)
}

fn cpus(vcpus: u32) -> DeviceTreeNode {
    let cpu = |number: u32| {
        let id = affinity(number);
        node(format!("cpu@{id:x}"))
            .with("device_type", "cpu")
            .with("compatible", "arm,armv8")
            .with("enable-method", "psci")
            .with("reg", id)
    };
    node("cpus").with("#address-cells", 1_u32).with("#size-cells", 0_u32).children((0..vcpus).map(cpu))
}

/// Aff0 counts to 16, as many as one ICC_SGI1R_EL1 target list names (Arm IHI 0069, ICC_SGI1R_EL1.TargetList); Aff1 goes on.
fn affinity(vcpu: u32) -> u32 {
    ((vcpu / 16) << 8) | (vcpu % 16)
}

/// PSCI 1.1 by HVC; function ids are the specification's (Arm DEN 0022).
fn psci() -> DeviceTreeNode {
    let versions: &[&str] = &["arm,psci-1.0", "arm,psci-0.2"];
    node("psci").with("compatible", versions).with("method", "hvc")
}

fn hypervisor() -> DeviceTreeNode {
    node("hypervisor").with("compatible", "tabula,hypervisor")
}

/// The generic timer's four PPIs in the binding's order; nothing where the machine has none.
fn timer(timer: Timer) -> Option<DeviceTreeNode> {
    /// Interrupt specifier: a PPI, counted from INTID 16.
    const PPI: u32 = 1;
    /// Interrupt specifier: level, active low.
    const LEVEL_LOW: u32 = 8;
    match timer {
        Timer::ArmGeneric { sec_phys, phys, virt, hyp_phys } => {
            let intids = [sec_phys, phys, virt, hyp_phys];
            let cells: Vec<u32> = intids.into_iter().flat_map(|intid| [PPI, intid - 16, LEVEL_LOW]).collect();
            let node = node("timer").with("compatible", "arm,armv8-timer").with("interrupts", cells);
            // The property of the name is empty: its presence says it.
            Some(node.with("always-on", Vec::<u8>::new()))
        }
        Timer::Tsc => None,
    }
}
