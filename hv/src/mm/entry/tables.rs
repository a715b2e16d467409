//! Tables that [`Mapper`](paging::Mapper) edits, with every write told to the watcher.
//!
//! Adds nothing where nobody watches. A table that no other table links to may change freely: no CPU has walked it.
//! Its entries are told when it is linked.

use core::marker::PhantomData;

use paging::{Decoded, Entry, Format, Frame, Index, InputAddress, Ipa, Level, Root, TableAccess, VirtAddr};

use super::{Event, Input, Kind, Place, Said, SeenBy, Watch, Writer};
use crate::machine::Machine;

/// Whose addresses the tables translate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// The hypervisor's.
    Host,
    /// A guest's.
    Guest {
        /// Which one.
        vmid: u16,
    },
}

impl Regime {
    /// An address that its tables translate.
    pub fn input(self, at: impl InputAddress) -> Input {
        match self {
            Self::Host => Input::Host(VirtAddr::new(at.get())),
            Self::Guest { vmid } => Input::Guest { vmid, at: Ipa::new(at.get()) },
        }
    }
}

/// A table on the way from the root to the entry last read.
#[derive(Clone, Copy, Debug)]
struct Known {
    table: Frame,
    /// First byte it spans, of the bytes that the root spans.
    first: u64,
}

/// A tree of live tables below one root.
pub struct Watched<'m, M, F, A> {
    writer: Writer<'m, M>,
    access: A,
    regime: Regime,
    seen: SeenBy,
    path: [Option<Known>; Level::ALL.len()],
    format: PhantomData<F>,
}

impl<'m, M: Machine, F: Format<Attributes: Kind>, A: TableAccess> Watched<'m, M, F, A> {
    /// The tables below `root`, reached through `access`, walked by the CPUs in `seen`.
    pub fn new(writer: Writer<'m, M>, access: A, root: Root, regime: Regime, seen: SeenBy) -> Self {
        let mut path = [None; Level::ALL.len()];
        path[depth(root.level)] = Some(Known { table: root.frame, first: 0 });
        Self { writer, access, regime, seen, path, format: PhantomData }
    }

    /// The same tables, of which the root translates what begins at byte `first` of all that four levels translate:
    /// for a part of a tree that its editor addresses from zero.
    pub fn beginning_at(mut self, first: u64) -> Self {
        self.path.iter_mut().flatten().for_each(|known| known.first = first);
        self
    }

    fn level_of(&self, table: Frame) -> Option<(Level, Known)> {
        Level::ALL.into_iter().find_map(|level| {
            let known = self.path[depth(level)]?;
            (known.table == table).then_some((level, known))
        })
    }

    /// Remembers where a table hangs that a walk has just passed.
    fn learn(&mut self, table: Frame, index: Index, entry: Entry) {
        let Some((level, known)) = self.level_of(table) else { return };
        if let (Decoded::Table(next), Some(child)) = (F::decode(level, entry), level.child()) {
            let first = known.first + index.get() as u64 * level.entry_bytes();
            self.path[depth(child)] = Some(Known { table: next, first });
        }
    }

    fn place(&self, level: Level, known: Known, index: Index) -> Place {
        let input = self.regime.input(F::input(known.first + index.get() as u64 * level.entry_bytes()));
        Place { table: known.table, index, level, input, seen: self.seen }
    }

    fn tell(&self, place: Place, old: Entry, new: Entry) {
        let (old, new) = (Said::of::<F>(place.level, old), Said::of::<F>(place.level, new));
        self.writer.tell(Event::Write { place, old, new });
    }

    /// Tells every entry of a table that is about to be linked, and of those below it.
    fn tell_linked(&mut self, table: Frame, level: Level, first: u64) {
        let known = Known { table, first };
        for index in Index::all() {
            let entry = self.access.read(table, index);
            if entry == Entry::INVALID {
                continue;
            }
            self.tell(self.place(level, known, index), Entry::INVALID, entry);
            if let (Decoded::Table(next), Some(child)) = (F::decode(level, entry), level.child()) {
                self.tell_linked(next, child, first + index.get() as u64 * level.entry_bytes());
            }
        }
    }

    fn watch_write(&mut self, table: Frame, index: Index, entry: Entry) {
        let Some((level, known)) = self.level_of(table) else { return };
        let old = self.access.read(table, index);
        let place = self.place(level, known, index);
        self.tell(place, old, entry);
        if let Decoded::Table(unlinked) = F::decode(level, old) {
            self.path
                .iter_mut()
                .filter(|known| known.is_some_and(|known| known.table == unlinked))
                .for_each(|known| *known = None);
        }
        if let (Decoded::Table(next), Some(child)) = (F::decode(level, entry), level.child()) {
            self.tell_linked(next, child, known.first + index.get() as u64 * level.entry_bytes());
        }
    }
}

impl<M: Machine, F: Format<Attributes: Kind>, A: TableAccess> TableAccess for Watched<'_, M, F, A> {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        let entry = self.access.read(table, index);
        if M::Watch::WATCHES {
            self.learn(table, index, entry);
        }
        entry
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        if M::Watch::WATCHES {
            self.watch_write(table, index, entry);
        }
        self.access.write(table, index, entry);
    }
}

/// Place of a level in the path, the root of four levels first.
const fn depth(level: Level) -> usize {
    match level {
        Level::L0 => 0,
        Level::L1 => 1,
        Level::L2 => 2,
        Level::L3 => 3,
    }
}
