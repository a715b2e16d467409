//! The console's ring: what the guest prints, in a page that both write. Xen, public/io/console.h.
//!
//! The page says how much there is to read and nothing else: whatever its indices are, at most one ring is read, and
//! only what lies in it.

use paging::{Frame, Index};

use super::world::{Updated, World, change};
use crate::mm::mapcache::Exhausted;

#[cfg(test)]
mod tests;

/// `in[1024]`, then `out[2048]`, then four indices of 32 bits: `in_cons`, `in_prod`, `out_cons`, `out_prod`.
const OUT: usize = 1024;
const OUT_BYTES: u32 = 2048;
const OUT_INDICES: Index = Index::new((1024 + 2048 + 8) / size_of::<u64>());
/// Copied at once.
const PIECE_BYTES: usize = 64;

/// One domain's.
#[derive(Debug)]
pub struct Ring {
    frame: Frame,
}

/// Whether the guest may be waiting for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    /// The ring was full.
    Full,
    /// It was not.
    NotFull,
}

impl Ring {
    pub(super) const fn new(frame: Frame) -> Self {
        Self { frame }
    }

    /// Prints what the guest, the caller, has written. Its page is mapped once: guests send an event for every few bytes.
    pub(super) fn empty<const SLOTS: usize>(&mut self, world: &impl World<SLOTS>) -> Result<Was, Exhausted> {
        let mut piece = [0; PIECE_BYTES];
        let page = world.view().map(self.frame)?;
        let indices = page.load(OUT_INDICES);
        let (first, end) = (indices as u32, (indices >> 32) as u32);
        let bytes = end.wrapping_sub(first);
        // More than the ring holds is no text: it is skipped.
        let mut left = if bytes <= OUT_BYTES { bytes } else { 0 };
        while left > 0 {
            let offset = (end.wrapping_sub(left) % OUT_BYTES) as usize;
            let run = (left as usize).min(PIECE_BYTES).min(OUT_BYTES as usize - offset);
            page.copy_out(OUT + offset, &mut piece[..run]).expect("the ring lies in its page");
            world.print(&piece[..run]);
            left -= run as u32;
        }
        match change(&page, OUT_INDICES, u64::from(u32::MAX), u64::from(end)) {
            Updated::Changed(_) if bytes >= OUT_BYTES => Ok(Was::Full),
            // A guest that writes the word all the time may see its text again.
            Updated::Changed(_) | Updated::Kept(_) | Updated::Contended => Ok(Was::NotFull),
        }
    }
}
