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

/// The facts of a blob, one after the other, until its end or the first mistake.
///
/// Not generic over what is done with them: the code is there once, before the MMU and after it.
pub struct Scan<'b> {
    reservations: Option<&'b [u8]>,
    tokens: Tokens<'b>,
    reader: Reader<'b>,
    over: bool,
}

impl<'b> Scan<'b> {
    /// Begins with a blob of at least [`Header::used_bytes`] bytes.
    pub fn new(blob: &'b [u8]) -> Result<Self, FdtError> {
        let header = Header::parse(blob)?;
        let structure = block(blob, header.structure, header.structure_bytes)?;
        let strings = block(blob, header.strings, header.strings_bytes)?;
        let reservations = Some(blob.get(header.reserve as usize..).ok_or(FdtError::Bounds)?);
        Ok(Self { reservations, tokens: Tokens::new(structure, strings), reader: Reader::new(), over: false })
    }

    fn read(&mut self) -> Result<Option<Fact<'b>>, FdtError> {
        if let Some(range) = self.reservation()? {
            return Ok(Some(Fact::Reserved(range)));
        }
        loop {
            if let Some(fact) = self.reader.range() {
                return Ok(Some(fact));
            }
            let Some(token) = self.tokens.next() else { return self.reader.finish() };
            if let Some(fact) = self.reader.take(token?)? {
                return Ok(Some(fact));
            }
        }
    }

    /// "Memory Reservation Block": pairs of base and length, the last both zero.
    fn reservation(&mut self) -> Result<Option<Range>, FdtError> {
        const PAIR_BYTES: usize = 16;
        let Some(rest) = self.reservations else { return Ok(None) };
        let range =
            Range { base: long(rest, 0).ok_or(FdtError::Bounds)?, bytes: long(rest, 8).ok_or(FdtError::Bounds)? };
        let is_last = (range.base, range.bytes) == (0, 0);
        self.reservations = if is_last { None } else { rest.get(PAIR_BYTES..) };
        Ok((!is_last).then_some(range))
    }
}

impl<'b> Iterator for Scan<'b> {
    type Item = Result<Fact<'b>, FdtError>;

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let fact = self.read().transpose();
        self.over = !matches!(fact, Some(Ok(_)));
        fact
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
struct Reader<'b> {
    /// Open nodes.
    depth: u32,
    /// Of the node at depth 1 that is open, or the root.
    top: Kind,
    /// Of the innermost open node.
    kind: Kind,
    root: Cells,
    reserved: Cells,
    /// What is left of the `reg` of such a node.
    reg: &'b [u8],
}

impl<'b> Reader<'b> {
    const fn new() -> Self {
        Self { depth: 0, top: Kind::Root, kind: Kind::Other, root: Cells::DEFAULT, reserved: Cells::DEFAULT, reg: &[] }
    }

    fn take(&mut self, token: Token<'b>) -> Result<Option<Fact<'b>>, FdtError> {
        match token {
            Token::Begin(name) => self.begin(name),
            Token::End => self.end().map(|()| None),
            Token::Property { name, value } => Ok(self.property(name, value)),
        }
    }

    fn begin(&mut self, name: &'b [u8]) -> Result<Option<Fact<'b>>, FdtError> {
        let is_cpu = (self.depth, self.top) == (2, Kind::Cpus) && is_unit(name, b"cpu");
        self.kind = match (self.depth, self.top) {
            (0, _) => Kind::Root,
            (1, _) => top_level(name),
            (2, Kind::ReservedMemory) => Kind::Reserved,
            _ => Kind::Other,
        };
        if self.depth <= 1 {
            self.top = self.kind;
        }
        self.depth = self.depth.checked_add(1).ok_or(FdtError::Structure)?;
        Ok(is_cpu.then_some(Fact::Cpu))
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

    fn property(&mut self, name: &'b [u8], value: &'b [u8]) -> Option<Fact<'b>> {
        match self.kind {
            Kind::Root => set_cells(&mut self.root, name, value),
            Kind::ReservedMemory => set_cells(&mut self.reserved, name, value),
            Kind::Memory | Kind::Reserved if name == b"reg" => self.reg = value,
            Kind::Chosen if name == b"bootargs" => {
                return Some(Fact::CommandLine(value.strip_suffix(b"\0").unwrap_or(value)));
            }
            Kind::Memory | Kind::Reserved | Kind::Cpus | Kind::Chosen | Kind::Other => {}
        }
        None
    }

    /// The next range of the `reg` that was read last; drops empty ones and what is left over.
    fn range(&mut self) -> Option<Fact<'b>> {
        let is_ram = self.kind == Kind::Memory;
        let cells = if is_ram { self.root } else { self.reserved };
        while let Some((base, behind)) = number(self.reg, cells.address)
            && let Some((bytes, behind)) = number(behind, cells.size)
            && behind.len() < self.reg.len()
        {
            self.reg = behind;
            if bytes > 0 {
                let range = Range { base, bytes };
                return Some(if is_ram { Fact::Ram(range) } else { Fact::Reserved(range) });
            }
        }
        self.reg = &[];
        None
    }

    fn finish(&self) -> Result<Option<Fact<'b>>, FdtError> {
        if self.depth == 0 { Ok(None) } else { Err(FdtError::Structure) }
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
