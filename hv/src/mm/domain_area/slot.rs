//! The domain slot: one entry of each CPU's root, and who may be behind it.
//!
//! Never from valid to valid: the entry is zero, and forgotten, between two domains. What the map cache says is loaded
//! is what the entry links to, whichever step fails: both change together, with interrupts masked.

use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use paging::{Decoded, Entry, Format, Frame, Level, Table, VirtAddr};

use crate::machine::Machine;
use crate::mm::entry::{Cells, Input, Place, SeenBy, Writer};
use crate::mm::mapcache::{MapCache, Owner};

/// Set while there is no area, or it is being made or destroyed: nobody loads it.
const CLOSED: u32 = 1 << 31;

/// What a CPU's root links to while a domain is loaded. It outlives the domain's areas, of which there may be one after
/// the other.
#[derive(Debug)]
pub struct DomainSlot {
    vmid: u16,
    /// Number of the frame of the area's level 1 table; means something while the slot is open.
    table: AtomicU64,
    /// CPUs that have it loaded, and [`CLOSED`].
    loads: AtomicU32,
}

/// The domain may not be loaded: it is being made or destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotClosed {
    /// Which domain.
    pub vmid: u16,
}

/// The domain cannot be destroyed: CPUs have it loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// How many.
    pub cpus: u32,
}

impl fmt::Display for SlotClosed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "domain {} is being made or destroyed", self.vmid)
    }
}

impl fmt::Display for InUse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} CPUs have the domain loaded", self.cpus)
    }
}

/// Proof that no CPU has an area loaded, and that none will before [`DomainSlot::open`].
#[derive(Debug)]
#[must_use = "the area can neither be loaded nor destroyed without it"]
pub struct Closed {
    table: Frame,
}

impl Closed {
    /// Of an area that has just been made.
    pub(super) fn new(table: Frame) -> Self {
        Self { table }
    }

    pub(super) fn table(&self) -> Frame {
        self.table
    }
}

/// A domain that a CPU has loaded; [`switch`] takes it. One that is lost keeps its domain from being destroyed.
#[derive(Debug)]
#[must_use = "the domain stays loaded, and cannot be destroyed"]
pub struct Loaded<'d>(&'d DomainSlot);

impl Loaded<'_> {
    /// Whose.
    pub fn vmid(&self) -> u16 {
        self.0.vmid
    }
}

impl DomainSlot {
    /// Of the domain with this VMID, and nothing behind it.
    pub const fn new(vmid: u16) -> Self {
        Self { vmid, table: AtomicU64::new(0), loads: AtomicU32::new(CLOSED) }
    }

    /// From now on CPUs may load the area.
    ///
    /// # Panics
    /// When there is another one.
    pub fn open(&self, area: Closed) {
        assert!(self.loads.load(Ordering::Relaxed) == CLOSED, "one area at a time lies behind a slot");
        self.table.store(area.table.number(), Ordering::Relaxed);
        self.loads.store(0, Ordering::Release);
    }

    /// Whose it is.
    pub fn vmid(&self) -> u16 {
        self.vmid
    }

    /// The level 1 table of its area.
    pub fn table(&self) -> Frame {
        Frame::new(self.table.load(Ordering::Relaxed))
    }

    /// From now on the domain is not loaded any more.
    ///
    /// # Errors
    /// When a CPU has it loaded: nothing has changed.
    pub fn close(&self) -> Result<Closed, InUse> {
        match self.loads.compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(Closed::new(self.table())),
            Err(loads) => Err(InUse { cpus: loads & !CLOSED }),
        }
    }

    fn enter(&self) -> Result<Loaded<'_>, SlotClosed> {
        let more = |loads| if loads & CLOSED == 0 { Some(loads + 1) } else { None };
        match self.loads.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Loaded(self)),
            Err(_) => Err(SlotClosed { vmid: self.vmid }),
        }
    }
}

/// One CPU's root, and the first byte that its domain slot's entry spans.
#[derive(Clone, Copy, Debug)]
pub struct RootEntry<'t> {
    /// The root, for as long as the CPU is up.
    pub root: &'t Table,
    /// Its frame.
    pub frame: Frame,
    /// First byte of the slot.
    pub at: VirtAddr,
}

impl RootEntry<'_> {
    fn write<M: Machine>(&self, writer: &Writer<'_, M>, entry: Entry) {
        let place = Place {
            table: self.frame,
            index: self.at.index(Level::L0),
            level: Level::L0,
            input: Input::Host(self.at),
            seen: SeenBy::Cpu(writer.machine().cpu()),
        };
        writer.write::<M::Format>(Cells::Table(self.root), place, entry);
    }

    /// The table that the entry links to.
    pub fn linked<M: Machine>(&self) -> Option<Frame> {
        match M::Format::decode(Level::L0, self.root.load(self.at.index(Level::L0))) {
            Decoded::Table(table) => Some(table),
            Decoded::Invalid | Decoded::Leaf { .. } | Decoded::Unknown => None,
        }
    }
}

/// Loads another domain on this CPU, or none: the cache is emptied, the entry made zero, all of the hypervisor's
/// translations on this CPU forgotten, the new entry written.
///
/// # Errors
/// When the domain is being made or destroyed: none is loaded, and the cache knows.
///
/// # Panics
/// When `loaded` is not what this CPU has loaded, by its map cache or by its root, or a guard of the cache is alive.
pub fn switch<'d, M: Machine, const SLOTS: usize>(
    machine: &M,
    cache: &MapCache<'_, M, SLOTS>,
    root: &RootEntry<'_>,
    loaded: Option<Loaded<'_>>,
    to: Option<&'d DomainSlot>,
) -> Result<Option<Loaded<'d>>, SlotClosed> {
    let owner = |vmid: Option<u16>| vmid.map_or(Owner::Nobody, Owner::Domain);
    let before = owner(loaded.as_ref().map(Loaded::vmid));
    assert!(cache.loaded() == before, "{before} is handed over, {} is loaded", cache.loaded());
    let linked = loaded.as_ref().map(|Loaded(slot)| slot.table());
    assert!(root.linked::<M>() == linked, "the entry links to the domain that is loaded");
    let writer = Writer::new(machine, "domain slot");
    let mut entered = None;
    cache.switch(owner(to.map(|slot| slot.vmid)), || {
        root.write(&writer, Entry::INVALID);
        writer.flush_local();
        if let Some(Loaded(slot)) = &loaded {
            slot.loads.fetch_sub(1, Ordering::AcqRel);
        }
        if let Some(slot) = to {
            entered = Some(slot.enter()?);
            root.write(&writer, M::Format::table(slot.table()));
            writer.publish();
        }
        Ok(())
    })?;
    Ok(entered)
}
