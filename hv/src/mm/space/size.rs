//! Tables that become blocks, and blocks that become tables: the same translations in another size.
//!
//! A table is given back when its pages are one run of frames, and made again before one of the pages goes. The entry
//! above changes from valid to valid, which no reader may see: it is broken first, while every other CPU waits outside
//! of the block, unless all cores are listed to allow it ([`SizeChange`]). Never decides when: whoever knows that a block
//! is full, or about to lose a page, asks.

use paging::{Decoded, Entry, Format, Frame, FrameRange, HostAttributes, Level, PAGE_BYTES, VirtAddr};

use super::{LeafSize, Space, SpaceError, Tables};
use crate::machine::Machine;
use crate::mm::here::{Here, Reach, bytes};

/// How an entry changes between a link and a block of the same translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeChange {
    /// It is invalid in between, while every other CPU waits.
    ///
    /// Arm ARM (DDI 0487), "Using break-before-make when updating translation table entries". x86-64 leaves open which
    /// of two cached sizes is used and suggests the same: Intel SDM vol. 3A, "Details of TLB Use".
    UnderRendezvous,
    /// From valid to valid, and invalidated afterwards. Only where every core is listed: it has FEAT_BBM level 2 and is
    /// known to take no conflict abort. Arm ARM, "Support levels for changing table or block size".
    InPlace,
}

/// What has changed its size so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SizeChanges {
    /// Tables that became blocks.
    pub merged: u64,
    /// Blocks that became tables.
    pub split: u64,
}

/// What replaces an entry above a block.
#[derive(Clone, Copy)]
enum Above {
    Table(Frame),
    Block(Entry),
}

/// Level of the entries that change.
const ABOVE: Level = Level::L2;
const PAGES: Level = Level::L3;

impl Space {
    /// The same space, on cores that allow this.
    #[must_use]
    pub const fn with_size_change(self, size_change: SizeChange) -> Self {
        Self { size_change, ..self }
    }

    /// What has changed its size so far.
    pub const fn size_changes(&self) -> SizeChanges {
        self.changes
    }

    /// Makes one block of the pages at `at`, the start of a block, if their table is full and they are one run of frames
    /// with the same attributes; the table is free on return. `covered` is a frame of the run that has no page here, and
    /// gets one first. Whether it was done.
    pub fn merge<M: Machine>(
        &mut self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        at: VirtAddr,
        covered: Option<Frame>,
    ) -> bool {
        let path = self.path(here, PAGES, at);
        let table = path.deepest();
        if path.deepest != PAGES || !tables.may_merge(here, table, entries(covered)) {
            return false;
        }
        let Some((first, attributes)) = run(here, table, covered) else { return false };
        if let Some(covered) = covered {
            here.write(PAGES, table, page_of(at, covered), M::Format::leaf(PAGES, covered, attributes));
            here.publish();
        }
        let (_, parent) = path.parent(PAGES);
        self.replace(here, parent, at, Above::Block(M::Format::leaf(ABOVE, first, attributes)));
        here.released(FrameRange::new(table, 1));
        tables.merged(here, table);
        self.last = None;
        self.changes.merged += 1;
        true
    }

    /// Makes pages of the block at `at`, if one lies there; that of `covered` is gone on return. Whether it was done.
    ///
    /// # Errors
    /// When there is no frame for the table: the block is as it was.
    pub fn split<M: Machine>(
        &mut self,
        here: &mut Here<'_, M, impl Reach>,
        tables: &mut impl Tables,
        at: VirtAddr,
        covered: Option<Frame>,
    ) -> Result<bool, SpaceError> {
        let path = self.path(here, ABOVE, at);
        if path.deepest != ABOVE {
            return Ok(false);
        }
        let parent = path.deepest();
        let block = M::Format::decode(ABOVE, here.read(parent, at.index(ABOVE)));
        let Decoded::Leaf { frame, attributes } = block else { return Ok(false) };
        let table = tables.allocate_for_split(here, entries(covered)).ok_or(SpaceError::OutOfTables)?;
        here.reach.rewrite(table, |index, _| Some(M::Format::leaf(PAGES, frame.add(index.get() as u64), attributes)));
        self.replace(here, parent, at, Above::Table(table));
        if let Some(covered) = covered {
            here.write(PAGES, table, page_of(at, covered), Entry::INVALID);
            here.flush_page(page_of(at, covered));
        }
        self.last = None;
        self.changes.split += 1;
        Ok(true)
    }

    /// Changes a valid entry to another size; every CPU has forgotten what was there on return.
    fn replace<M: Machine>(&self, here: &mut Here<'_, M, impl Reach>, parent: Frame, at: VirtAddr, new: Above) {
        let write = |here: &mut Here<'_, M, _>| match new {
            Above::Table(table) => here.link(ABOVE, parent, at, table),
            Above::Block(block) => here.write(ABOVE, parent, at, block),
        };
        match self.size_change {
            SizeChange::UnderRendezvous => here.machine.rendezvous(|| {
                here.write(ABOVE, parent, at, Entry::INVALID);
                here.flush_all();
                write(here);
                here.publish();
            }),
            SizeChange::InPlace => {
                write(here);
                here.flush_all();
            }
        }
    }
}

/// Entries of a table that may merge.
const fn entries(covered: Option<Frame>) -> u64 {
    match covered {
        Some(_) => ABOVE.entry_frames() - 1,
        None => ABOVE.entry_frames(),
    }
}

/// Where a frame's page lies in the block at `at`.
fn page_of(at: VirtAddr, frame: Frame) -> VirtAddr {
    bytes(at, frame.number() % ABOVE.entry_frames() * PAGE_BYTES)
}

/// The first frame and the attributes of the run that the pages of `table` are, if they are one that a block can map.
fn run<M: Machine>(
    here: &mut Here<'_, M, impl Reach>,
    table: Frame,
    covered: Option<Frame>,
) -> Option<(Frame, HostAttributes)> {
    let mut first = covered.map(|covered| covered.number() - covered.number() % ABOVE.entry_frames());
    let mut equal = None;
    let mut is_run = true;
    here.reach.rewrite(table, |index, entry| {
        let place = index.get() as u64;
        is_run &= match M::Format::decode(PAGES, entry) {
            Decoded::Leaf { frame, attributes } => {
                let start = frame.number().checked_sub(place);
                first = first.or(start);
                *equal.get_or_insert(attributes) == attributes && first == start
            }
            Decoded::Invalid => covered.is_some_and(|covered| covered.number() % ABOVE.entry_frames() == place),
            Decoded::Table(_) | Decoded::Unknown => false,
        };
        None
    });
    let first = first.filter(|first| is_run && first.is_multiple_of(ABOVE.entry_frames()))?;
    Some((Frame::new(first), equal?))
}

/// Cuts a range of frames where whole blocks begin and end: leaves of each size for addresses that are aligned alike.
pub(crate) fn by_size(range: FrameRange) -> impl Iterator<Item = (LeafSize, FrameRange)> {
    const BLOCK: u64 = ABOVE.entry_frames();
    let (first, end) = (range.first.number(), range.end().number());
    let low = first.next_multiple_of(BLOCK).min(end);
    let high = (end / BLOCK * BLOCK).max(low);
    let piece = |size, first, end| (size, FrameRange::new(Frame::new(first), end - first));
    let cut = [piece(LeafSize::Page, first, low), piece(LeafSize::Block, low, high), piece(LeafSize::Page, high, end)];
    cut.into_iter().filter(|(_, frames)| !frames.is_empty())
}
