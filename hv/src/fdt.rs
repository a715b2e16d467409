//! Reads a flattened device tree: RAM, what of it is reserved, processors, the boot command line.
//!
//! Runs before the MMU as well as after it, so it must not use absolute pointers: no formatting, no tables of strings
//! or slices, no panics, and bytes only, since unaligned loads fault while memory is Device. Believes no length before
//! it has been compared with the blob's.
//!
//! Layout: Devicetree Specification 0.4, "Flattened Devicetree (DTB) Format".

use tokens::{Token, Tokens};

mod tokens;
#[cfg(test)]
mod tests;

/// Bytes of the header. "Header".
pub const HEADER_BYTES: usize = 40;

/// "Header", magic.
const MAGIC: u32 = 0xd00d_feed;
/// Oldest version whose header has `size_dt_struct`. "Header", version and last_comp_version.
const VERSION_MIN: u32 = 17;
/// Newest format that this reader understands.
const COMPATIBLE_MAX: u32 = 17;

/// A half-open range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub base: u64,
    /// Length.
    pub bytes: u64,
}

/// One thing the tree says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'b> {
    /// A bank of RAM.
    Ram(Range),
    /// Memory that is not to be used.
    Reserved(Range),
    /// A processor.
    Cpu,
    /// The boot command line, without the NUL behind it. "/chosen node", bootargs.
    CommandLine(&'b [u8]),
}

/// The blob contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FdtError {
    /// It does not start like a device tree.
    Magic,
    /// Of a version that this reader does not know.
    Version,
    /// A block or a token leaves the blob.
    Bounds,
    /// Nodes do not nest, or a token is unknown.
    Structure,
}

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole blob, slack included.
    pub total_bytes: u32,
    reserve: u32,
    structure: u32,
    structure_bytes: u32,
    strings: u32,
    strings_bytes: u32,
}

impl Header {
    /// Reads and checks the first [`HEADER_BYTES`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, FdtError> {
        if word(bytes, 0) != Some(MAGIC) {
            return Err(FdtError::Magic);
        }
        let field = |at| word(bytes, at).ok_or(FdtError::Bounds);
        if field(20)? < VERSION_MIN || field(24)? > COMPATIBLE_MAX {
            return Err(FdtError::Version);
        }
        let header = Self {
            total_bytes: field(4)?,
            structure: field(8)?,
            strings: field(12)?,
            reserve: field(16)?,
            strings_bytes: field(32)?,
            structure_bytes: field(36)?,
        };
        if header.used_bytes() > u64::from(header.total_bytes) || (header.total_bytes as usize) < HEADER_BYTES {
            return Err(FdtError::Bounds);
        }
        Ok(header)
    }

    /// Bytes up to the end of the last block: what of the blob must be readable.
    pub fn used_bytes(&self) -> u64 {
        let structure = u64::from(self.structure) + u64::from(self.structure_bytes);
        let strings = u64::from(self.strings) + u64::from(self.strings_bytes);
        // The reservation block has no length; it ends where the structure begins, in every known writer.
        structure.max(strings).max(u64::from(self.reserve))
    }
}

/// Reads a blob of at least [`Header::used_bytes`] bytes and hands over each fact.
pub fn scan<'b>(blob: &'b [u8], mut found: impl FnMut(Fact<'b>)) -> Result<(), FdtError> {
    let header = Header::parse(blob)?;
    reservations(blob, &header, &mut found)?;
    let structure = block(blob, header.structure, header.structure_bytes)?;
    let strings = block(blob, header.strings, header.strings_bytes)?;
    let mut reader = Reader::new();
    for token in Tokens::new(structure, strings) {
        reader.take(token?, &mut found)?;
    }
    reader.finish()
}

/// "Memory Reservation Block": pairs of base and length, the last both zero.
fn reservations<'b>(blob: &'b [u8], header: &Header, found: &mut impl FnMut(Fact<'b>)) -> Result<(), FdtError> {
    const PAIR_BYTES: usize = 16;
    let mut rest = blob.get(header.reserve as usize..).ok_or(FdtError::Bounds)?;
    loop {
        let range =
            Range { base: long(rest, 0).ok_or(FdtError::Bounds)?, bytes: long(rest, 8).ok_or(FdtError::Bounds)? };
        if (range.base, range.bytes) == (0, 0) {
            return Ok(());
        }
        found(Fact::Reserved(range));
        rest = rest.get(PAIR_BYTES..).ok_or(FdtError::Bounds)?;
    }
}

/// What the node being read can tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `/`.
    Root,
    /// `/memory@…`.
    Memory,
    /// `/reserved-memory`.
    ReservedMemory,
    /// A child of it.
    Reserved,
    /// `/cpus`.
    Cpus,
    /// `/chosen`.
    Chosen,
    /// Everything else.
    Other,
}

/// Cells of an address and of a length. "Root node", `#address-cells` and `#size-cells`; a node's own hold for its
/// children.
#[derive(Clone, Copy)]
struct Cells {
    address: u32,
    size: u32,
}

impl Cells {
    /// "#address-cells and #size-cells", what holds where they are missing.
    const DEFAULT: Self = Self { address: 2, size: 1 };
}

/// Follows the tokens; keeps no more than it needs of the nodes that are open.
struct Reader {
    /// Open nodes.
    depth: u32,
    /// Of the node at depth 1 that is open, or the root.
    top: Kind,
    /// Of the innermost open node.
    kind: Kind,
    root: Cells,
    reserved: Cells,
}

impl Reader {
    const fn new() -> Self {
        Self { depth: 0, top: Kind::Root, kind: Kind::Other, root: Cells::DEFAULT, reserved: Cells::DEFAULT }
    }

    fn take<'b>(&mut self, token: Token<'b>, found: &mut impl FnMut(Fact<'b>)) -> Result<(), FdtError> {
        match token {
            Token::Begin(name) => self.begin(name, found),
            Token::End => self.end(),
            Token::Property { name, value } => {
                self.property(name, value, found);
                Ok(())
            }
        }
    }

    fn begin<'b>(&mut self, name: &'b [u8], found: &mut impl FnMut(Fact<'b>)) -> Result<(), FdtError> {
        self.kind = match (self.depth, self.top) {
            (0, _) => Kind::Root,
            (1, _) => top_level(name),
            (2, Kind::ReservedMemory) => Kind::Reserved,
            (2, Kind::Cpus) if is_unit(name, b"cpu") => {
                found(Fact::Cpu);
                Kind::Other
            }
            _ => Kind::Other,
        };
        if self.depth <= 1 {
            self.top = self.kind;
        }
        self.depth = self.depth.checked_add(1).ok_or(FdtError::Structure)?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), FdtError> {
        self.depth = self.depth.checked_sub(1).ok_or(FdtError::Structure)?;
        // Properties come before the nodes inside a node, so what follows an end is a node or an end.
        self.kind = Kind::Other;
        if self.depth <= 1 {
            self.top = Kind::Root;
        }
        Ok(())
    }

    fn property<'b>(&mut self, name: &'b [u8], value: &'b [u8], found: &mut impl FnMut(Fact<'b>)) {
        match self.kind {
            Kind::Root => set_cells(&mut self.root, name, value),
            Kind::ReservedMemory => set_cells(&mut self.reserved, name, value),
            Kind::Memory if name == b"reg" => ranges(value, self.root, |range| found(Fact::Ram(range))),
            Kind::Reserved if name == b"reg" => ranges(value, self.reserved, |range| found(Fact::Reserved(range))),
            Kind::Chosen if name == b"bootargs" => {
                found(Fact::CommandLine(value.strip_suffix(b"\0").unwrap_or(value)));
            }
            Kind::Memory | Kind::Reserved | Kind::Cpus | Kind::Chosen | Kind::Other => {}
        }
    }

    fn finish(self) -> Result<(), FdtError> {
        if self.depth == 0 { Ok(()) } else { Err(FdtError::Structure) }
    }
}

fn top_level(name: &[u8]) -> Kind {
    if is_unit(name, b"memory") {
        Kind::Memory
    } else if name == b"reserved-memory" {
        Kind::ReservedMemory
    } else if name == b"cpus" {
        Kind::Cpus
    } else if name == b"chosen" {
        Kind::Chosen
    } else {
        Kind::Other
    }
}

/// Whether a node's name is `name`, with or without a unit address. "Node Name Requirements".
fn is_unit(node: &[u8], name: &[u8]) -> bool {
    match node.strip_prefix(name) {
        Some(rest) => rest.first().is_none_or(|byte| *byte == b'@'),
        None => false,
    }
}

fn set_cells(cells: &mut Cells, name: &[u8], value: &[u8]) {
    let Some(value) = word(value, 0) else { return };
    if name == b"#address-cells" {
        cells.address = value;
    } else if name == b"#size-cells" {
        cells.size = value;
    }
}

/// Cuts a `reg` into its ranges; drops empty ones and what is left over.
fn ranges(reg: &[u8], cells: Cells, mut found: impl FnMut(Range)) {
    let mut rest = reg;
    while let Some((base, behind)) = number(rest, cells.address)
        && let Some((bytes, behind)) = number(behind, cells.size)
        && behind.len() < rest.len()
    {
        if bytes > 0 {
            found(Range { base, bytes });
        }
        rest = behind;
    }
}

/// A number of that many cells, and what follows. More than two cells are no address of this machine.
fn number(bytes: &[u8], cells: u32) -> Option<(u64, &[u8])> {
    match cells {
        0 => Some((0, bytes)),
        1 => Some((u64::from(word(bytes, 0)?), bytes.get(4..)?)),
        2 => Some((long(bytes, 0)?, bytes.get(8..)?)),
        _ => None,
    }
}

fn block(blob: &[u8], offset: u32, bytes: u32) -> Result<&[u8], FdtError> {
    let behind = blob.get(offset as usize..).ok_or(FdtError::Bounds)?;
    behind.get(..bytes as usize).ok_or(FdtError::Bounds)
}

/// The big-endian 32-bit value at `at`.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*four))
}

/// The big-endian 64-bit value at `at`.
fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(word(bytes, at)?) << 32 | u64::from(word(bytes, at + 4)?))
}
