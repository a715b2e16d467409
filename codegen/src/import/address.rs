//! `reg`, `ranges` and interrupt specifiers: numbers of a node as numbers of the machine.
//!
//! Source: Devicetree Specification, "#address-cells and #size-cells", "ranges", "Interrupts and Interrupt Mapping";
//! Linux `Documentation/devicetree/bindings/interrupt-controller/arm,gic.yaml`, "interrupts". Never guesses a count.

use super::tree::{NodeId, Tree};

/// A range of physical addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) base: u64,
    pub(super) bytes: u64,
}

impl Region {
    /// The first byte behind it.
    pub(super) const fn end(self) -> u64 {
        self.base + self.bytes
    }

    pub(super) const fn meets(self, other: Self) -> bool {
        self.base < other.end() && other.base < self.end()
    }
}

/// Most cells of one number: 128 bits.
const CELLS_MOST: u32 = 4;
/// Most interrupt parents from a device to the controller.
const PARENTS_MOST: usize = 16;

/// The size of numbers in a node's children; what the specification says where the node does not.
fn cells(tree: &Tree, id: NodeId) -> Result<(usize, usize), String> {
    let count = |name: &str, default: u32| match tree.property(id, name) {
        None => Ok(default),
        Some(_) => match tree.word(id, name) {
            Some(count) if count <= CELLS_MOST => Ok(count),
            _ => Err(format!("{}: {name} is no count of cells", tree.path(id))),
        },
    };
    Ok((count("#address-cells", 2)? as usize, count("#size-cells", 1)? as usize))
}

fn number(words: &[u32]) -> u128 {
    words.iter().fold(0, |number, word| number << 32 | u128::from(*word))
}

/// All ranges of a node's `reg`, in the machine's addresses; empty ones are kept.
pub(super) fn regions(tree: &Tree, id: NodeId) -> Result<Vec<Region>, String> {
    let path = || tree.path(id);
    let parent = tree.parent(id).ok_or_else(|| format!("{}: the root has no reg", path()))?;
    let (address, size) = cells(tree, parent)?;
    let words = tree.words(id, "reg").ok_or_else(|| format!("{}: no reg of whole cells", path()))?;
    let entry = address + size;
    if entry == 0 || words.is_empty() || !words.len().is_multiple_of(entry) {
        let found = words.len();
        return Err(format!("{}: reg has {found} cells, not whole entries of {address} and {size}", path()));
    }
    let regions = words.chunks_exact(entry).map(|entry| {
        let base = translate(tree, parent, number(&entry[..address]))?;
        let bytes = u64::try_from(number(&entry[address..])).ok();
        let bytes = bytes.filter(|bytes| base.checked_add(*bytes).is_some());
        Ok(Region { base, bytes: bytes.ok_or_else(|| format!("{}: reg does not end below 2^64", path()))? })
    });
    regions.collect()
}

/// An address on a bus as an address of the machine.
fn translate(tree: &Tree, bus: NodeId, address: u128) -> Result<u64, String> {
    let (mut at, mut address) = (bus, address);
    while let Some(parent) = tree.parent(at) {
        address = up(tree, at, parent, address)?;
        at = parent;
    }
    u64::try_from(address).map_err(|_| format!("{}: {address:#x} is no address of 64 bits", tree.path(bus)))
}

/// One step: from a bus to the one above it.
fn up(tree: &Tree, bus: NodeId, parent: NodeId, address: u128) -> Result<u128, String> {
    let path = || tree.path(bus);
    if tree.property(bus, "ranges").is_none() {
        return Err(format!("{}: no ranges, so nothing below has an address of the machine", path()));
    }
    let words = tree.words(bus, "ranges").ok_or_else(|| format!("{}: ranges is not whole cells", path()))?;
    if words.is_empty() {
        return Ok(address);
    }
    let (child, size) = cells(tree, bus)?;
    let (above, _) = cells(tree, parent)?;
    let entry = child + above + size;
    if entry == 0 || !words.len().is_multiple_of(entry) {
        return Err(format!("{}: ranges has {} cells, not whole entries of {entry}", path(), words.len()));
    }
    let mut windows = words.chunks_exact(entry).map(|entry| {
        let (from, rest) = entry.split_at(child);
        let (to, length) = rest.split_at(above);
        (number(from), number(to), number(length))
    });
    let window = windows.find(|(from, _, length)| address.checked_sub(*from).is_some_and(|off| off < *length));
    let (from, to, _) = window.ok_or_else(|| format!("{}: no ranges entry holds {address:#x}", path()))?;
    to.checked_add(address - from).ok_or_else(|| format!("{}: ranges does not end below 2^128", path()))
}

/// One interrupt of a node: its controller, and the specifier.
#[derive(Clone, Debug)]
pub(super) struct Interrupt {
    pub(super) parent: NodeId,
    pub(super) cells: Vec<u32>,
}

/// All interrupts of a node.
pub(super) fn interrupts(tree: &Tree, id: NodeId) -> Result<Vec<Interrupt>, String> {
    if let Some(words) = tree.words(id, "interrupts-extended") {
        return extended(tree, id, &words);
    }
    let Some(words) = tree.words(id, "interrupts") else {
        return Ok(Vec::new());
    };
    let parent = interrupt_parent(tree, id).ok_or_else(|| format!("{}: no interrupt-parent", tree.path(id)))?;
    let count = interrupt_cells(tree, parent)?;
    if !words.len().is_multiple_of(count) {
        let (path, found) = (tree.path(id), words.len());
        return Err(format!("{path}: interrupts has {found} cells, not whole entries of {count}"));
    }
    Ok(words.chunks_exact(count).map(|cells| Interrupt { parent, cells: cells.to_vec() }).collect())
}

fn extended(tree: &Tree, id: NodeId, words: &[u32]) -> Result<Vec<Interrupt>, String> {
    let (mut rest, mut list) = (words, Vec::new());
    while let Some((phandle, after)) = rest.split_first() {
        let parent = tree.by_phandle(*phandle);
        let parent = parent.ok_or_else(|| format!("{}: interrupts-extended names no node", tree.path(id)))?;
        let count = interrupt_cells(tree, parent)?;
        if after.len() < count {
            return Err(format!("{}: interrupts-extended stops in the middle", tree.path(id)));
        }
        let (cells, next) = after.split_at(count);
        list.push(Interrupt { parent, cells: cells.to_vec() });
        rest = next;
    }
    Ok(list)
}

fn interrupt_cells(tree: &Tree, controller: NodeId) -> Result<usize, String> {
    match tree.word(controller, "#interrupt-cells") {
        Some(count @ 1..=8) => Ok(count as usize),
        _ => Err(format!("{}: no #interrupt-cells", tree.path(controller))),
    }
}

/// The nearest controller that this node or one above names. Paths and cycles end.
fn interrupt_parent(tree: &Tree, id: NodeId) -> Option<NodeId> {
    let mut at = Some(id);
    while let Some(node) = at {
        if let Some(phandle) = tree.word(node, "interrupt-parent") {
            return tree.by_phandle(phandle);
        }
        at = tree.parent(node).filter(|parent| {
            // A controller above is the parent of what lies in it.
            tree.property(*parent, "interrupt-controller").is_none()
        });
        if at.is_none() && tree.parent(node).is_some() {
            return tree.parent(node);
        }
    }
    None
}

/// Whether `from`, or a box between it and the GIC that passes specifiers on, ends at `gic`.
pub(super) fn leads_to(tree: &Tree, from: NodeId, gic: NodeId) -> bool {
    let mut at = from;
    for _ in 0..PARENTS_MOST {
        if at == gic {
            return true;
        }
        match interrupt_parent(tree, at) {
            Some(parent) if parent != at => at = parent,
            _ => return false,
        }
    }
    false
}

/// The absolute number behind a GIC specifier: type 0 is shared, 1 private.
pub(super) fn intid(cells: &[u32]) -> Option<u32> {
    match cells {
        [0, number, ..] if *number < 988 => Some(32 + number),
        [1, number, ..] if *number < 16 => Some(16 + number),
        _ => None,
    }
}
