//! The memory system as rows use it: pages of its heap, what it has, frames that run out.
//!
//! Judges only whether what was taken is back.

use core::fmt;

use paging::{FrameRange, VirtAddr};

use crate::machine::Machine;
use crate::mm::buddy::Counts;
use crate::mm::frames::{Node, Order};
use crate::mm::heap::HeapPages;
use crate::mm::here::Here;
use crate::mm::mapcache::OwnView;
use crate::mm::system::{self, System};
use crate::mm::this_cpu::ThisCpu;
use crate::self_test::live::{self, Class};
use crate::self_test::row::{Failure, Outcome, control, ensure};

/// Where rows take memory that may come from anywhere.
pub(super) const ANY: Node = Node(0);

/// Frames that one operation asks for at most.
const ASKED_MAX: u64 = 2000;

/// What the memory system has: the same before and after whatever gives everything back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    counts: Counts,
    /// Pages that each CPU maps, by the books.
    booked: u64,
    /// Pages in windows, by a walk of this CPU's tables.
    found: u64,
}

impl State {
    /// What it has now.
    #[inline(never)]
    pub(super) fn now() -> Self {
        let (counts, booked) = system::with(|memory, _| (memory.domain.counts(), memory.mapped().pages()));
        Self { counts, booked, found: live::pages(live::root(), Class::Window) }
    }

    /// Whether it has the same again.
    #[inline(never)]
    pub(super) fn ensure_back(&self, after: fmt::Arguments<'_>) -> Outcome {
        let now = Self::now();
        ensure!(now == *self, "{after}: {now}, before {self}");
        Ok(())
    }

    /// What the domain heap had.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts: Counts { free, split, tables, quarantined }, booked, found } = self;
        write!(out, "free {free} split {split} tables {tables} lost {quarantined} mapped {booked}/{found}")
    }
}

/// Heap pages.
#[inline(never)]
pub(super) fn allocate(order: Order, near: Node) -> Result<HeapPages, Failure> {
    let pages = system::with(|memory, here| memory.heap.allocate(here, &mut memory.domain, order, near));
    pages.map_err(|why| Failure::new(format_args!("{why}")))
}

/// Takes them back.
#[inline(never)]
pub(super) fn free(pages: HeapPages) -> Outcome {
    let freed = system::with(|memory, here| memory.heap.free(here, &mut memory.domain, pages));
    freed.map_err(|why| Failure::new(format_args!("{why}")))
}

/// Writes a word of a heap page.
pub(super) fn store(at: VirtAddr, value: u64) {
    ThisCpu::new().store(at, value);
}

/// Reads one.
pub(super) fn load(at: VirtAddr) -> u64 {
    ThisCpu::new().load(at)
}

/// The bank that holds frames.
pub(super) fn node_of(frames: FrameRange) -> Option<Node> {
    system::with(|memory, _| memory.domain.frames().bank_of(frames.first).map(|bank| bank.node))
}

/// Refuses the first frame that `make` asks for, the second one, and so on until it asks for fewer; everything is as it was
/// after each, and after `undo`. How many were refused.
pub(super) fn refuse_each<T, E>(
    mut make: impl FnMut(&mut System, &mut Here<'_, ThisCpu, OwnView>) -> Result<T, E>,
    undo: impl FnOnce(T) -> Outcome,
) -> Result<u64, Failure> {
    let before = State::now();
    for refused in 0..ASKED_MAX {
        let made = system::with(|memory, here| {
            memory.domain.ration.limit(refused);
            let made = make(memory, here);
            memory.domain.ration.lift();
            made
        });
        let Ok(made) = made else {
            before.ensure_back(format_args!("frame {refused} refused"))?;
            continue;
        };
        let differs = State::now() != before;
        undo(made)?;
        control!(differs, "what was made is not seen to be there");
        before.ensure_back(format_args!("nothing refused"))?;
        return Ok(refused);
    }
    Err(Failure::new(format_args!("more than {ASKED_MAX} frames are asked for")))
}
