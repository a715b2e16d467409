//! Images to where the guest expects them: page by page, two frames mapped at a time.
//!
//! An image that lies there already is read and not written, but for the end of its last page; where the loader is trusted
//! it is not even read. Every byte is read once, what was added up is what was copied; only an image that moves up over
//! itself is added up first. Behind the last byte of an image its page is zero.

use core::ops::Range;

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, Index, Ipa, PAGE_BYTES};

use super::{BuildError, DomainPlan, DomainSpace, IMAGES, pages_on};
use crate::board::types::Images;
use crate::domain::manifest::Sum;
use crate::machine::Machine;
use crate::mm::guest_tables::NestedFormat;
use crate::mm::here::Here;
use crate::mm::mapcache::{Mapped, View};

/// Bytes on the stack during a copy; whole words.
const BUFFER_BYTES: usize = 512;
const WORD_BYTES: usize = size_of::<u64>();

/// Bytes somewhere in RAM, mapped or not, and where a guest wants them: at the start of one of its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// The frame where it begins.
    pub first: Frame,
    /// Its length.
    pub bytes: u64,
    /// Where the guest wants it.
    pub at: Ipa,
}

impl Image {
    /// Pages that it touches.
    pub fn pages(&self) -> u64 {
        self.bytes.div_ceil(PAGE_BYTES)
    }

    fn frames(&self) -> FrameRange {
        FrameRange::new(self.first, self.pages())
    }

    /// Bytes of its page number `page`.
    fn bytes_in(&self, page: u64) -> usize {
        (self.bytes - page * PAGE_BYTES).min(PAGE_BYTES) as usize
    }
}

/// What became of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Pages that were copied: none of those that lay in their place.
    pub copied_pages: u64,
    /// What its bytes add up to, as the manifest has it; `None` where they were not read.
    pub sum: Option<u64>,
}

/// In which order pages are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// The first one first.
    Up,
    /// The last one first: the image moves up over itself.
    Down,
    /// Not at all: every page lies where it is to be.
    Nowhere,
}

impl<F: NestedFormat> DomainSpace<F> {
    /// Brings all images to their places.
    pub(super) fn place_all<M: Machine, const SLOTS: usize>(
        &self,
        here: &Here<'_, M, View<'_, M, SLOTS>>,
        plan: &DomainPlan<'_>,
    ) -> Result<ArrayVec<Placed, IMAGES>, BuildError<F>> {
        let place = |number| self.place(here, &plan.images[number], &plan.images[number + 1..], plan.care);
        (0..plan.images.len()).map(place).collect()
    }

    /// Brings an image to its place, while those in `later` still lie where they were.
    fn place<M: Machine, const SLOTS: usize>(
        &self,
        here: &Here<'_, M, View<'_, M, SLOTS>>,
        image: &Image,
        later: &[Image],
        care: Images,
    ) -> Result<Placed, BuildError<F>> {
        let (mut copied_pages, mut sum) = (0, Sum::EMPTY);
        match self.direction(here, image, later)? {
            Direction::Nowhere if care == Images::Trusted => {
                if let Some(last) = image.pages().checked_sub(1) {
                    finish(&map(here, image.first.add(last)), image.bytes_in(last));
                }
                return Ok(Placed { copied_pages, sum: None });
            }
            Direction::Nowhere | Direction::Up => {
                let mut page = 0;
                while page < image.pages() {
                    let run = self.place_of(here, image, page)?;
                    for frame in 0..run.frames {
                        let copy = image.copy(page + frame, run.first.add(frame));
                        copied_pages += copy.run(here, &mut sum);
                    }
                    page += run.frames;
                }
            }
            Direction::Down => {
                sum = (0..image.pages()).fold(sum, |sum, page| image.add(here, page, sum));
                let mut again = Sum::EMPTY;
                for page in (0..image.pages()).rev() {
                    let to = self.place_of(here, image, page)?.first;
                    copied_pages += image.copy(page, to).run(here, &mut again);
                }
            }
        }
        Ok(Placed { copied_pages, sum: Some(sum.get()) })
    }

    /// The frames behind page number `page` of where an image is to be, and what follows in the same leaf.
    fn place_of<M: Machine, const SLOTS: usize>(
        &self,
        here: &Here<'_, M, View<'_, M, SLOTS>>,
        image: &Image,
        page: u64,
    ) -> Result<FrameRange, BuildError<F>> {
        let at = pages_on(image.at, page);
        let leaf = self.tables.translate(here, at).ok_or(BuildError::Outside(image.at))?;
        let inside = (at.get() - leaf.at.get()) / PAGE_BYTES;
        let frames = (leaf.level.entry_frames() - inside).min(image.pages() - page);
        Ok(FrameRange::new(leaf.frame.add(inside), frames))
    }

    /// In which order the pages of an image can be copied without losing any of it, or of a later one.
    fn direction<M: Machine, const SLOTS: usize>(
        &self,
        here: &Here<'_, M, View<'_, M, SLOTS>>,
        image: &Image,
        later: &[Image],
    ) -> Result<Direction, BuildError<F>> {
        let (from, overwrites) = (image.frames(), BuildError::Overwrites(image.at));
        if !image.at.is_frame_aligned() {
            return Err(BuildError::Outside(image.at));
        }
        if later.iter().any(|other| image.shares_pages_with(other)) {
            return Err(overwrites);
        }
        let (mut up, mut down, mut stays, mut page) = (true, true, true, 0);
        while page < image.pages() {
            let to = self.place_of(here, image, page)?;
            if later.iter().any(|other| other.frames().intersects(to)) {
                return Err(overwrites);
            }
            stays &= to.first == from.first.add(page);
            if to.intersects(from) {
                up &= to.first <= from.first.add(page);
                down &= to.first >= from.first.add(page);
            }
            page += to.frames;
        }
        match (stays, up, down) {
            (true, ..) => Ok(Direction::Nowhere),
            (false, true, _) => Ok(Direction::Up),
            (false, false, true) => Ok(Direction::Down),
            (false, false, false) => Err(overwrites),
        }
    }
}

impl Image {
    fn shares_pages_with(&self, other: &Self) -> bool {
        self.at < pages_on(other.at, other.pages()) && other.at < pages_on(self.at, self.pages())
    }

    fn copy(&self, page: u64, to: Frame) -> PageCopy {
        PageCopy { from: self.first.add(page), to, bytes: self.bytes_in(page) }
    }

    /// Adds a page up.
    fn add<M: Machine, const SLOTS: usize>(&self, here: &Here<'_, M, View<'_, M, SLOTS>>, page: u64, sum: Sum) -> Sum {
        add_words(&map(here, self.first.add(page)), self.bytes_in(page), sum)
    }
}

/// One page on its way.
struct PageCopy {
    from: Frame,
    to: Frame,
    /// Bytes of the image in it; zeroes follow.
    bytes: usize,
}

impl PageCopy {
    /// Copies it, unless it lies there, adds it up, and cleans it; returns how many pages were copied.
    fn run<M: Machine, const SLOTS: usize>(&self, here: &Here<'_, M, View<'_, M, SLOTS>>, sum: &mut Sum) -> u64 {
        let to = map(here, self.to);
        let copied = if self.from == self.to {
            *sum = add_words(&to, self.bytes, *sum);
            0
        } else {
            each_piece(&map(here, self.from), 0..self.bytes, sum, |offset, piece| put(&to, offset, piece));
            1
        };
        finish(&to, self.bytes);
        copied
    }
}

/// Zeroes what lies behind the first `tail` bytes of a page, and cleans the page.
fn finish<M: Machine, const SLOTS: usize>(page: &Mapped<'_, M, SLOTS>, mut tail: usize) {
    while tail < PAGE_BYTES as usize {
        let bytes = (PAGE_BYTES as usize - tail).min(BUFFER_BYTES);
        put(page, tail, &[0; BUFFER_BYTES][..bytes]);
        tail += bytes;
    }
    page.clean();
}

fn map<'c, M: Machine, const SLOTS: usize>(
    here: &Here<'_, M, View<'c, M, SLOTS>>,
    frame: Frame,
) -> Mapped<'c, M, SLOTS> {
    here.reach.map_foreign(frame).expect("a copy holds two slots, and the planner left room for them")
}

fn put<M: Machine, const SLOTS: usize>(page: &Mapped<'_, M, SLOTS>, offset: usize, piece: &[u8]) {
    page.copy_in(offset, piece).expect("pieces lie in the page");
}

/// Adds up the first `bytes` bytes of a page, each read once.
fn add_words<M: Machine, const SLOTS: usize>(page: &Mapped<'_, M, SLOTS>, bytes: usize, sum: Sum) -> Sum {
    let words = bytes / WORD_BYTES;
    let mut sum = (0..words).fold(sum, |sum, word| sum.with(page.load(Index::new(word))));
    if bytes > words * WORD_BYTES {
        each_piece(page, words * WORD_BYTES..bytes, &mut sum, |_, _| ());
    }
    sum
}

/// Reads a range of a page's bytes, each once, adds them up and tells them piece by piece.
fn each_piece<M: Machine, const SLOTS: usize>(
    page: &Mapped<'_, M, SLOTS>,
    bytes: Range<usize>,
    sum: &mut Sum,
    mut each: impl FnMut(usize, &[u8]),
) {
    for offset in bytes.clone().step_by(BUFFER_BYTES) {
        let mut buffer = [0; BUFFER_BYTES];
        let length = (bytes.end - offset).min(BUFFER_BYTES);
        let piece = &mut buffer[..length];
        page.copy_out(offset, piece).expect("pieces lie in the page");
        each(offset, piece);
        // Zeroes behind the last byte make its word whole.
        for word in buffer[..length.next_multiple_of(WORD_BYTES)].as_chunks().0 {
            *sum = sum.with(u64::from_le_bytes(*word));
        }
    }
}
