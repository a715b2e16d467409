//! A linked ELF as the bytes a loader puts into RAM.
//!
//! From the lowest load address to the last byte the file holds; zeroed memory behind that is the loader's
//! or the image's own business.

use crate::failure::Failure;
use crate::verify::LinkedImage;

/// Most bytes of a flat image: far above every plan, far below what a wrong address would ask for.
const BYTES_MAX: u64 = 1 << 30;

/// The flat image of `elf`, loaded at `base`; the lowest segment must begin there.
pub fn image(elf: &[u8], base: u64) -> Result<Vec<u8>, Failure> {
    let image = LinkedImage::parse(elf).map_err(|error| Failure::Generate(format!("linked image: {error}")))?;
    let filled = || image.segments.iter().filter(|segment| segment.file_bytes > 0);
    let first = filled().map(|segment| segment.load).min();
    if first != Some(base) {
        return Err(Failure::Mismatch(format!("the linked image begins at {first:#x?}, planned at {base:#x}")));
    }
    let end = filled().map(|segment| segment.load.saturating_add(segment.file_bytes)).max().unwrap_or(base);
    let bytes = end - base;
    if bytes > BYTES_MAX {
        return Err(Failure::Mismatch(format!("the linked image spans {bytes} bytes")));
    }
    let mut flat = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    for segment in filled() {
        let short = || Failure::Mismatch(format!("segment at {:#x} lies beyond the file", segment.load));
        let length = usize::try_from(segment.file_bytes).map_err(|_| short())?;
        let data = image.at_physical(segment.load, length).ok_or_else(short)?;
        let at = usize::try_from(segment.load - base).map_err(|_| short())?;
        flat[at..at + length].copy_from_slice(data);
    }
    Ok(flat)
}
