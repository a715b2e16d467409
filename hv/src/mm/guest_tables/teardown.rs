//! The end of a tree of tables, in two passes with the invalidation in between.
//!
//! First every entry becomes invalid for the processor but keeps its address: the tables themselves are the list of
//! what the guest had. Then, when every CPU has forgotten the guest, the addresses are told and wiped. Never needs
//! memory of its own.

use paging::{Decoded, Entry, Frame, FrameRange, Index, Memory, PhysAddr, Root, TableAccess};

use super::NestedFormat;
use super::access::Reached;
use crate::machine::Machine;

/// An invalid entry's address is that of a table. Bit 0 of a stage 2 descriptor (Arm ARM, "VMSAv8-64 descriptor formats"),
/// bit 0 of a nested entry (AMD APM volume 2, "Page-Translation-Table Entry Fields") and bits 2:0 of an EPT entry (Intel
/// SDM volume 3, "EPT Translation Mechanism") are clear: the processor ignores the rest.
const TABLE: u64 = 1 << 3;
/// It is that of the guest's memory.
const MEMORY: u64 = 1 << 4;
/// Bits below an address.
const MARKS: u64 = paging::PAGE_BYTES - 1;

/// Makes every entry below `root` invalid, the lowest tables' first.
pub(super) fn park<F: NestedFormat>(tables: &mut impl TableAccess, root: Root) {
    let Root { frame: table, level } = root;
    for index in Index::all() {
        let parked = match (F::decode(level, tables.read(table, index)), level.child()) {
            (Decoded::Table(next), Some(child)) => {
                park::<F>(tables, Root::new(next, child));
                Entry::new(next.address().get() | TABLE)
            }
            (Decoded::Leaf { frame, attributes }, _) => match attributes.memory {
                Memory::Normal => Entry::new(frame.address().get() | MEMORY),
                Memory::Device => Entry::INVALID,
            },
            (Decoded::Invalid | Decoded::Unknown, _) | (Decoded::Table(_), None) => continue,
        };
        tables.write(table, index, parked);
    }
}

/// Makes every parked entry below `root` zero, and tells those that led to memory.
pub(super) fn reap<M: Machine, const SLOTS: usize>(
    tables: &mut Reached<'_, '_, '_, M, SLOTS>,
    root: Root,
    each: &mut impl FnMut(&mut Reached<'_, '_, '_, M, SLOTS>, FrameRange),
) {
    let Root { frame: table, level } = root;
    for index in Index::all() {
        let parked = tables.read(table, index);
        let frame = Frame::containing(PhysAddr::new(parked.get()));
        match (parked.get() & MARKS, level.child()) {
            (0, _) => continue,
            (TABLE, Some(child)) => reap(tables, Root::new(frame, child), each),
            (MEMORY, _) => each(tables, FrameRange::new(frame, level.entry_frames())),
            _ => panic!("park has written every entry that is not zero"),
        }
        tables.write(table, index, Entry::INVALID);
    }
}
