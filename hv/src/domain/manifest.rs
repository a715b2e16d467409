//! The page that says how long each blob really is, and what its bytes add up to.
//!
//! Believed only where it agrees with the plan: it can shorten a blob, never move or lengthen it.

// UNSAFETY: reads the manifest's page through its fixmap slot.
#![expect(unsafe_code, reason = "reads a mapped page")]

use core::fmt;

use paging::PAGE_BYTES;

use crate::board::types::Blob;
use crate::board::{BLOBS, MANIFEST, Place};

#[cfg(test)]
mod tests;

/// "TABULAMF", little-endian.
const MAGIC: u64 = 0x464d_414c_5542_4154;
/// The only version.
const VERSION: u64 = 1;
/// Words before the first record.
const HEADER_WORDS: usize = 4;
/// Words of a record: base, bytes, sum, 0.
const RECORD_WORDS: usize = 4;
/// Words of the page.
const WORDS: usize = PAGE_BYTES as usize / size_of::<u64>();

const _: () = assert!(HEADER_WORDS + BLOBS.len() * RECORD_WORDS <= WORDS, "one page holds a record for each blob");

/// A blob as it was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its length.
    pub bytes: u64,
    /// What [`Sum`] makes of it.
    pub sum: u64,
}

/// A record for each of `BLOBS`.
pub type Manifest = [Record; BLOBS.len()];

/// Why the blobs in RAM are not the ones that were built.
#[derive(Clone, Copy, Debug)]
pub enum ManifestError {
    /// The page holds no manifest.
    None,
    /// It lists another number of blobs than the plan.
    Count {
        /// How many.
        found: u64,
    },
    /// It puts a blob elsewhere.
    Base {
        /// As planned.
        blob: &'static Blob,
        /// As listed.
        found: u64,
    },
    /// A blob is empty or longer than the plan reserves.
    Length {
        /// As planned.
        blob: &'static Blob,
        /// As listed.
        found: u64,
    },
    /// The bytes in RAM are not the ones that were built.
    Sum {
        /// The blob.
        blob: &'static Blob,
    },
}

/// Reads the page, once.
pub fn read() -> Result<Manifest, ManifestError> {
    // SAFETY: the planner maps the manifest's frame read-only in this fixmap slot for the life of the image; nobody
    // writes the frame after the boot loader, and every bit pattern is an array of words.
    let words = unsafe { &*(MANIFEST.mapped.get() as *const [u64; WORDS]) };
    parse(words)
}

fn parse(words: &[u64; WORDS]) -> Result<Manifest, ManifestError> {
    let [magic, version, count, _] = [0, 1, 2, 3].map(|at| u64::from_le(words[at]));
    if (magic, version) != (MAGIC, VERSION) {
        return Err(ManifestError::None);
    }
    if count != BLOBS.len() as u64 {
        return Err(ManifestError::Count { found: count });
    }
    let mut manifest = [Record { bytes: 0, sum: 0 }; BLOBS.len()];
    for (index, (record, blob)) in manifest.iter_mut().zip(&BLOBS).enumerate() {
        let first = HEADER_WORDS + index * RECORD_WORDS;
        let [base, bytes, sum] = [0, 1, 2].map(|at| u64::from_le(words[first + at]));
        if base != blob.base.get() {
            return Err(ManifestError::Base { blob, found: base });
        }
        if bytes == 0 || bytes > blob.max_bytes {
            return Err(ManifestError::Length { blob, found: bytes });
        }
        *record = Record { bytes, sum };
    }
    Ok(manifest)
}

/// The sum of a blob's bytes, padded with zeroes to whole words: FNV-1a's step, a word at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Of nothing. FNV-1a's 64-bit offset basis.
    pub const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);
    /// FNV's 64-bit prime.
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    /// With one more word.
    pub const fn with(self, word: u64) -> Self {
        Self((self.0 ^ word).wrapping_mul(Self::PRIME))
    }

    /// As the manifest writes it.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(out, "no manifest at {}: was it loaded?", MANIFEST.frame),
            Self::Count { found } => {
                write!(out, "the manifest lists {found} blobs, the plan {}: was another board's loaded?", BLOBS.len())
            }
            Self::Base { blob, found } => {
                let (name, base, place) = (blob.name, blob.base, Place(blob.from));
                write!(out, "{name} ({place}) is planned at {base}, the manifest says {found:#x}")
            }
            Self::Length { blob, found } => {
                let (name, max, place) = (blob.name, blob.max_bytes, Place(blob.from));
                write!(out, "{name} ({place}) may have {max} bytes, the manifest says {found}")
            }
            Self::Sum { blob } => {
                let (name, base, place) = (blob.name, blob.base, Place(blob.from));
                write!(out, "{name} ({place}) at {base} is not the file that was built: was it loaded there?")
            }
        }
    }
}
