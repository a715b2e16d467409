//! Arguments in the caller's memory, by its virtual addresses: copied in once, copied out once.
//!
//! A page is mapped while it is copied; nothing of the guest becomes a reference.

use paging::PAGE_BYTES;

use super::Errno;
use crate::domain::world::World;
use crate::fault::Attempt;
use crate::mm::guest_walk::GuestVirt;

/// A structure, as it was when it was read.
#[derive(Clone, Copy)]
// Aligned as its largest fields are, so that each is one load.
#[repr(C, align(8))]
pub(super) struct Copied<const BYTES: usize>([u8; BYTES]);

impl<const BYTES: usize> Copied<BYTES> {
    /// A field of 16 bits at this offset.
    #[inline(always)]
    pub(super) fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.field(at))
    }

    /// A field of 32 bits at this offset.
    #[inline(always)]
    pub(super) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.field(at))
    }

    /// A field of 64 bits at this offset.
    #[inline(always)]
    pub(super) fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.field(at))
    }

    #[inline(always)]
    fn field<const FIELD: usize>(&self, at: usize) -> [u8; FIELD] {
        self.0[at..at + FIELD].try_into().expect("offsets of fields are literals inside their structures")
    }
}

/// Reads a structure.
pub(super) fn read<const SLOTS: usize, const BYTES: usize>(
    world: &impl World<SLOTS>,
    at: u64,
) -> Result<Copied<BYTES>, Errno> {
    let mut copy = Copied([0; BYTES]);
    read_bytes(world, at, &mut copy.0)?;
    Ok(copy)
}

/// Reads bytes.
fn read_bytes<const SLOTS: usize>(world: &impl World<SLOTS>, at: u64, into: &mut [u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < into.len() {
        let (at, part) = part(at, done, into.len())?;
        let frame = world.translate(at, Attempt::Read).ok_or(Errno::Fault)?;
        let page = world.view().map(frame).map_err(|_| Errno::NoMemory)?;
        if world.past_caches() {
            page.clean();
        }
        page.copy_out(offset(at), &mut into[done..done + part]).map_err(|_| Errno::Fault)?;
        done += part;
    }
    Ok(())
}

/// Writes bytes; those before the first that cannot be written have been.
pub(super) fn write<const SLOTS: usize>(world: &impl World<SLOTS>, at: u64, from: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    while done < from.len() {
        let (at, part) = part(at, done, from.len())?;
        let frame = world.translate(at, Attempt::Write).ok_or(Errno::Fault)?;
        let page = world.open(world.caller().domain, frame).map_err(|_| Errno::NoMemory)?;
        page.copy_in(offset(at), &from[done..done + part]).map_err(|_| Errno::Fault)?;
        if world.past_caches() {
            page.clean();
        }
        done += part;
    }
    Ok(())
}

/// Reads `bytes` bytes piece by piece; each page is translated and mapped once.
pub(super) fn each_piece<const SLOTS: usize, const PIECE: usize, W: World<SLOTS>>(
    world: &mut W,
    at: u64,
    bytes: usize,
    mut work: impl FnMut(&mut W, &[u8]),
) -> Result<(), Errno> {
    let mut piece = [0; PIECE];
    let mut done = 0;
    while done < bytes {
        let piece_bytes = PIECE.min(bytes - done);
        let copied = &mut piece[..piece_bytes];
        read_bytes(world, at.checked_add(done as u64).ok_or(Errno::Fault)?, copied)?;
        work(world, copied);
        done += piece_bytes;
    }
    Ok(())
}

/// Where the part of a copy begins that follows `done` bytes, and how long it is: up to the end of its page.
fn part(at: u64, done: usize, bytes: usize) -> Result<(GuestVirt, usize), Errno> {
    let at = GuestVirt::new(at.checked_add(done as u64).ok_or(Errno::Fault)?);
    Ok((at, (PAGE_BYTES as usize - offset(at)).min(bytes - done)))
}

fn offset(at: GuestVirt) -> usize {
    (at.get() % PAGE_BYTES) as usize
}
