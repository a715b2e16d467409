//! A device tree in memory: nodes by number, properties as the kinds of value that bindings use.
//!
//! Never knows a binding.

use std::collections::HashMap;

use dtoolkit::fdt::FdtNode;
use dtoolkit::{Node as _, Property as _};

use super::blob::{Blob, Malformed};

/// A node's number in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NodeId(usize);

/// One node.
#[derive(Debug)]
struct Node {
    name: String,
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    properties: Vec<(String, Vec<u8>)>,
}

/// All nodes, the root first.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    phandles: HashMap<u32, NodeId>,
    /// The memory reservation block: first byte and length.
    pub(super) reservations: Vec<(u64, u64)>,
}

impl Tree {
    /// Reads a blob.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let blob = Blob::new(bytes)?;
        let fdt = blob.tree();
        let reservations = fdt.memory_reservations().map(|entry| (entry.address(), entry.size())).collect();
        let mut tree = Self { nodes: Vec::new(), phandles: HashMap::new(), reservations };
        tree.add(&fdt.root(), None);
        for id in tree.all() {
            if let Some(phandle) = tree.word(id, "phandle").or_else(|| tree.word(id, "linux,phandle")) {
                tree.phandles.entry(phandle).or_insert(id);
            }
        }
        Ok(tree)
    }

    /// Depth is bounded by the blob's check.
    fn add(&mut self, node: &FdtNode<'_>, parent: Option<NodeId>) -> NodeId {
        let id = NodeId(self.nodes.len());
        let properties =
            node.properties().map(|property| (property.name().to_owned(), property.value().to_vec())).collect();
        self.nodes.push(Node { name: node.name().to_owned(), parent, children: Vec::new(), properties });
        for child in node.children() {
            let child = self.add(&child, Some(id));
            self.nodes[id.0].children.push(child);
        }
        id
    }

    /// The root.
    pub(super) const fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// Every node, parents before children.
    pub(super) fn all(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// A node's parent.
    pub(super) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.nodes[id.0].parent
    }

    /// A node's children.
    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes[id.0].children.iter().copied()
    }

    /// A node's name with its unit address.
    pub(super) fn name(&self, id: NodeId) -> &str {
        &self.nodes[id.0].name
    }

    /// A node's name without its unit address.
    pub(super) fn stem(&self, id: NodeId) -> &str {
        let name = self.name(id);
        name.split_once('@').map_or(name, |(stem, _)| stem)
    }

    /// A node's path.
    pub(super) fn path(&self, id: NodeId) -> String {
        let mut names = Vec::new();
        let mut at = id;
        while let Some(parent) = self.parent(at) {
            names.push(self.name(at));
            at = parent;
        }
        names.push("");
        names.reverse();
        if names.len() == 1 { "/".to_owned() } else { names.join("/") }
    }

    /// The child with that name, or the only one with that name and a unit address.
    pub(super) fn child(&self, id: NodeId, name: &str) -> Option<NodeId> {
        let exact = self.children(id).find(|child| self.name(*child) == name);
        exact.or_else(|| self.children(id).find(|child| self.stem(*child) == name))
    }

    /// The node at a path.
    pub(super) fn find(&self, path: &str) -> Option<NodeId> {
        let parts = path.strip_prefix('/')?.split('/').filter(|part| !part.is_empty());
        parts.into_iter().try_fold(self.root(), |id, part| self.child(id, part))
    }

    /// The node with that phandle.
    pub(super) fn by_phandle(&self, phandle: u32) -> Option<NodeId> {
        self.phandles.get(&phandle).copied()
    }

    /// A path, or an alias and perhaps a path below it; what follows `:` is left out.
    pub(super) fn by_alias(&self, text: &str) -> Option<NodeId> {
        let text = text.split(':').next().unwrap_or_default();
        if text.starts_with('/') {
            return self.find(text);
        }
        let (alias, rest) = text.split_once('/').unwrap_or((text, ""));
        let aliases = self.find("/aliases")?;
        let mut at = self.find(self.text(aliases, alias)?)?;
        for part in rest.split('/').filter(|part| !part.is_empty()) {
            at = self.child(at, part)?;
        }
        Some(at)
    }

    /// A property's bytes.
    pub(super) fn property(&self, id: NodeId, name: &str) -> Option<&[u8]> {
        self.nodes[id.0].properties.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_slice())
    }

    /// A property of whole words.
    pub(super) fn words(&self, id: NodeId, name: &str) -> Option<Vec<u32>> {
        words_of(self.property(id, name)?)
    }

    /// A property of one word.
    pub(super) fn word(&self, id: NodeId, name: &str) -> Option<u32> {
        match self.words(id, name)?.as_slice() {
            [word] => Some(*word),
            _ => None,
        }
    }

    /// A property of one number, one or two words long.
    pub(super) fn number(&self, id: NodeId, name: &str) -> Option<u64> {
        match self.words(id, name)?.as_slice() {
            [word] => Some(u64::from(*word)),
            [high, low] => Some(u64::from(*high) << 32 | u64::from(*low)),
            _ => None,
        }
    }

    /// The first text of a property.
    pub(super) fn text(&self, id: NodeId, name: &str) -> Option<&str> {
        self.texts(id, name).into_iter().next()
    }

    /// A property's list of texts.
    pub(super) fn texts(&self, id: NodeId, name: &str) -> Vec<&str> {
        let value = self.property(id, name).unwrap_or_default();
        let texts = value.split(|byte| *byte == 0).filter_map(|text| std::str::from_utf8(text).ok());
        texts.filter(|text| !text.is_empty()).collect()
    }

    /// Whether it is compatible with one of these.
    pub(super) fn is(&self, id: NodeId, kinds: &[&str]) -> bool {
        self.texts(id, "compatible").iter().any(|name| kinds.contains(name))
    }

    /// Whether neither it nor a node above is switched off.
    pub(super) fn is_enabled(&self, id: NodeId) -> bool {
        let mut at = Some(id);
        while let Some(node) = at {
            if !matches!(self.text(node, "status"), None | Some("okay" | "ok")) {
                return false;
            }
            at = self.parent(node);
        }
        true
    }
}

/// Whole words, or nothing.
fn words_of(value: &[u8]) -> Option<Vec<u32>> {
    let (words, rest) = value.as_chunks::<4>();
    rest.is_empty().then(|| words.iter().map(|word| u32::from_be_bytes(*word)).collect())
}
