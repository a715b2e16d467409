//! Tables that heap pages need: pooled as the heap keeps them, and each in a block of its own. The latter at the end of
//! the heap's area, which policy `none` alone has.
//!
//! Counts; nothing here is timed.

use arrayvec::ArrayVec;
use paging::{FrameRange, HostAccess, HostAttributes, Level, Memory, VirtAddr};
use spin::mutex::TicketMutex;

use super::FABRICATED;
use super::heap::{give, take};
use crate::board::{self, DIRECTMAP};
use crate::mm::frames::{Node, Order};
use crate::mm::heap::{HeapPages, Policy};
use crate::mm::here::{Here, Reach};
use crate::mm::space::{LeafSize, Space};
use crate::mm::system::{self, System};
use crate::mm::this_cpu::ThisCpu;
use crate::say;

/// Pages of the heap: more than a pool has.
const POOLED: usize = 2 * paging::ENTRIES;
/// Pages that share nothing.
const SCATTERED: u64 = 16;

static PAGES: TicketMutex<ArrayVec<HeapPages, POOLED>> = TicketMutex::new(ArrayVec::new_const());

/// Both.
pub(super) fn count() {
    system::with(|memory, here| {
        pooled(memory, here);
        if DIRECTMAP.policy == Policy::None {
            scattered(memory, here);
        }
    });
}

fn pooled(memory: &mut System, here: &mut Here<'_, ThisCpu, impl Reach>) {
    let before = memory.domain.counts().tables;
    let mut pages = PAGES.lock();
    (0..POOLED).for_each(|_| pages.push(take(memory, here)));
    let needed = memory.domain.counts().tables - before;
    pages.drain(..).for_each(|page| give(memory, here, page));
    let left = memory.domain.counts().tables - before;
    say!("tables: {needed} for {POOLED} pages, pooled, {left} once they are free");
}

/// At the end of the heap's area, which the heap has not reached.
fn scattered(memory: &mut System, here: &mut Here<'_, ThisCpu, impl Reach>) {
    let area = &board::MEMORY.heap;
    let block = Level::L2.entry_bytes();
    let at = |number: u64| VirtAddr::new(area.base.get() + area.bytes - (number + 1) * block);
    let frame = memory.domain.allocate(here, Order::FRAME, FABRICATED, Node(0));
    let frame = FrameRange::new(frame.expect("a board has a page to spare"), 1);
    let mut space = Space::new(board::BOOT.boot_root);
    let attributes = HostAttributes::new(HostAccess::Read, Memory::Normal);
    let before = memory.domain.counts().tables;
    for number in 0..SCATTERED {
        let mapped = space.map(here, &mut memory.domain, LeafSize::Page, at(number), frame, attributes);
        mapped.expect("the end of the heap's area is free");
    }
    let needed = memory.domain.counts().tables - before;
    for number in 0..SCATTERED {
        let unmapped = space.unmap(here, &mut memory.domain, LeafSize::Page, at(number), frame);
        unmapped.expect("it was just mapped");
    }
    let left = memory.domain.counts().tables - before;
    memory.domain.free(here, frame.first, Order::FRAME, FABRICATED).expect("it was just allocated");
    say!("tables: {needed} for {SCATTERED} pages, scattered, {left} once they are unmapped");
}
