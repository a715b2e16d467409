//! The structure block as an iterator over tokens.
//!
//! Under the rules of its parent: no absolute pointers, no panics, no unaligned loads.

use super::{FdtError, word};

/// "Lexical structure", the tokens.
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// Bytes that every token is aligned to.
const ALIGNMENT: usize = 4;

/// What the structure block consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'b> {
    /// A node begins; its name, with its unit address.
    Begin(&'b [u8]),
    /// The innermost open node ends.
    End,
    /// A property of the innermost open node.
    Property {
        /// Its name.
        name: &'b [u8],
        /// Its bytes.
        value: &'b [u8],
    },
}

/// The tokens of a blob, until its end or the first mistake.
pub(super) struct Tokens<'b> {
    rest: &'b [u8],
    strings: &'b [u8],
    over: bool,
}

impl<'b> Tokens<'b> {
    pub(super) fn new(structure: &'b [u8], strings: &'b [u8]) -> Self {
        Self { rest: structure, strings, over: false }
    }

    fn read(&mut self) -> Result<Option<Token<'b>>, FdtError> {
        loop {
            let token = self.take_word()?;
            if token == BEGIN_NODE {
                let name = until_nul(self.rest).ok_or(FdtError::Bounds)?;
                self.skip_padded(name.len() + 1)?;
                return Ok(Some(Token::Begin(name)));
            } else if token == END_NODE {
                return Ok(Some(Token::End));
            } else if token == PROPERTY {
                return self.property().map(Some);
            } else if token == END {
                return Ok(None);
            } else if token != NOP {
                return Err(FdtError::Structure);
            }
        }
    }

    fn property(&mut self) -> Result<Token<'b>, FdtError> {
        let bytes = self.take_word()? as usize;
        let name = self.take_word()? as usize;
        let name = until_nul(self.strings.get(name..).ok_or(FdtError::Bounds)?).ok_or(FdtError::Bounds)?;
        let value = self.rest.get(..bytes).ok_or(FdtError::Bounds)?;
        self.skip_padded(bytes)?;
        Ok(Token::Property { name, value })
    }

    fn take_word(&mut self) -> Result<u32, FdtError> {
        let value = word(self.rest, 0).ok_or(FdtError::Bounds)?;
        self.rest = self.rest.get(4..).ok_or(FdtError::Bounds)?;
        Ok(value)
    }

    fn skip_padded(&mut self, bytes: usize) -> Result<(), FdtError> {
        self.rest = self.rest.get(bytes.next_multiple_of(ALIGNMENT)..).ok_or(FdtError::Bounds)?;
        Ok(())
    }
}

impl<'b> Iterator for Tokens<'b> {
    type Item = Result<Token<'b>, FdtError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let token = self.read().transpose();
        self.over = !matches!(token, Some(Ok(_)));
        token
    }
}

fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.get(..end)
}
