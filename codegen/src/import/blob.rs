//! The bytes of a device tree, checked: after this a reader cannot run out of them.
//!
//! Stricter than a loader about structure, laxer than the specification about names, which real trees make longer than
//! 31 characters. Never interprets a property.

use std::fmt;

use dtoolkit::fdt::Fdt;

/// Devicetree Specification, "Flattened Devicetree (DTB) Format": header fields, tokens.
const MAGIC: u32 = 0xd00d_feed;
const HEADER_BYTES: usize = 40;
const VERSION: u32 = 17;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;
/// Deepest nesting that is followed; the deepest tree of Debian's kernel has 8 levels.
const DEPTH_MOST: usize = 64;
/// Most nodes; the largest tree of Debian's kernel has 1112.
const NODES_MOST: usize = 1 << 16;

/// What is wrong with a blob, and in which node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Path of the node that was open.
    pub(super) node: String,
    /// Offset in the file.
    pub(super) at: usize,
    /// What is wrong there.
    pub(super) what: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Malformed { node, at, what } = self;
        match node.as_str() {
            "" => write!(f, "not a device tree: {what} at offset {at:#x}"),
            node => write!(f, "{node}: {what} at offset {at:#x}"),
        }
    }
}

/// A blob whose structure was checked.
#[derive(Debug)]
pub(super) struct Blob<'b> {
    bytes: &'b [u8],
}

impl<'b> Blob<'b> {
    /// Checks; what lies behind the tree's own end is cut off.
    pub(super) fn new(bytes: &'b [u8]) -> Result<Self, Malformed> {
        let header = Header::read(bytes)?;
        let bytes = &bytes[..header.total];
        Walk { bytes, header, path: Vec::new() }.check()?;
        Ok(Self { bytes })
    }

    /// The reader over it.
    pub(super) fn tree(&self) -> Fdt<'b> {
        // Its precondition, a valid blob, is what `new` has checked; only the length of names was left open.
        Fdt::new_unchecked(self.bytes)
    }
}

#[derive(Clone, Copy, Debug)]
struct Header {
    total: usize,
    structure: usize,
    structure_end: usize,
    strings: usize,
    strings_end: usize,
    reservations: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let outside = |at: usize, what: &str| Malformed { node: String::new(), at, what: what.to_owned() };
        if bytes.len() < HEADER_BYTES {
            return Err(outside(0, "the file is shorter than a header"));
        }
        let field = |index: usize| word(bytes, index * 4).unwrap_or(0);
        let size = |index: usize| field(index) as usize;
        if field(0) != MAGIC {
            return Err(outside(0, "the first word is not 0xd00dfeed"));
        }
        if field(5) < VERSION || field(6) > VERSION {
            return Err(outside(20, "a version other than 17"));
        }
        let (total, structure, strings) = (size(1), size(2), size(3));
        if total < HEADER_BYTES || total > bytes.len() {
            return Err(outside(4, "the tree is longer than the file"));
        }
        let ends = |start: usize, length: usize, field: usize| {
            let end = start.checked_add(length).filter(|end| *end <= total && start >= HEADER_BYTES);
            end.ok_or_else(|| outside(field, "a block that lies outside the tree"))
        };
        let structure_end = ends(structure, size(9), 8)?;
        let strings_end = ends(strings, size(8), 12)?;
        if !structure.is_multiple_of(4) {
            return Err(outside(8, "a misaligned block"));
        }
        let reservations = size(4);
        if !reservations.is_multiple_of(8) || reservations < HEADER_BYTES {
            return Err(outside(16, "a misaligned list of reservations"));
        }
        Ok(Self { total, structure, structure_end, strings, strings_end, reservations })
    }
}

/// The word at an offset.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

struct Walk<'b> {
    bytes: &'b [u8],
    header: Header,
    path: Vec<&'b str>,
}

impl<'b> Walk<'b> {
    fn check(mut self) -> Result<(), Malformed> {
        self.reservations()?;
        let (mut at, mut nodes) = (self.header.structure, 0);
        // Whether a subnode of the open node has been seen: its properties come before.
        let mut below = vec![false];
        loop {
            let token = self.token(at)?;
            at += 4;
            match token {
                NOP => {}
                BEGIN_NODE => {
                    let name = self.name(at, self.header.structure_end)?;
                    at = (at + name.len() + 1).next_multiple_of(4);
                    nodes += 1;
                    self.opened(at, name, nodes)?;
                    below.last_mut().into_iter().for_each(|below| *below = true);
                    below.push(false);
                }
                PROP if self.path.is_empty() || below.last() == Some(&true) => {
                    return Err(self.trouble(at, "a property outside a node's own list"));
                }
                PROP => at = self.property(at)?,
                END_NODE if self.path.is_empty() => return Err(self.trouble(at, "an end without a beginning")),
                END_NODE => {
                    self.path.pop();
                    below.pop();
                }
                END if self.path.is_empty() && nodes > 0 => return Ok(()),
                END => return Err(self.trouble(at, "the tree ends inside a node")),
                _ => return Err(self.trouble(at, "an unknown token")),
            }
        }
    }

    fn opened(&mut self, at: usize, name: &'b str, nodes: usize) -> Result<(), Malformed> {
        if self.path.is_empty() && nodes > 1 {
            return Err(self.trouble(at, "a second root"));
        }
        if self.path.is_empty() != name.is_empty() {
            return Err(self.trouble(at, "a node without a name, or a root with one"));
        }
        if self.path.len() >= DEPTH_MOST || nodes > NODES_MOST {
            return Err(self.trouble(at, "more nodes than any machine has"));
        }
        self.path.push(name);
        Ok(())
    }

    fn property(&self, at: usize) -> Result<usize, Malformed> {
        let (length, name) = (self.token(at)? as usize, self.token(at + 4)? as usize);
        let start = at + 8;
        let end = start.checked_add(length).filter(|end| *end <= self.header.structure_end);
        let end = end.ok_or_else(|| self.trouble(at, "a property longer than its tree"))?;
        let name = self.header.strings.checked_add(name).filter(|name| *name < self.header.strings_end);
        let name = name.ok_or_else(|| self.trouble(at, "a property name outside the tree"))?;
        self.name(name, self.header.strings_end)?;
        Ok(end.next_multiple_of(4))
    }

    fn reservations(&self) -> Result<(), Malformed> {
        let mut at = self.header.reservations;
        loop {
            let entry = at.checked_add(16).and_then(|end| self.bytes.get(at..end));
            match entry {
                None => return Err(self.trouble(at, "a list of reservations without an end")),
                Some(entry) if entry.iter().all(|byte| *byte == 0) => return Ok(()),
                Some(_) => at += 16,
            }
        }
    }

    fn token(&self, at: usize) -> Result<u32, Malformed> {
        let inside = at.checked_add(4).is_some_and(|end| end <= self.header.structure_end);
        let word = if inside { word(self.bytes, at) } else { None };
        word.ok_or_else(|| self.trouble(at, "the tree stops in the middle"))
    }

    fn name(&self, at: usize, end: usize) -> Result<&'b str, Malformed> {
        let rest = self.bytes.get(at..end).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == 0);
        let name = length.and_then(|length| std::str::from_utf8(&rest[..length]).ok());
        let plain = name.filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/'));
        plain.ok_or_else(|| self.trouble(at, "a name that is none"))
    }

    fn trouble(&self, at: usize, what: &str) -> Malformed {
        let node = match self.path.len() {
            0 => String::new(),
            1 => "/".to_owned(),
            _ => self.path.join("/"),
        };
        Malformed { node, at, what: what.to_owned() }
    }
}
