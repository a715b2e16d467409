//! Where a domain's memory comes from and goes to.
//!
//! Its tables are the only list of it. What is given back is scrubbed first, chunk by chunk, after every CPU has
//! forgotten the guest; frames that are somebody else's are left alone.

use paging::{Frame, FrameRange, GuestAttributes, Ipa};

use super::{ATTRIBUTES, BuildError, DomainSpace, Image, Part, Tools, pages_on};
use crate::machine::GuestMachine;
use crate::mm::buddy::DomainHeap;
use crate::mm::frames::{Order, Owner, Use};
use crate::mm::guest_tables::{NestedFormat, Stores};
use crate::mm::here::Here;
use crate::mm::mapcache::View;
use crate::mm::scrub::ScrubWindow;

const BLOCK: u64 = Order::BLOCK.frames();

impl<F: NestedFormat> DomainSpace<F> {
    /// Adds `pages` pages out of the heap: chunks as large as their place and the heap allow, so that they are mapped by
    /// large leaves; of the last one, what is not needed goes back.
    pub(super) fn add_from_heap<M: GuestMachine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        tools: &mut Tools<'_, '_>,
        at: Ipa,
        pages: u64,
    ) -> Result<(), BuildError<F>> {
        let mut done = 0;
        while done < pages {
            let frames = self.chunk_for(here, tools.heap, pages_on(at, done), pages - done)?;
            if let Err(error) = self.map(here, tools, pages_on(at, done), frames, ATTRIBUTES) {
                free(here, tools.heap, self.id.owner, frames);
                return Err(error);
            }
            done += frames.frames;
        }
        Ok(())
    }

    /// Adds frames that the plan set aside.
    pub(super) fn add_planned<M: GuestMachine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        tools: &mut Tools<'_, '_>,
        at: Ipa,
        frames: FrameRange,
    ) -> Result<(), BuildError<F>> {
        self.planned.try_push(frames).expect("the planner counts the parts of a domain's memory");
        self.map(here, tools, at, frames, ATTRIBUTES)
    }

    /// Frames for the pages from `at` on, at most `pages` of them, consecutive.
    fn chunk_for<M: GuestMachine, const SLOTS: usize>(
        &self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        heap: &mut DomainHeap,
        at: Ipa,
        pages: u64,
    ) -> Result<FrameRange, BuildError<F>> {
        let first = at.get() / paging::PAGE_BYTES;
        let to_block = BLOCK - first % BLOCK;
        let mut order = if to_block == BLOCK && pages >= BLOCK {
            Order::fitting(first, pages)
        } else {
            // Only chunks inside a block can be cut at any frame.
            let order = Order::holding(pages.min(to_block)).expect("part of a block is no more than a block");
            order.min(Order::BLOCK.down())
        };
        let owner = self.id.owner;
        let chunk = loop {
            match heap.allocate(here, order, owner, self.id.node) {
                Ok(chunk) => break chunk,
                Err(_) if order > Order::FRAME => order = order.down(),
                Err(error) => return Err(BuildError::Frames(error)),
            }
        };
        let limit = if order.is_blocks() { pages } else { pages.min(to_block) };
        let keep = order.frames().min(limit);
        if keep < order.frames() {
            heap.trim(here, (chunk, order), owner, keep).expect("it was allocated just now, and is no chunk of blocks");
        }
        Ok(FrameRange::new(chunk, keep))
    }

    pub(super) fn map<M: GuestMachine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        tools: &mut Tools<'_, '_>,
        at: Ipa,
        frames: FrameRange,
        attributes: GuestAttributes,
    ) -> Result<(), BuildError<F>> {
        let mut stores = Stores { heap: tools.heap, vmap: tools.vmap, area: &mut self.area };
        Ok(self.tables.map(here, &mut stores, at, frames, attributes)?)
    }

    /// Scrubs a part of the memory, all but the pages where images lie.
    pub(super) fn scrub_around<M: GuestMachine, const SLOTS: usize>(
        &self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        tools: &mut Tools<'_, '_>,
        part: &Part,
        images: &[Image],
    ) -> Result<(), BuildError<F>> {
        let mut done = 0;
        while done < part.pages() {
            let at = pages_on(part.at(), done);
            let run = match next_image(at, images) {
                Next::Inside(pages) => {
                    done += pages;
                    continue;
                }
                Next::Ahead(pages) => pages.min(part.pages() - done),
            };
            let (frames, whole) = self.behind(here, part, done, run)?;
            tools.scrub.scrub_of(here, frames, whole);
            done += frames.frames;
        }
        Ok(())
    }

    /// Frames behind pages of a part from number `done` on, `run` of them at most, and what is the domain's around them:
    /// planned ones are known, others are in its tables.
    fn behind<M: GuestMachine, const SLOTS: usize>(
        &self,
        here: &Here<'_, M, View<'_, M, SLOTS>>,
        part: &Part,
        done: u64,
        run: u64,
    ) -> Result<(FrameRange, FrameRange), BuildError<F>> {
        match *part {
            Part::Planned { frames, .. } => Ok((FrameRange::new(frames.first.add(done), run), frames)),
            Part::Heap { at, .. } | Part::Device { at, .. } => {
                let at = pages_on(at, done);
                let leaf = self.tables.translate(here, at).ok_or(BuildError::Outside(at))?;
                let inside = (at.get() - leaf.at.get()) / paging::PAGE_BYTES;
                let frames = FrameRange::new(leaf.frame.add(inside), run.min(leaf.level.entry_frames() - inside));
                Ok((frames, FrameRange::new(leaf.frame, leaf.level.entry_frames())))
            }
        }
    }
}

/// What lies at an address.
enum Next {
    /// An image, for this many pages more.
    Inside(u64),
    /// None, for this many pages.
    Ahead(u64),
}

fn next_image(at: Ipa, images: &[Image]) -> Next {
    let mut ahead = u64::MAX;
    for image in images {
        let end = pages_on(image.at, image.pages());
        if (image.at..end).contains(&at) {
            return Next::Inside((end.get() - at.get()) / paging::PAGE_BYTES);
        }
        if image.at > at && image.pages() > 0 {
            ahead = ahead.min((image.at.get() - at.get()) / paging::PAGE_BYTES);
        }
    }
    Next::Ahead(ahead)
}

/// Frees frames that were allocated in one chunk, or in what is left of one.
fn free<M: GuestMachine, const SLOTS: usize>(
    here: &mut Here<'_, M, View<'_, M, SLOTS>>,
    heap: &mut DomainHeap,
    owner: Owner,
    frames: FrameRange,
) {
    let mut at = frames.first;
    while at < frames.end() {
        let Use::Used { order, .. } = heap.frames().usage(here, at) else {
            panic!("{at} was allocated for this domain just now")
        };
        heap.free(here, at, order, owner).expect("chunk_for has taken it for this domain");
        at = at.add(order.frames());
    }
}

/// Scrubs what is the domain's of these frames, together with the rest of the chunks they lie in, and gives it back.
///
/// No CPU has a translation for the guest any more, so the whole of a chunk may go with the first leaf that leads into
/// it, wherever the guest had its other pages.
pub(super) fn give_back<M: GuestMachine, const SLOTS: usize>(
    here: &mut Here<'_, M, View<'_, M, SLOTS>>,
    heap: &mut DomainHeap,
    scrub: &mut ScrubWindow<'_>,
    owner: Owner,
    planned: &[FrameRange],
    frames: FrameRange,
) {
    let mut at = frames.first;
    while at < frames.end() {
        at = match heap.frames().usage(here, at) {
            Use::Used { first, order, owner: whose } if whose == owner => {
                let chunk = FrameRange::new(first, order.frames());
                scrub.scrub(here, chunk);
                here.released(chunk);
                heap.free(here, first, order, owner).expect("the heap has just said that it is this domain's");
                chunk.end()
            }
            Use::Free { first, order } | Use::Used { first, order, .. } => first.add(order.frames()),
            Use::Reserved => scrub_planned(here, scrub, planned, FrameRange::between(at, frames.end())),
            Use::Table | Use::Records | Use::Quarantined => at.add(1),
        };
    }
}

/// Scrubs what the plan set aside for the domain at the start of `frames`; returns where to go on.
fn scrub_planned<M: GuestMachine, const SLOTS: usize>(
    here: &mut Here<'_, M, View<'_, M, SLOTS>>,
    scrub: &mut ScrubWindow<'_>,
    planned: &[FrameRange],
    frames: FrameRange,
) -> Frame {
    match planned.iter().find(|planned| planned.contains(frames.first)) {
        Some(planned) => {
            let own = planned.intersection(frames).expect("both begin before it ends");
            scrub.scrub(here, own);
            own.end()
        }
        None => frames.first.add(1),
    }
}
