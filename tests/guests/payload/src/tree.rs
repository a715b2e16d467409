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
}

impl Facts {
    /// Looks for `reg` of the node `memory@…`; what else is wanted comes before it.
    pub(crate) fn read(tree: &'static [u8]) -> Option<Self> {
        let mut at = usize::try_from(word(tree, 8)?).ok()?;
        let strings = usize::try_from(word(tree, 12)?).ok()?;
        let mut in_memory = false;
        let (mut model, mut command_line): (&[u8], &[u8]) = (&[], &[]);
        loop {
            let token = word(tree, at)?;
            at += 4;
            match token {
                BEGIN_NODE => {
                    let name = text(tree, at)?;
                    in_memory = name.starts_with(b"memory@");
                    at = (at + name.len() + 1).next_multiple_of(4);
                }
                PROP => {
                    let length = usize::try_from(word(tree, at)?).ok()?;
                    let name = text(tree, strings + usize::try_from(word(tree, at + 4)?).ok()?)?;
                    let value = at + 8;
                    match name {
                        b"model" => model = text(tree, value)?,
                        b"bootargs" => command_line = text(tree, value)?,
                        _ => {}
                    }
                    if in_memory && name == b"reg" && length == 16 {
                        let (memory_base, memory_bytes) = (pair(tree, value)?, pair(tree, value + 8)?);
                        return Some(Self { bytes: tree.len(), memory_base, memory_bytes, model, command_line });
                    }
                    at = (value + length).next_multiple_of(4);
                }
                END_NODE => in_memory = false,
                NOP => {}
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
