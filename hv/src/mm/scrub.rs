//! Scrubbing: zero, and clean to the point of coherency, since a guest with its MMU off reads past the caches.
//!
//! Blocks of 2 MiB that are one owner's go through a window of this CPU's own, other frames through its map cache: never
//! maps a frame of anybody else, and leaves nothing mapped. Not for interrupt handlers: there is one window.

#[cfg(test)]
mod tests;

use core::marker::PhantomData;

use paging::{Entry, Format, Frame, FrameRange, HostAccess, HostAttributes, Level, Memory, PAGE_BYTES, VirtAddr};

use super::entry::{Cells, Input, Place, Writer};
use super::frames::Order;
use super::here::{Here, bytes};
use super::mapcache::{Area, View};
use crate::machine::Machine;

/// One CPU's scrub window: an entry at level 2 that hangs in that CPU's root alone.
pub struct ScrubWindow<'t> {
    area: Area<'t>,
    /// Neither `Send` nor `Sync`: translations are forgotten on this CPU only.
    _here: PhantomData<*mut ()>,
}

impl<'t> ScrubWindow<'t> {
    /// The window whose entry is in `area`'s table, a table at level 2; the entry is invalid and forgotten.
    pub fn new(area: Area<'t>) -> Self {
        assert!(area.base.is_aligned_to(Level::L2.entry_bytes()), "the window is a block");
        assert!(area.table.load(area.base.index(Level::L2)) == Entry::INVALID, "the window is empty when it is made");
        Self { area, _here: PhantomData }
    }

    /// Scrubs frames that nobody else uses.
    pub fn scrub<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        frames: FrameRange,
    ) {
        self.scrub_of(here, frames, frames);
    }

    /// Scrubs a part of what is one owner's: the rest of it may be mapped meanwhile.
    pub fn scrub_of<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        part: FrameRange,
        whole: FrameRange,
    ) {
        let mut left = part;
        while !left.is_empty() {
            let before = left.first.number() % Order::BLOCK.frames();
            let block = FrameRange::new(Frame::new(left.first.number() - before), Order::BLOCK.frames());
            let done = if whole.contains_range(block) {
                let frames = left.frames.min(Order::BLOCK.frames() - before);
                let shown = self.show(here.machine, block.first);
                here.machine.scrub(bytes(shown.at(), before * PAGE_BYTES), frames * PAGE_BYTES);
                frames
            } else {
                let page = here.reach.map_foreign(left.first);
                page.expect("scrubbing a page holds one slot, and the planner left room for it").scrub();
                1
            };
            left = FrameRange::new(left.first.add(done), left.frames - done);
        }
    }

    /// Maps the 2 MiB from `first` until the guard is dropped.
    pub fn show<'w, M: Machine>(&'w mut self, machine: &'w M, first: Frame) -> Shown<'w, M> {
        let shown = Shown { area: &self.area, writer: Writer::new(machine, "scrub window") };
        let attributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);
        shown.write(M::Format::leaf(Level::L2, first, attributes));
        shown.writer.publish();
        shown
    }
}

/// 2 MiB that are mapped while this lives.
pub struct Shown<'w, M: Machine> {
    area: &'w Area<'w>,
    writer: Writer<'w, M>,
}

impl<M: Machine> Shown<'_, M> {
    /// Its first byte.
    pub fn at(&self) -> VirtAddr {
        self.area.base
    }

    fn write(&self, entry: Entry) {
        let place = Place {
            table: self.area.frame,
            index: self.area.base.index(Level::L2),
            level: Level::L2,
            input: Input::Host(self.area.base),
            seen: self.writer.here(),
        };
        self.writer.write::<M::Format>(Cells::Table(self.area.table), place, entry);
    }
}

impl<M: Machine> Drop for Shown<'_, M> {
    fn drop(&mut self) {
        self.write(Entry::INVALID);
        self.writer.flush_page_local(self.area.base);
    }
}
