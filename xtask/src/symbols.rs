//! Functions of a linked image, by name.
//!
//! Reads the symbol table only.

use object::{Object, ObjectSymbol};

use crate::failure::Failure;

/// Where a function lies, by its linked address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its first byte.
    pub first: u64,
    /// Its length.
    pub bytes: u64,
}

/// The first function whose name is `wanted`.
pub fn find(elf: &[u8], wanted: impl Fn(&str) -> bool) -> Result<Option<Function>, Failure> {
    let file = object::File::parse(elf).map_err(|error| Failure::Generate(format!("linked image: {error}")))?;
    let found = file.symbols().find(|symbol| symbol.is_definition() && symbol.name().is_ok_and(&wanted));
    Ok(found.map(|symbol| Function { first: symbol.address(), bytes: symbol.size() }))
}
