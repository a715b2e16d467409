//! The one writer of live entries, and the words in which writes and invalidations are told to a watcher.
//!
//! Decides nothing about what is mapped. Whoever changes an entry that a CPU may walk goes through [`Writer`]: where
//! nobody watches, that is one store.

pub mod tables;
mod operations;

use core::fmt;

use paging::{
    Decoded, Entry, Format, Frame, FrameRange, GuestAttributes, HostAttributes, Index, Ipa, Level, Memory, Table,
    VirtAddr,
};

use crate::cpu::CpuIndex;
use crate::machine::Machine;

pub use operations::Operations;

/// What an entry translates: a hypervisor address, or a guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Stage 1 of the hypervisor.
    Host(VirtAddr),
    /// Stage 2, NPT or EPT of one guest.
    Guest {
        /// Which guest's tables.
        vmid: u16,
        /// First address the entry spans.
        at: Ipa,
    },
}

/// Which CPUs may have walked an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenBy {
    /// One: the table hangs in its root alone.
    Cpu(CpuIndex),
    /// Any.
    All,
}

/// One entry: where it is, what it translates, who may have cached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The table.
    pub table: Frame,
    /// Which entry of it.
    pub index: Index,
    /// Level of the table.
    pub level: Level,
    /// First address it spans.
    pub input: Input,
    /// CPUs that walk the table.
    pub seen: SeenBy,
}

/// What an entry means, whatever its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing.
    Invalid,
    /// A link to this table.
    Table(Frame),
    /// A translation to these frames.
    Leaf(FrameRange, Grants),
    /// Bits that the format never writes.
    Unknown,
}

impl Meaning {
    /// Reads `entry` of a table at `level`.
    pub fn of<F: Format<Attributes: Kind>>(level: Level, entry: Entry) -> Self {
        match F::decode(level, entry) {
            Decoded::Invalid => Self::Invalid,
            Decoded::Table(table) => Self::Table(table),
            Decoded::Leaf { frame, attributes } => {
                Self::Leaf(FrameRange::new(frame, level.entry_frames()), attributes.grants())
            }
            Decoded::Unknown => Self::Unknown,
        }
    }

    /// The frames it leads to: memory, or the next table.
    pub fn frames(self) -> Option<FrameRange> {
        match self {
            Self::Table(table) => Some(FrameRange::new(table, 1)),
            Self::Leaf(frames, _) => Some(frames),
            Self::Invalid | Self::Unknown => None,
        }
    }
}

/// What a leaf grants, whatever its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Normal or device.
    pub memory: Memory,
    /// The format's number of what may be done with it; to be compared within one format only.
    pub access: u8,
}

/// Attributes that can be compared without their format.
pub trait Kind {
    /// All of them.
    fn grants(self) -> Grants;
}

impl Kind for HostAttributes {
    fn grants(self) -> Grants {
        Grants { memory: self.memory, access: self.access as u8 }
    }
}

impl Kind for GuestAttributes {
    fn grants(self) -> Grants {
        Grants { memory: self.memory, access: self.access as u8 }
    }
}

/// An entry's bits and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The bits.
    pub entry: Entry,
    /// Decoded.
    pub means: Meaning,
}

impl Said {
    /// Reads `entry` of a table at `level`.
    pub fn of<F: Format<Attributes: Kind>>(level: Level, entry: Entry) -> Self {
        Self { entry, means: Meaning::of::<F>(level, entry) }
    }
}

/// Who did it: a part of the memory system, on a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// The CPU.
    pub cpu: CpuIndex,
    /// The part.
    pub who: &'static str,
}

impl fmt::Display for By {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} on CPU {}", self.who, self.cpu)
    }
}

/// What an invalidation covers. Links are forgotten with the translations: none is of the last level only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The hypervisor's translation of one page, or of the block it lies in.
    HostPage(VirtAddr),
    /// Every translation of the hypervisor.
    Host,
    /// Stage 2 of one page of a guest. AArch64: TLBI IPAS2E1IS, which leaves combined entries.
    GuestPage {
        /// Which guest.
        vmid: u16,
        /// The page.
        at: Ipa,
    },
    /// Both stages combined, of a whole guest. AArch64: TLBI VMALLE1IS.
    GuestCombined {
        /// Which guest.
        vmid: u16,
    },
    /// Everything of a guest. AArch64: TLBI VMALLS12E1IS; x86-64: its ASID or EPTP.
    Guest {
        /// Which guest.
        vmid: u16,
    },
}

/// One thing that happened to tables or to what CPUs remember of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An entry is about to change.
    Write {
        /// Where.
        place: Place,
        /// What is there.
        old: Said,
        /// What will be.
        new: Said,
    },
    /// An invalidation has completed on these CPUs.
    Flush {
        /// What it covers.
        scope: Scope,
        /// Where it took effect.
        on: SeenBy,
    },
    /// Earlier writes of this CPU have been ordered before later walks.
    Publish,
    /// Frames are about to become free for another use.
    Free(FrameRange),
}

/// Sees every write and every invalidation.
pub trait Watch {
    /// Whether it looks at all; a constant, so that nothing is left of the calls where it does not.
    const WATCHES: bool;

    /// Told before a write, after an invalidation, before a frame is free.
    fn event(&self, by: By, event: Event);

    /// What it was told so far, where it counts.
    fn operations(&self) -> Option<Operations> {
        None
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    const WATCHES: bool = false;

    fn event(&self, _by: By, _event: Event) {}
}

/// How the bytes of a table are reached.
#[derive(Clone, Copy, Debug)]
pub enum Cells<'t> {
    /// It is part of the image, or has a planned alias.
    Table(&'t Table),
    /// It is mapped here.
    Mapped(VirtAddr),
}

impl Cells<'_> {
    fn load<M: Machine>(self, machine: &M, index: Index) -> Entry {
        match self {
            Self::Table(table) => table.load(index),
            Self::Mapped(page) => Entry::new(machine.load(cell(page, index))),
        }
    }

    fn store<M: Machine>(self, machine: &M, index: Index, entry: Entry) {
        match self {
            Self::Table(table) => table.store(index, entry),
            Self::Mapped(page) => machine.store(cell(page, index), entry.get()),
        }
    }
}

/// Address of an entry of the table mapped at `page`.
fn cell(page: VirtAddr, index: Index) -> VirtAddr {
    VirtAddr::new(page.get() + (index.get() * size_of::<Entry>()) as u64)
}

/// Writes entries and invalidates, for one part of the memory system on one CPU.
#[derive(Debug)]
pub struct Writer<'m, M> {
    machine: &'m M,
    who: &'static str,
}

impl<M> Clone for Writer<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Writer<'_, M> {}

impl<'m, M: Machine> Writer<'m, M> {
    /// Writes on behalf of `who`, as histories print it.
    pub const fn new(machine: &'m M, who: &'static str) -> Self {
        Self { machine, who }
    }

    /// The machine it writes on.
    pub const fn machine(&self) -> &'m M {
        self.machine
    }

    /// This CPU, as the only one that walks a table. Not asked for where nobody watches.
    #[inline(always)]
    pub fn here(&self) -> SeenBy {
        if M::Watch::WATCHES { SeenBy::Cpu(self.machine.cpu()) } else { SeenBy::All }
    }

    /// Stores `new`. Orders and invalidates nothing: that is asked for once per batch.
    #[inline(always)]
    pub fn write<F: Format<Attributes: Kind>>(&self, cells: Cells<'_>, place: Place, new: Entry) {
        if M::Watch::WATCHES {
            self.machine.without_interrupts(|| {
                let old = Said::of::<F>(place.level, cells.load(self.machine, place.index));
                self.tell(Event::Write { place, old, new: Said::of::<F>(place.level, new) });
                cells.store(self.machine, place.index, new);
            });
        } else {
            cells.store(self.machine, place.index, new);
        }
    }

    /// Makes entries that became valid visible to this CPU's next walk.
    #[inline(always)]
    pub fn publish(&self) {
        self.machine.publish();
        self.tell(Event::Publish);
    }

    /// [`Machine::flush_page_local`].
    #[inline(always)]
    pub fn flush_page_local(&self, at: VirtAddr) {
        self.machine.flush_page_local(at);
        self.tell(Event::Flush { scope: Scope::HostPage(at), on: self.here() });
    }

    /// [`Machine::flush_local`].
    #[inline(always)]
    pub fn flush_local(&self) {
        self.machine.flush_local();
        self.tell(Event::Flush { scope: Scope::Host, on: self.here() });
    }

    /// [`Machine::flush_page_all`].
    pub fn flush_page_all(&self, at: VirtAddr) {
        self.machine.flush_page_all(at);
        self.tell(Event::Flush { scope: Scope::HostPage(at), on: SeenBy::All });
    }

    /// [`Machine::flush_all`].
    pub fn flush_all(&self) {
        self.machine.flush_all();
        self.tell(Event::Flush { scope: Scope::Host, on: SeenBy::All });
    }

    /// Tells what the caller has done by its own means: a guest's invalidations, frames about to be free.
    #[inline(always)]
    pub fn tell(&self, event: Event) {
        if M::Watch::WATCHES {
            let by = By { cpu: self.machine.cpu(), who: self.who };
            self.machine.without_interrupts(|| self.machine.watch().event(by, event));
        }
    }
}
