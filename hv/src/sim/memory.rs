//! RAM behind write-back caches: what cacheable readers see, and what is at the point of coherency.
//!
//! One coherent cache for all CPUs and their table walkers. Never invalidates what it was not asked to, never cleans
//! before it is asked to, unless the seed evicts a line.

use std::sync::Mutex;
use std::vec::Vec;

use paging::{Entry, Frame, FrameRange, Index, PhysAddr, Table};

use super::lock;

/// Bytes of a cache line.
pub const LINE_BYTES: u64 = 64;
const WORD_BYTES: u64 = size_of::<Entry>() as u64;
pub(super) const LINE_WORDS: usize = (LINE_BYTES / WORD_BYTES) as usize;
const PAGE_LINES: usize = (paging::PAGE_BYTES / LINE_BYTES) as usize;

/// A line in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Not there.
    Absent,
    /// As it was in RAM when it was read.
    Clean,
    /// Newer than RAM.
    Dirty,
    /// Part of a table that the test holds a reference to: coherent, never evicted.
    Pinned,
}

/// RAM and the cache in front of it.
pub struct Memory {
    frames: FrameRange,
    cached: Vec<Table>,
    ram: Vec<Table>,
    lines: Mutex<Vec<Line>>,
}

impl Memory {
    /// RAM that holds [`Memory::canary`] everywhere.
    pub(super) fn new(frames: FrameRange) -> Self {
        let pages = || (0..frames.frames).map(|_| Table::EMPTY).collect::<Vec<_>>();
        let memory = Self {
            frames,
            cached: pages(),
            ram: pages(),
            lines: Mutex::new(std::vec![Line::Absent; frames.frames as usize * PAGE_LINES]),
        };
        for (number, page) in memory.ram.iter().enumerate() {
            let frame = frames.first.add(number as u64);
            Index::all().for_each(|index| page.store(index, Entry::new(Self::canary(frame, index))));
        }
        memory
    }

    /// What a word holds before anybody writes it: tells the frame it came from.
    pub fn canary(frame: Frame, index: Index) -> u64 {
        const MARK: u64 = 0x5ec2_0000_0000_0000;
        MARK | frame.number() << 16 | index.get() as u64
    }

    /// All of RAM.
    pub fn frames(&self) -> FrameRange {
        self.frames
    }

    /// A word as a cacheable reader sees it; `None` where there is no RAM.
    pub fn load(&self, frame: Frame, index: Index) -> Option<u64> {
        let page = self.page(frame)?;
        let mut lines = lock(&self.lines);
        self.fill(&mut lines[line(page, index)], page, index);
        Some(self.cached[page].load(index).get())
    }

    /// Writes a word through the cache; `None` where there is no RAM.
    pub fn store(&self, frame: Frame, index: Index, value: u64) -> Option<()> {
        let page = self.page(frame)?;
        let mut lines = lock(&self.lines);
        let state = &mut lines[line(page, index)];
        self.fill(state, page, index);
        if *state == Line::Clean {
            *state = Line::Dirty;
        }
        self.cached[page].store(index, Entry::new(value));
        Some(())
    }

    /// Writes a word through the cache where it is `old`, and whether it was; `None` where there is no RAM.
    pub fn exchange(&self, frame: Frame, index: Index, old: u64, new: u64) -> Option<bool> {
        let page = self.page(frame)?;
        let mut lines = lock(&self.lines);
        let state = &mut lines[line(page, index)];
        self.fill(state, page, index);
        let same = self.cached[page].load(index).get() == old;
        if same {
            if *state == Line::Clean {
                *state = Line::Dirty;
            }
            self.cached[page].store(index, Entry::new(new));
        }
        Some(same)
    }

    /// A word as a reader sees it that goes past the caches: a guest with its MMU off, a device.
    pub fn load_uncached(&self, at: PhysAddr) -> Option<u64> {
        let page = self.page(Frame::containing(at))?;
        Some(self.ram[page].load(word(at)).get())
    }

    /// Writes a word past the caches.
    pub fn store_uncached(&self, at: PhysAddr, value: u64) -> Option<()> {
        let page = self.page(Frame::containing(at))?;
        self.ram[page].store(word(at), Entry::new(value));
        Some(())
    }

    /// Cleans the line of a word to the point of coherency.
    pub fn clean(&self, frame: Frame, index: Index) -> Option<()> {
        let page = self.page(frame)?;
        let mut lines = lock(&self.lines);
        let state = &mut lines[line(page, index)];
        match state {
            Line::Dirty => {
                copy_line(&self.cached[page], &self.ram[page], index);
                *state = Line::Clean;
            }
            Line::Pinned => copy_line(&self.cached[page], &self.ram[page], index),
            Line::Clean | Line::Absent => {}
        }
        Some(())
    }

    /// The cache needs the room of line number `number`, counted through all of RAM.
    pub(super) fn evict(&self, number: usize) {
        let mut lines = lock(&self.lines);
        let number = number % lines.len();
        let (page, first) = (number / PAGE_LINES, Index::new(number % PAGE_LINES * LINE_WORDS));
        match lines[number] {
            Line::Dirty => {
                copy_line(&self.cached[page], &self.ram[page], first);
                lines[number] = Line::Absent;
            }
            Line::Clean => lines[number] = Line::Absent,
            Line::Absent | Line::Pinned => {}
        }
    }

    /// The page as a table that several hold at once.
    pub(super) fn table(&self, frame: Frame) -> &Table {
        let page = self.page(frame).expect("tables lie in RAM");
        let mut lines = lock(&self.lines);
        for number in 0..PAGE_LINES {
            let first = Index::new(number * LINE_WORDS);
            let state = &mut lines[line(page, first)];
            self.fill(state, page, first);
            *state = Line::Pinned;
        }
        &self.cached[page]
    }

    fn fill(&self, state: &mut Line, page: usize, index: Index) {
        if *state == Line::Absent {
            copy_line(&self.ram[page], &self.cached[page], index);
            *state = Line::Clean;
        }
    }

    fn page(&self, frame: Frame) -> Option<usize> {
        self.frames.contains(frame).then(|| (frame.number() - self.frames.first.number()) as usize)
    }
}

/// The word of its page that holds `at`.
pub(super) fn word(at: PhysAddr) -> Index {
    Index::new((at.page_offset() / WORD_BYTES) as usize)
}

fn line(page: usize, index: Index) -> usize {
    page * PAGE_LINES + index.get() / LINE_WORDS
}

fn copy_line(from: &Table, to: &Table, index: Index) {
    let first = index.get() / LINE_WORDS * LINE_WORDS;
    (first..first + LINE_WORDS).map(Index::new).for_each(|index| to.store(index, from.load(index)));
}
