//! A machine with one of each peculiarity, and ways to change it.
//!
//! Never a copy of a real board's tree.

use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use tests::random::Random;

use super::mutate::word;

/// A node being made.
#[derive(Clone, Debug)]
pub(super) struct Node {
    name: String,
    properties: Vec<(String, Vec<u8>)>,
    children: Vec<Node>,
}

impl Node {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), properties: Vec::new(), children: Vec::new() }
    }

    fn bytes(mut self, name: &str, value: Vec<u8>) -> Self {
        self.properties.retain(|(known, _)| known != name);
        self.properties.push((name.into(), value));
        self
    }

    pub(super) fn cells(self, name: &str, cells: &[u32]) -> Self {
        self.bytes(name, cells.iter().flat_map(|cell| cell.to_be_bytes()).collect())
    }

    pub(super) fn text(self, name: &str, text: &str) -> Self {
        self.bytes(name, format!("{text}\0").into_bytes())
    }

    pub(super) fn flag(self, name: &str) -> Self {
        self.bytes(name, Vec::new())
    }

    pub(super) fn drop_property(mut self, name: &str) -> Self {
        self.properties.retain(|(known, _)| known != name);
        self
    }

    pub(super) fn child(mut self, child: Node) -> Self {
        self.children.push(child);
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        let before = self.children.len();
        self.children.retain(|child| child.name != name);
        assert!(self.children.len() < before, "there is a {name}");
        self
    }

    pub(super) fn edit(mut self, name: &str, change: impl Fn(Node) -> Node) -> Self {
        let at = self.children.iter().position(|child| child.name == name).expect("there is such a child");
        let child = self.children.remove(at);
        self.children.insert(at, change(child));
        self
    }

    /// One change to a value, a name or a node, anywhere below.
    pub(super) fn damage(&mut self, random: &mut Random) {
        if !self.children.is_empty() && random.below(5) > 0 {
            let child = random.below(self.children.len());
            return self.children[child].damage(random);
        }
        let children = self.children.len();
        match random.below(6) {
            0 if children > 0 => drop(self.children.remove(random.below(children))),
            1 if children > 0 => {
                let copy = self.children[random.below(children)].clone();
                self.children.push(copy);
            }
            2 if !self.properties.is_empty() => {
                let at = random.below(self.properties.len());
                self.properties.remove(at);
            }
            _ if !self.properties.is_empty() => {
                let at = random.below(self.properties.len());
                damage_value(&mut self.properties[at].1, random);
            }
            _ => {}
        }
    }

    fn finish(self) -> DeviceTreeNode {
        let mut node = DeviceTreeNode::new_unchecked(self.name);
        for (name, value) in self.properties {
            node.add_property(DeviceTreeProperty::new_unchecked(name, value));
        }
        self.children.into_iter().for_each(|child| node.add_child(child.finish()));
        node
    }
}

fn damage_value(value: &mut Vec<u8>, random: &mut Random) {
    let words = value.len() / 4;
    match random.below(5) {
        0 => value.truncate(random.below(value.len() + 1)),
        1 => value.extend(word(random).to_be_bytes()),
        2 => value.extend(value.clone()),
        _ if words > 0 => {
            let at = random.below(words) * 4;
            value[at..at + 4].copy_from_slice(&word(random).to_be_bytes());
        }
        _ => *value = word(random).to_be_bytes().into(),
    }
}

/// The tree as bytes.
pub(super) fn blob(root: Node) -> Vec<u8> {
    let mut tree = DeviceTree::new();
    tree.root = root.finish();
    tree.to_dtb()
}

/// Two cores whose numbers are not 0 and 1, a bus that moves addresses, an interrupt box before the GIC, four cells.
pub(super) fn machine() -> Node {
    let core = |name: &str, id: u32| {
        let node = Node::new(name).text("device_type", "cpu").text("compatible", "arm,cortex-a55");
        node.cells("reg", &[id]).text("enable-method", "psci")
    };
    let cpus = Node::new("cpus").cells("#address-cells", &[1]).cells("#size-cells", &[0]);
    let gic_reg = [0, 0x800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0x4_0000];
    let controller = |node: Node| node.flag("interrupt-controller").cells("#interrupt-cells", &[4]);
    let gic = controller(Node::new("intc@8000000")).text("compatible", "arm,gic-v3").cells("phandle", &[1]);
    let passes_on = controller(Node::new("box@10200000")).text("compatible", "vendor,box").cells("phandle", &[2]);
    let ppis = [13, 14, 11, 10].map(|number| [1, number, 0xf08, 0]).concat();
    let uart = Node::new("serial@1040").text("compatible", "brcm,bcm2835-aux-uart").cells("reg", &[0x7e00_1040, 0x40]);
    let bus = Node::new("bus@7e000000").cells("#address-cells", &[1]).cells("#size-cells", &[1]);
    let reserved = Node::new("reserved-memory").cells("#address-cells", &[2]).cells("#size-cells", &[2]).flag("ranges");
    let firmware = Node::new("tfa@40000000").cells("reg", &[0, 0x4000_0000, 0, 0x1_0800]).flag("no-map");
    Node::new("")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .cells("interrupt-parent", &[1])
        .text("model", "A board \"of\" tests")
        .text("compatible", "tests,board")
        .child(Node::new("aliases").text("serial0", "/bus@7e000000/serial@1040"))
        .child(Node::new("chosen").text("stdout-path", "serial0:115200n8"))
        .child(
            Node::new("memory@40000000").text("device_type", "memory").cells("reg", &[0, 0x4000_0000, 0, 0x4000_0000]),
        )
        .child(reserved.child(firmware))
        .child(cpus.child(core("cpu@0", 0)).child(core("cpu@100", 0x100)))
        .child(Node::new("psci").text("compatible", "arm,psci-1.0").text("method", "smc"))
        .child(Node::new("timer").text("compatible", "arm,armv8-timer").cells("interrupts", &ppis))
        .child(gic.cells("reg", &gic_reg).cells("interrupts", &[1, 9, 4, 0]))
        .child(passes_on.cells("interrupt-parent", &[1]).cells("reg", &[0, 0x1020_0000, 0, 0x1000]))
        .child(
            bus.cells("ranges", &[0x7e00_0000, 0, 0x3f00_0000, 0x100_0000])
                .child(uart.cells("interrupts", &[0, 5, 4, 0]).cells("interrupt-parent", &[2])),
        )
}
