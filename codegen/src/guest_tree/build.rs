//! Building a node from what it holds, and the cells that bindings are made of.
//!
//! Knows no domain.

use dtoolkit::ToPropertyValue;
use dtoolkit::model::{DeviceTreeNode, DeviceTreeProperty};
use paging::Ipa;

/// `phandle` of the interrupt controller.
pub(super) const GIC: u32 = 1;
/// `phandle` of the UART's clock.
pub(super) const UART_CLOCK: u32 = 2;

/// Building a node from what it holds.
pub(super) trait Build: Sized {
    /// With one more property.
    fn with<T: ToPropertyValue>(self, name: &str, value: T) -> Self;
    /// With one more child.
    fn child(self, child: DeviceTreeNode) -> Self;
    /// With further children.
    fn children(self, children: impl IntoIterator<Item = DeviceTreeNode>) -> Self {
        children.into_iter().fold(self, Self::child)
    }
}

impl Build for DeviceTreeNode {
    fn with<T: ToPropertyValue>(mut self, name: &str, value: T) -> Self {
        self.add_property(DeviceTreeProperty::new_unchecked(name, value));
        self
    }

    fn child(mut self, child: DeviceTreeNode) -> Self {
        self.add_child(child);
        self
    }
}

/// An empty node.
pub(super) fn node(name: impl Into<String>) -> DeviceTreeNode {
    DeviceTreeNode::new_unchecked(name)
}

/// An address in two cells.
pub(super) fn address(at: Ipa) -> Vec<u8> {
    at.get().to_be_bytes().to_vec()
}

/// Bases and lengths, two cells each.
pub(super) fn ranges(ranges: impl IntoIterator<Item = (u64, u64)>) -> Vec<u8> {
    ranges.into_iter().flat_map(|(base, bytes)| [base, bytes]).flat_map(u64::to_be_bytes).collect()
}

/// Interrupt specifier of a private interrupt: level, active low. Linux Documentation/devicetree/bindings,
/// `interrupt-controller/arm,gic-v3.yaml`.
pub(super) fn ppi(intid: u32) -> [u32; 3] {
    [1, intid - 16, 8]
}

/// Interrupt specifier of a shared interrupt: level, active high.
pub(super) fn spi(intid: u32) -> [u32; 3] {
    [0, intid - 32, 4]
}
