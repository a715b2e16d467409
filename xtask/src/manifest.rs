//! What the loader must put where: a page for the hypervisor, JSON for people and scripts.
//!
//! Lengths and sums are measured from the files; addresses are the plan's.

use codegen::plan::{Blob, Plan};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// `TABULAMF`, little-endian.
const MAGIC: u64 = 0x464d_414c_5542_4154;
/// Layout of the page.
const VERSION: u64 = 1;
/// Start and multiplier of the sum: 64-bit FNV-1a's, applied to words instead of bytes.
const SUM_START: u64 = 0xcbf2_9ce4_8422_2325;
const SUM_FACTOR: u64 = 0x0000_0100_0000_01b3;
/// Length of the page.
pub const PAGE_BYTES: usize = 4096;

/// A file with its place.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// What it is, for example `payload.kernel`.
    pub name: String,
    /// Its file inside the build folder.
    pub file: String,
    /// Physical address of its first byte.
    pub load: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// The sum that boot checks.
    pub sum: u64,
    /// The hash that people check.
    pub sha256: String,
}

/// Everything the loader places besides the image.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// The board.
    pub board: String,
    /// `release`, `debug` or `self-test`.
    pub profile: String,
    /// The image.
    pub image: Entry,
    /// The page that the hypervisor reads.
    pub page: Entry,
    /// Files of the domains, in the plan's order.
    pub blobs: Vec<Entry>,
}

/// Measures one file.
pub fn entry(name: &str, file: &str, load: u64, data: &[u8]) -> Entry {
    Entry {
        name: name.to_owned(),
        file: file.to_owned(),
        load,
        bytes: data.len() as u64,
        sum: sum(data),
        sha256: Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Refuses a blob that outgrows what the plan reserved for it.
pub fn check_size(plan: &Plan, blob: &Blob, data: &[u8]) -> Result<(), Failure> {
    let bytes = data.len() as u64;
    if bytes <= blob.max_bytes {
        return Ok(());
    }
    let (name, max, file) = (&blob.name, blob.max_bytes, &plan.board.file);
    Err(Failure::Config(format!("error: {name} has {bytes} bytes, {file} reserves {max}\n  = help: raise its maximum")))
}

/// The page: magic, version, count, 0, then base, bytes, sum and 0 for each blob.
pub fn page(blobs: &[Entry]) -> Result<Vec<u8>, Failure> {
    let mut words = vec![MAGIC, VERSION, blobs.len() as u64, 0];
    for blob in blobs {
        words.extend([blob.load, blob.bytes, blob.sum, 0]);
    }
    let mut page: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    if page.len() > PAGE_BYTES {
        return Err(Failure::Config(format!("error: {} blobs do not fit the manifest page", blobs.len())));
    }
    page.resize(PAGE_BYTES, 0);
    Ok(page)
}

/// The sum that boot checks, over the bytes padded with zeroes to whole words.
pub fn sum(data: &[u8]) -> u64 {
    data.chunks(8).fold(SUM_START, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (sum ^ u64::from_le_bytes(word)).wrapping_mul(SUM_FACTOR)
    })
}

#[cfg(test)]
mod tests {
    use super::{entry, page, sum};

    #[test]
    fn a_changed_byte_changes_the_sum() {
        let mut data = vec![7; 1000];
        let before = sum(&data);
        data[999] ^= 1;
        assert_ne!(sum(&data), before);
    }

    #[test]
    fn the_page_starts_with_its_name() {
        let page = page(&[entry("a.kernel", "a.bin", 0x4000, b"abc")]).expect("one blob fits");
        assert_eq!(&page[..8], b"TABULAMF");
        assert_eq!(page.len(), super::PAGE_BYTES);
        assert_eq!(page[40..48], 3_u64.to_le_bytes());
    }
}
