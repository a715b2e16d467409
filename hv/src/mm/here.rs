//! The CPU that runs this: its processor, and its way to frames that have no address.
//!
//! State of the memory system is shared by all CPUs and holds neither; every operation is handed one of these.

mod reach;

pub use reach::Reach;

use paging::{Entry, Format, Frame, FrameRange, Index, Level, PAGE_BYTES, VirtAddr};

use crate::machine::Machine;
use crate::mm::entry::{Event, Input, Place, Said, SeenBy, Watch, Writer};

/// One CPU, as the memory system sees it.
pub struct Here<'c, M, A> {
    /// Its processor.
    pub machine: &'c M,
    /// Its way to frames.
    pub reach: &'c mut A,
    telling: Telling,
}

/// Whether the watcher is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    Everything,
    Nothing,
}

impl<'c, M: Machine, A: Reach> Here<'c, M, A> {
    /// The CPU with this processor, which reaches frames in this way.
    pub fn new(machine: &'c M, reach: &'c mut A) -> Self {
        Self { machine, reach, telling: Telling::Everything }
    }

    /// The same CPU, whose entry writes nobody is told of: for entries that never change again, and that lead to frames
    /// whoever owns them.
    pub(crate) fn quietly(&mut self) -> Here<'_, M, A> {
        Here { machine: self.machine, reach: &mut *self.reach, telling: Telling::Nothing }
    }

    /// Reads 8 bytes at an aligned, mapped address.
    pub fn load(&self, at: VirtAddr) -> u64 {
        self.machine.load(at)
    }

    /// Writes 8 bytes at an aligned, mapped address.
    pub fn store(&self, at: VirtAddr, value: u64) {
        self.machine.store(at, value);
    }

    /// Makes a mapped page zero.
    pub(crate) fn clear_page(&self, page: VirtAddr) {
        self.machine.zero(page, PAGE_BYTES);
    }

    pub(crate) fn read(&mut self, table: Frame, index: Index) -> Entry {
        self.reach.read(table, index)
    }

    /// Changes an entry, at `level`, of a table that every CPU walks; `at` is the first address it spans.
    pub(crate) fn write(&mut self, level: Level, table: Frame, at: VirtAddr, new: Entry) {
        let index = at.index(level);
        if !M::Watch::WATCHES || self.telling == Telling::Nothing {
            return self.reach.write(table, index, new);
        }
        let input = Input::Host(VirtAddr::new(at.get() - at.get() % level.entry_bytes()));
        let place = Place { table, index, level, input, seen: SeenBy::All };
        let (said, writer) = (|entry| Said::of::<M::Format>(level, entry), self.writer());
        // One look at the table, as where nobody watches.
        self.reach.update(table, index, |old| {
            writer.tell(Event::Write { place, old: said(old), new: said(new) });
            new
        });
    }

    /// Links a table that holds entries already, in place of an entry at `level`. No walk sees the link before them.
    pub(crate) fn link(&mut self, level: Level, parent: Frame, at: VirtAddr, table: Frame) {
        if M::Watch::WATCHES && self.telling == Telling::Everything {
            self.tell_entries(level.child().expect("pages link to nothing"), at, table);
        }
        self.publish();
        self.write(level, parent, at, M::Format::table(table));
    }

    /// Tells the entries of a table whose link is about to be written.
    fn tell_entries(&mut self, level: Level, at: VirtAddr, table: Frame) {
        let writer = self.writer();
        self.reach.rewrite(table, |index, entry| {
            let input = Input::Host(bytes(at, index.get() as u64 * level.entry_bytes()));
            let place = Place { table, index, level, input, seen: SeenBy::All };
            let said = |entry| Said::of::<M::Format>(level, entry);
            if entry != Entry::INVALID {
                writer.tell(Event::Write { place, old: said(Entry::INVALID), new: said(entry) });
            }
            None
        });
    }

    /// Entries that became valid are seen by walks from now on.
    pub(crate) fn publish(&self) {
        self.writer().publish();
    }

    /// Every CPU has forgotten the page at `at`, and the way to it.
    pub(crate) fn flush_page(&self, at: VirtAddr) {
        self.writer().flush_page_all(at);
    }

    /// Every CPU has forgotten everything.
    pub(crate) fn flush_all(&self) {
        self.writer().flush_all();
    }

    /// Tells whoever watches that nobody can reach these frames any more.
    pub(crate) fn released(&self, frames: FrameRange) {
        self.writer().tell(Event::Free(frames));
    }

    fn writer(&self) -> Writer<'c, M> {
        Writer::new(self.machine, "shared tables")
    }
}

/// Word number `word` from `base`.
pub(crate) const fn words(base: VirtAddr, word: u64) -> VirtAddr {
    bytes(base, word * 8)
}

/// The address `bytes` above `base`, inside a planned region.
pub(crate) const fn bytes(base: VirtAddr, bytes: u64) -> VirtAddr {
    base.checked_add(bytes).expect("planned regions end inside the address space")
}
