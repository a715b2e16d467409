//! What lies behind a domain slot: the pool window of a domain's tables, and its vCPUs' entry and exit pages.
//!
//! One tree of the hypervisor's own tables for each domain, at the same addresses for all: a CPU sees the one whose
//! level 1 table its root links to ([`DomainSlot`]). Frames, tables among them, are the domain's. Never edited by two
//! CPUs at once (the domain's lock), never torn down while a CPU has it loaded.

mod slot;
mod vcpus;
#[cfg(test)]
mod tests;

pub use slot::{Closed, DomainSlot, InUse, Loaded, RootEntry, SlotClosed, switch};
pub use vcpus::VcpuPage;

use core::fmt;

use arrayvec::ArrayVec;
use paging::{
    Format, Frame, FrameRange, HostAccess, HostAttributes, Level, MapError, Mapper, Memory, PAGE_BYTES, Removed, Root,
    TableSource, VirtAddr,
};

use crate::machine::Machine;
use crate::mm::buddy::DomainHeap;
use crate::mm::entry::tables::{Regime, Watched};
use crate::mm::entry::{SeenBy, Writer};
use crate::mm::frames::{Node, Order, Owner};
use crate::mm::here::{Here, Reach, bytes};
use crate::mm::mapcache::{Held, View};

/// A domain, as those know it who account for its frames and translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainId {
    /// Its VMID; on x86-64 what stands for one.
    pub vmid: u16,
    /// Whose its frames are.
    pub owner: Owner,
    /// Where they come from, if possible.
    pub node: Node,
}

/// Where things are in every domain's area; planned, the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AreaLayout {
    /// First byte that the domain slot's root entry spans.
    pub slot: VirtAddr,
    /// The pool window, at the start of a 2 MiB block: [`TABLES_MAX`](super::guest_tables::TABLES_MAX) pages.
    pub pool: VirtAddr,
    /// vCPU 0's pages.
    pub vcpus: VirtAddr,
    /// Pages from one vCPU to the next; at least one more than it has, which stays unmapped.
    pub vcpu_pages: u64,
}

impl AreaLayout {
    /// Where vCPU number `vcpu` of any domain has a page, or would have.
    pub const fn vcpu_page(&self, vcpu: u32, page: VcpuPage) -> VirtAddr {
        bytes(self.vcpus, (vcpu as u64 * self.vcpu_pages + page.number()) * PAGE_BYTES)
    }
}

/// Why a domain's area was not changed: it is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaError {
    /// No frame left for a table or a page.
    OutOfFrames,
    /// Something is mapped here already.
    Occupied(VirtAddr),
    /// There is nothing to unmap here.
    Vacant(VirtAddr),
    /// The slot does not reach this far.
    Outside(VirtAddr),
}

impl fmt::Display for AreaError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfFrames => out.write_str("no frame left for a domain's area"),
            Self::Occupied(at) => write!(out, "{at} is mapped already in this domain's area"),
            Self::Vacant(at) => write!(out, "{at} is not mapped in this domain's area"),
            Self::Outside(at) => write!(out, "{at} is outside of the domain slot"),
        }
    }
}

/// One domain's area, for editing.
#[derive(Debug)]
pub struct DomainArea {
    id: DomainId,
    layout: AreaLayout,
    root: Frame,
    vcpus: u32,
}

impl DomainArea {
    /// An empty area, which nobody has loaded.
    ///
    /// # Errors
    /// When there is no frame for its first table.
    pub fn new(
        here: &mut Here<'_, impl Machine, impl Reach>,
        heap: &mut DomainHeap,
        id: DomainId,
        layout: AreaLayout,
    ) -> Result<(Closed, Self), AreaError> {
        let root = AreaTables { here, heap, id }.allocate().ok_or(AreaError::OutOfFrames)?;
        Ok((Closed::new(root), Self { id, layout, root, vcpus: 0 }))
    }

    /// Where things are.
    pub fn layout(&self) -> &AreaLayout {
        &self.layout
    }

    /// Maps frames; visible wherever the domain is loaded, from the next synchronisation with this CPU on.
    ///
    /// # Errors
    /// Nothing is mapped and every table is back.
    pub(super) fn map<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        heap: &mut DomainHeap,
        at: VirtAddr,
        frames: FrameRange,
        access: HostAccess,
    ) -> Result<(), AreaError> {
        let offset = self.offset(at)?;
        let mapper = Mapper::<M::Format>::new(self.tables_root());
        let (at, attributes) = (M::Format::input(offset), HostAttributes::new(access, Memory::Normal));
        let needed = mapper.tables_needed(&mut Held::new(*here.reach), at, frames, attributes);
        let needed = needed.map_err(|error| self.explain(error))?;
        // Before any of them is mapped, so that none is given back while it is.
        let mut reserve = AreaTables { here, heap, id: self.id }.reserve(needed).ok_or(AreaError::OutOfFrames)?;
        let (mut tables, writer) = self.tables(here);
        mapper.map(&mut tables, &mut reserve, at, frames, attributes).map_err(|error| self.explain(error))?;
        writer.publish();
        Ok(())
    }

    /// Unmaps frames and tells each run of them; no CPU can use these addresses on return.
    ///
    /// # Errors
    /// Nothing has changed.
    pub(super) fn unmap<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        heap: &mut DomainHeap,
        at: VirtAddr,
        pages: u64,
        mut each: impl FnMut(FrameRange),
    ) -> Result<(), AreaError> {
        let offset = self.offset(at)?;
        let mapper = Mapper::<M::Format>::new(self.tables_root());
        let (mut tables, writer) = self.tables(here);
        let mut source = AreaTables { here, heap, id: self.id };
        let slot = self.layout.slot;
        let unmapped =
            mapper.unmap(&mut tables, &mut source, M::Format::input(offset), pages, |removed| match removed {
                Removed::Leaf(leaf) => {
                    writer.flush_page_all(bytes(slot, leaf.at.get()));
                    each(FrameRange::new(leaf.frame, leaf.level.entry_frames()));
                }
                // Every CPU forgets the way through the table before its frame is given away.
                Removed::Table { at, .. } => writer.flush_page_all(bytes(slot, at.get())),
            });
        unmapped.map_err(|error| self.explain(error))
    }

    /// Where an address of the area leads, by the tables.
    pub fn translate<M: Machine, const SLOTS: usize>(
        &self,
        here: &Here<'_, M, View<'_, M, SLOTS>>,
        at: VirtAddr,
    ) -> Option<Frame> {
        let offset = self.offset(at).ok()?;
        let mut tables = Held::new(*here.reach);
        let at = M::Format::input(offset);
        paging::walk::<M::Format>(&mut tables, self.tables_root(), at).physical().map(Frame::containing)
    }

    /// The end of the area: vCPUs' pages are wiped, every frame is back, and nothing is left to be used.
    ///
    /// # Panics
    /// When the window of the domain's tables is still mapped: the tables end first.
    pub fn destroy<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        heap: &mut DomainHeap,
        closed: Closed,
    ) {
        assert!(closed.table() == self.root, "this area's slot was closed, not another's");
        while self.remove_last_vcpu(here, heap).is_some() {}
        let mut tables = Held::new(*here.reach);
        let left = paging::for_each_leaf::<M::Format>(&mut tables, self.tables_root(), |leaf| {
            panic!("{} is mapped still in a domain's area", bytes(self.layout.slot, leaf.at.get()))
        });
        assert!(left.is_ok(), "only this type writes the area's tables");
        tables.release();
        AreaTables { here, heap, id: self.id }.free(self.root);
    }

    fn tables_root(&self) -> Root {
        Root::new(self.root, Level::L1)
    }

    fn offset(&self, at: VirtAddr) -> Result<u64, AreaError> {
        at.get().checked_sub(self.layout.slot.get()).ok_or(AreaError::Outside(at))
    }

    /// The area's tables, told to the watcher at the addresses where CPUs see them.
    fn tables<'h, 'c, M: Machine, const SLOTS: usize>(
        &self,
        here: &Here<'h, M, View<'c, M, SLOTS>>,
    ) -> (Watched<'h, M, M::Format, Held<'c, M, SLOTS>>, Writer<'h, M>) {
        let writer = Writer::new(here.machine, "domain area");
        let held = Held::new(*here.reach);
        let tables = Watched::new(writer, held, self.tables_root(), Regime::Host, SeenBy::All);
        (tables.beginning_at(self.layout.slot.get()), writer)
    }

    fn explain<F: Format<Input = VirtAddr>>(&self, error: MapError<F>) -> AreaError {
        let here = |at: VirtAddr| bytes(self.layout.slot, at.get());
        match error {
            MapError::OutOfTables => AreaError::OutOfFrames,
            MapError::Overlap { at } => AreaError::Occupied(here(at)),
            MapError::Unmapped { at } | MapError::Split { at, .. } => AreaError::Vacant(here(at)),
            MapError::OutOfRange { at } | MapError::Misaligned { at } => AreaError::Outside(here(at)),
            MapError::FrameOutOfRange { .. } | MapError::Attributes(_) => {
                unreachable!("the heap's frames fit an entry, and normal memory is read or written")
            }
        }
    }
}

/// Tables of a domain's area: single frames of the domain.
struct AreaTables<'a, 'h, M, A> {
    here: &'a mut Here<'h, M, A>,
    heap: &'a mut DomainHeap,
    id: DomainId,
}

/// Tables that one request needs at most: a pool's chunk is a block at most, at the start of one.
const RESERVE: usize = 2;

/// Tables that are not linked yet.
struct Reserve(ArrayVec<Frame, RESERVE>);

impl TableSource for Reserve {
    fn allocate(&mut self) -> Option<Frame> {
        self.0.pop()
    }

    fn free(&mut self, table: Frame) {
        self.0.push(table);
    }
}

impl<M: Machine, A: Reach> AreaTables<'_, '_, M, A> {
    /// As many tables; none if there are not as many.
    fn reserve(&mut self, tables: u64) -> Option<Reserve> {
        let mut reserve = Reserve(ArrayVec::new());
        while (reserve.0.len() as u64) < tables {
            match self.allocate().map(|table| reserve.0.try_push(table)) {
                Some(Ok(())) => {}
                Some(Err(_)) => panic!("one request lies in one level 2 table and one level 3 table"),
                None => {
                    reserve.0.drain(..).for_each(|table| self.free(table));
                    return None;
                }
            }
        }
        Some(reserve)
    }
}

impl<M: Machine, A: Reach> TableSource for AreaTables<'_, '_, M, A> {
    fn allocate(&mut self) -> Option<Frame> {
        let table = self.heap.allocate(self.here, Order::FRAME, self.id.owner, self.id.node).ok()?;
        self.here.reach.clear(table);
        Some(table)
    }

    fn free(&mut self, table: Frame) {
        self.here.released(FrameRange::new(table, 1));
        self.heap
            .free(self.here, table, Order::FRAME, self.id.owner)
            .expect("the mapper frees what allocate gave it, once");
    }
}
