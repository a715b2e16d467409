//! Where a domain's tables come from: chunks of one size out of the domain heap, the domain's own, as many as its limit
//! allows.
//!
//! Tables that are free are zero. A chunk is mapped, where the retention says so, before any of it is used, and unmapped
//! on every CPU before it goes back. From a frame to its address is one look-up in a small hash table.

mod chunks;
mod free;

pub(super) use chunks::Chunks;

use paging::{Frame, FrameRange, HostAccess, TableSource, VirtAddr};

use super::access::{Reached, Way};
use super::{NestedFormat, Retention, Stores, TablesError};
use crate::machine::Machine;
use crate::mm::domain_area::DomainId;
use crate::mm::frames::{Order, READ_WRITE};
use crate::mm::here::Here;
use crate::mm::mapcache::{Held, Owner, View};
use crate::mm::vmap::Mapping;
use chunks::{CHUNKS, Chunk, ORDER_MAX};
use free::FreeTables;

/// Tables that a domain may have.
pub const TABLES_MAX: u64 = CHUNKS as u64 * ORDER_MAX.frames();

/// The pool.
#[derive(Debug)]
pub(super) struct Pool {
    id: DomainId,
    retention: Retention,
    limit: usize,
    /// Where the pool window begins.
    window: VirtAddr,
    chunks: Chunks,
    free: FreeTables,
}

impl Pool {
    /// An empty pool that never has more than `limit_frames` frames.
    ///
    /// # Panics
    /// When that is more than [`TABLES_MAX`]: the planner refuses it.
    pub(super) fn new(id: DomainId, retention: Retention, limit_frames: u64, window: VirtAddr) -> Self {
        assert!(limit_frames <= TABLES_MAX, "the plan limits a domain's tables to what a pool can hold");
        // The smallest chunks of which no more are needed than there is room for.
        let order = Order::holding(limit_frames.div_ceil(CHUNKS as u64)).expect("a chunk is a block at most");
        let limit = (limit_frames / order.frames()) as usize;
        Self { id, retention, limit, window, chunks: Chunks::new(order), free: FreeTables::NONE }
    }

    pub(super) fn retention(&self) -> Retention {
        self.retention
    }

    pub(super) fn frames(&self) -> u64 {
        self.chunks.count() as u64 * self.chunks.order().frames()
    }

    pub(super) fn used(&self) -> u64 {
        self.frames() - self.free.count()
    }

    /// Makes sure that `tables` are free.
    ///
    /// # Errors
    /// One free chunk may have been kept.
    pub(super) fn ensure<F: NestedFormat, M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
        tables: u64,
    ) -> Result<(), TablesError<F>> {
        while self.free.count() < tables {
            if let Err(error) = self.grow(here, stores) {
                self.shrink(here, stores);
                return Err(error);
            }
        }
        Ok(())
    }

    /// One more chunk.
    fn grow<F: NestedFormat, M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
    ) -> Result<(), TablesError<F>> {
        let number = self.chunks.vacant().filter(|number| *number < self.limit).ok_or(TablesError::Limit)?;
        let DomainId { owner, node, .. } = self.id;
        let order = self.chunks.order();
        let first = stores.heap.allocate(here, order, owner, node).map_err(TablesError::Frames)?;
        let frames = FrameRange::new(first, order.frames());
        for table in 0..frames.frames {
            let page = here.reach.map_foreign(first.add(table));
            page.expect("clearing a table holds one slot, and the planner left room for it").zero();
        }
        match self.show(here, stores, number, frames) {
            Ok(resident) => {
                self.chunks.insert(number, Chunk { first, resident });
                self.free.add_chunk(number, order.frames());
                Ok(())
            }
            Err(error) => {
                stores.heap.free(here, first, order, owner).expect("it was allocated just now");
                Err(error)
            }
        }
    }

    /// Maps a chunk where tables of this domain are looked for.
    fn show<F: NestedFormat, M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
        number: usize,
        frames: FrameRange,
    ) -> Result<Option<Mapping>, TablesError<F>> {
        match self.retention {
            Retention::MapCache => Ok(None),
            Retention::Resident => {
                let mapping = stores.vmap.map(here, stores.heap, frames, READ_WRITE);
                mapping.map(Some).map_err(TablesError::Vmap)
            }
            Retention::PoolWindow => {
                let at = self.chunks.window_address(self.window, number);
                let mapped = stores.area.map(here, stores.heap, at, frames, HostAccess::ReadWrite);
                mapped.map(|()| None).map_err(TablesError::Area)
            }
        }
    }

    /// Gives chunks back none of which is used, all but one.
    pub(super) fn shrink<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
    ) {
        let order = self.chunks.order();
        let mut kept = None;
        for number in 0..CHUNKS {
            let unused = self.chunks.has(number) && self.free.in_chunk(number) == order.frames();
            if unused && kept.replace(number).is_some() {
                self.give_back(here, stores, number);
            }
        }
    }

    /// Gives every chunk back, whatever is used of it.
    pub(super) fn destroy<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
    ) {
        for number in 0..CHUNKS {
            if self.chunks.has(number) {
                self.give_back(here, stores, number);
            }
        }
    }

    fn give_back<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
        number: usize,
    ) {
        let (DomainId { owner, .. }, order) = (self.id, self.chunks.order());
        let Chunk { first, resident } = self.chunks.remove(number);
        self.free.remove_chunk(number);
        let frames = FrameRange::new(first, order.frames());
        let hidden = match (self.retention, resident) {
            (Retention::Resident, Some(mapping)) => stores.vmap.unmap(here, stores.heap, mapping).is_ok(),
            (Retention::PoolWindow, _) => {
                let at = self.chunks.window_address(self.window, number);
                stores.area.unmap(here, stores.heap, at, frames.frames, |_| ()).is_ok()
            }
            (Retention::MapCache | Retention::Resident, _) => true,
        };
        let done = if hidden {
            here.released(frames);
            stores.heap.free(here, first, order, owner)
        } else {
            // Somebody may reach it still: never to be used again.
            stores.heap.quarantine(here, first, order, owner)
        };
        done.expect("grow has allocated this chunk, and nobody else frees it");
    }

    /// Takes a free table, of which [`Pool::ensure`] made sure.
    pub(super) fn take(&mut self) -> Option<Frame> {
        self.free.take().map(|(chunk, table)| self.chunks.frame(chunk, table))
    }

    /// The tables, as this CPU reaches them now.
    pub(super) fn reached<'p, 'h, 'c, M: Machine, const SLOTS: usize>(
        &'p self,
        here: &Here<'h, M, View<'c, M, SLOTS>>,
    ) -> Reached<'p, 'h, 'c, M, SLOTS> {
        Reached::new(here.machine, &self.chunks, self.way(here.reach), Held::new(*here.reach))
    }

    /// The same, and where others are taken from meanwhile.
    pub(super) fn edit<'p, 'h, 'c, M: Machine, const SLOTS: usize>(
        &'p mut self,
        here: &Here<'h, M, View<'c, M, SLOTS>>,
    ) -> (Reached<'p, 'h, 'c, M, SLOTS>, Source<'p>) {
        let way = self.way(here.reach);
        let Self { chunks, free, .. } = self;
        (Reached::new(here.machine, chunks, way, Held::new(*here.reach)), Source { chunks, free })
    }

    fn way<M: Machine, const SLOTS: usize>(&self, view: &View<'_, M, SLOTS>) -> Way {
        match self.retention {
            Retention::MapCache => Way::MapCache,
            Retention::Resident => Way::Resident,
            Retention::PoolWindow if view.loaded() == Owner::Domain(self.id.vmid) => Way::Window(self.window),
            Retention::PoolWindow => Way::MapCache,
        }
    }
}

/// The pool while its tables are edited. Tables that come back are not taken again before the edit is over.
pub(super) struct Source<'p> {
    chunks: &'p Chunks,
    free: &'p mut FreeTables,
}

impl TableSource for Source<'_> {
    fn allocate(&mut self) -> Option<Frame> {
        self.free.take().map(|(chunk, table)| self.chunks.frame(chunk, table))
    }

    fn free(&mut self, table: Frame) {
        let (chunk, table) = self.chunks.find(table).expect("the mapper frees what allocate gave it");
        self.free.give(chunk, table);
    }
}
