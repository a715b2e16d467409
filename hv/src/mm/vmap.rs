//! Addresses for frames that everybody may see for as long as wanted: global maps, heap pages, arrays.
//!
//! Hands out runs of pages of one planned window, each with an unmapped page behind it. A run that holds whole blocks of
//! frames is mapped by blocks, from the start: its addresses are chosen for that. The bitmap of pages in use lies
//! at the start of the window and grows with it, a page for 128 MiB. Never used for a guest's memory.

mod runs;
#[cfg(test)]
mod tests;

use core::fmt;

use paging::{Frame, FrameRange, HostAttributes, PAGE_BYTES, VirtAddr};

use crate::machine::Machine;
use crate::mm::frames::{Order, READ_WRITE};
use crate::mm::here::{Here, Reach, bytes};
use crate::mm::space::{BootTables, LeafSize, Space, SpaceError, Tables, by_size};
use runs::{Runs, Start};

/// Pages behind each run that translate nothing.
const GUARD_PAGES: u64 = 1;

/// Why nothing was mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmapError {
    /// No run of the window is long enough.
    WindowFull,
    /// The tables could not be changed.
    Space(SpaceError),
}

impl From<SpaceError> for VmapError {
    fn from(error: SpaceError) -> Self {
        Self::Space(error)
    }
}

impl fmt::Display for VmapError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WindowFull => out.write_str("the vmap window has no run of pages that long"),
            Self::Space(error) => write!(out, "vmap: {error}"),
        }
    }
}

/// The window.
#[derive(Debug)]
pub struct Vmap {
    space: Space,
    base: VirtAddr,
    runs: Runs,
    live_pages: u64,
}

/// A run of mapped pages; [`Vmap::unmap`] takes it.
#[derive(Debug)]
#[must_use = "a run that nobody keeps stays mapped"]
pub struct Mapping {
    at: VirtAddr,
    frames: FrameRange,
}

impl Mapping {
    /// Its first byte.
    pub fn at(&self) -> VirtAddr {
        self.at
    }

    /// What is mapped.
    pub fn frames(&self) -> FrameRange {
        self.frames
    }
}

impl Vmap {
    /// The window of `pages` pages from `base` on, which begins and ends where a 2 MiB block does.
    ///
    /// # Errors
    /// When the boot allocator has no frame for the first page of the bitmap, or for tables.
    pub fn new(
        here: &mut Here<'_, impl Machine, impl Reach>,
        boot: &mut BootTables<'_>,
        space: Space,
        base: VirtAddr,
        pages: u64,
    ) -> Result<Self, SpaceError> {
        let mut vmap = Self { space, base, runs: Runs::new(base, pages), live_pages: 0 };
        let frame = boot.data().ok_or(SpaceError::OutOfTables)?;
        vmap.add_bitmap_page(here, boot, frame)?;
        Ok(vmap)
    }

    /// Pages that are mapped, bitmap apart.
    pub fn live_pages(&self) -> u64 {
        self.live_pages
    }

    /// Pages of the bitmap.
    pub fn kept_pages(&self) -> u64 {
        self.runs.bitmap_pages()
    }

    /// Maps `frames` at consecutive addresses. When the bitmap must grow, that page comes from `tables`, too.
    ///
    /// # Errors
    /// Nothing is mapped and every table is back.
    pub fn map(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
        frames: FrameRange,
        attributes: HostAttributes,
    ) -> Result<Mapping, VmapError> {
        let pages = frames.frames + GUARD_PAGES;
        let holds_block = by_size(frames).any(|(size, _)| size == LeafSize::Block);
        let place = frames.first.number() % Order::BLOCK.frames();
        let start = if holds_block { Start::InBlock(place) } else { Start::Anywhere };
        let first = loop {
            if let Some(first) = self.runs.take(here, pages, start) {
                break first;
            }
            if !self.runs.can_grow() {
                return Err(VmapError::WindowFull);
            }
            self.grow(here, tables)?;
        };
        let at = bytes(self.base, first * PAGE_BYTES);
        if let Err(error) = self.map_run(here, tables, at, frames, attributes) {
            self.runs.give(here, first, pages);
            return Err(error.into());
        }
        self.live_pages += frames.frames;
        Ok(Mapping { at, frames })
    }

    /// Unmaps a run; no CPU can use its addresses on return, and they may be used again.
    ///
    /// # Errors
    /// When it is not mapped as it was: the run stays taken, and its frames must not be used again.
    pub fn unmap(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
        mapping: Mapping,
    ) -> Result<FrameRange, SpaceError> {
        let Mapping { at, frames } = mapping;
        self.unmap_run(here, tables, at, frames)?;
        let first = (at.get() - self.base.get()) / PAGE_BYTES;
        self.runs.give(here, first, frames.frames + GUARD_PAGES);
        self.live_pages -= frames.frames;
        Ok(frames)
    }

    fn map_run(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
        at: VirtAddr,
        frames: FrameRange,
        attributes: HostAttributes,
    ) -> Result<(), SpaceError> {
        for (size, part) in by_size(frames) {
            let start = bytes(at, (part.first.number() - frames.first.number()) * PAGE_BYTES);
            if let Err(error) = self.space.map(here, tables, size, start, part, attributes) {
                let mapped = FrameRange::between(frames.first, part.first);
                self.unmap_run(here, tables, at, mapped).expect("these parts were mapped just now");
                return Err(error);
            }
        }
        Ok(())
    }

    fn unmap_run(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
        at: VirtAddr,
        frames: FrameRange,
    ) -> Result<(), SpaceError> {
        by_size(frames).try_for_each(|(size, part)| {
            let start = bytes(at, (part.first.number() - frames.first.number()) * PAGE_BYTES);
            self.space.unmap(here, tables, size, start, part)
        })
    }

    /// A page more of bitmap, for good.
    fn grow(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
    ) -> Result<(), SpaceError> {
        let frame = tables.allocate(here).ok_or(SpaceError::OutOfTables)?;
        self.add_bitmap_page(here, tables, frame).inspect_err(|_| tables.free(here, frame))
    }

    fn add_bitmap_page(
        &mut self,
        here: &mut Here<'_, impl Machine, impl Reach>,
        tables: &mut impl Tables,
        frame: Frame,
    ) -> Result<(), SpaceError> {
        let at = self.runs.next_bitmap_page();
        self.space.map(here, tables, LeafSize::Page, at, FrameRange::new(frame, 1), READ_WRITE)?;
        here.clear_page(at);
        self.runs.grown(here);
        Ok(())
    }
}
