//! The few facts that the payload wants from its device tree.
//!
//! Reads what its own hypervisor wrote (two address cells, two size cells at the root); not a general reader.
//! Source of the format: Devicetree Specification, "Flattened Devicetree (DTB) Format".

/// First word of a tree.
pub(crate) const MAGIC: u32 = 0xd00d_feed;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// What the payload prints.
pub(crate) struct Facts {
    /// Length of the tree.
    pub(crate) bytes: usize,
    /// First byte of memory.
    pub(crate) memory_base: u64,
    /// Length of memory.
    pub(crate) memory_bytes: u64,
    /// The root's model, without its NUL.
    pub(crate) model: &'static [u8],
    /// The command line, without its NUL.
    pub(crate) command_line: &'static [u8],
    /// The first register of its UART, if it has one.
    pub(crate) uart: Option<u64>,
}

impl Facts {
    /// Looks for `reg` of the nodes `memory@…` and `serial@…`, and for two texts; `None` without memory.
    pub(crate) fn read(tree: &'static [u8]) -> Option<Self> {
        let mut at = usize::try_from(word(tree, 8)?).ok()?;
        let strings = usize::try_from(word(tree, 12)?).ok()?;
        let mut node: &[u8] = &[];
        let mut facts =
            Self { bytes: tree.len(), memory_base: 0, memory_bytes: 0, model: &[], command_line: &[], uart: None };
        loop {
            let token = word(tree, at)?;
            at += 4;
            match token {
                BEGIN_NODE => {
                    node = text(tree, at)?;
                    at = (at + node.len() + 1).next_multiple_of(4);
                }
                PROP => {
                    let length = usize::try_from(word(tree, at)?).ok()?;
                    let name = text(tree, strings + usize::try_from(word(tree, at + 4)?).ok()?)?;
                    let value = at + 8;
                    match name {
                        b"model" => facts.model = text(tree, value)?,
                        b"bootargs" => facts.command_line = text(tree, value)?,
                        b"reg" if length == 16 && node.starts_with(b"memory@") => {
                            (facts.memory_base, facts.memory_bytes) = (pair(tree, value)?, pair(tree, value + 8)?);
                        }
                        b"reg" if length == 16 && node.starts_with(b"serial@") => {
                            facts.uart = Some(pair(tree, value)?);
                        }
                        _ => {}
                    }
                    at = (value + length).next_multiple_of(4);
                }
                END_NODE => node = &[],
                NOP => {}
                END => return (facts.memory_bytes > 0).then_some(facts),
                _ => return None,
            }
        }
    }
}

/// A big-endian word.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn pair(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(word(bytes, at)?) << 32 | u64::from(word(bytes, at + 4)?))
}

/// The text at `at`, without its NUL.
fn text(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    rest.split(|byte| *byte == 0).next()
}
