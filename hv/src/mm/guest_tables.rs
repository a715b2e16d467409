//! A domain's own translation: stage 2, NPT or EPT tables, whichever format the machine has.
//!
//! Tables are frames of the domain, out of a pool with a limit; how they are reached is a [`Retention`]. One lock guards
//! a domain's tables (the caller's): edits take them exclusively, walks share them. Nothing that was unmapped is given
//! to anybody before every CPU has forgotten it.

mod access;
mod pool;
mod teardown;
#[cfg(test)]
mod tests;

pub use pool::TABLES_MAX;

use core::fmt;
use core::marker::PhantomData;

use paging::{
    Decoded, Entry, Format, FrameRange, GuestAttributes, Index, Ipa, Leaf, Level, MapError, Mapper, Removed, Root,
    Step, TableAccess, TableSource, Translation,
};

use crate::machine::{GuestMachine, Machine};
use crate::mm::buddy::{AllocError, DomainHeap};
use crate::mm::domain_area::{AreaError, DomainArea, DomainId};
use crate::mm::entry::tables::{Regime, Watched};
use crate::mm::entry::{Event, Scope, SeenBy, Writer};
use crate::mm::here::Here;
use crate::mm::mapcache::View;
use crate::mm::vmap::{Vmap, VmapError};
use access::Reached;
use pool::{Pool, Source};

/// A format of guests' tables.
pub trait NestedFormat: Format<Input = Ipa, Attributes = GuestAttributes> {}

impl<F: Format<Input = Ipa, Attributes = GuestAttributes>> NestedFormat for F {}

/// How the tables of a domain are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// The map cache maps a table whenever it is touched.
    MapCache,
    /// Every table is mapped for good, for everybody to see.
    Resident,
    /// Every table is mapped in the domain's area: in sight while the domain is loaded. The map cache serves otherwise.
    PoolWindow,
}

/// What the tables of a domain are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablesPlan {
    /// Where the root stands.
    pub root_level: Level,
    /// Leaves are no larger than those of this level.
    pub largest_leaf: Level,
    /// How tables are reached.
    pub retention: Retention,
    /// Frames that the domain may have for tables: [`TABLES_MAX`] at most.
    pub limit_frames: u64,
}

/// What tables are made of, and where they are mapped. Guarded by the memory system's lock, the area by the domain's.
pub struct Stores<'s> {
    /// Where frames come from.
    pub heap: &'s mut DomainHeap,
    /// Where resident tables are mapped.
    pub vmap: &'s mut Vmap,
    /// Where the pool window is.
    pub area: &'s mut DomainArea,
}

/// Why a guest's translations were not changed: they are as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TablesError<F: Format> {
    /// The tables do not allow it.
    Map(MapError<F>),
    /// The domain may have no more tables.
    Limit,
    /// No frames left.
    Frames(AllocError),
    /// The pool window cannot be mapped.
    Area(AreaError),
    /// Resident tables cannot be mapped.
    Vmap(VmapError),
}

impl<F: Format> From<MapError<F>> for TablesError<F> {
    fn from(error: MapError<F>) -> Self {
        Self::Map(error)
    }
}

impl<F: Format> fmt::Display for TablesError<F> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(error) => write!(out, "guest's tables: {error}"),
            Self::Limit => out.write_str("guest's tables: the domain may have no more"),
            Self::Frames(error) => write!(out, "guest's tables: {error}"),
            Self::Area(error) => write!(out, "guest's tables: {error}"),
            Self::Vmap(error) => write!(out, "guest's tables: {error}"),
        }
    }
}

/// One domain's tables.
#[derive(Debug)]
pub struct GuestTables<F> {
    id: DomainId,
    root: Root,
    largest_leaf: Level,
    pool: Pool,
    format: PhantomData<F>,
}

/// The tables as the mapper edits them, and where it gets others.
type Edit<'p, 'h, 'c, M, F, const SLOTS: usize> =
    (Watched<'h, M, F, Reached<'p, 'h, 'c, M, SLOTS>>, Source<'p>, Writer<'h, M>);

impl<F: NestedFormat> GuestTables<F> {
    /// A root that translates nothing.
    ///
    /// # Errors
    /// Every frame is back.
    pub fn new<M: Machine, const SLOTS: usize>(
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
        id: DomainId,
        plan: TablesPlan,
    ) -> Result<Self, TablesError<F>> {
        let mut pool = Pool::new(id, plan.retention, plan.limit_frames, stores.area.layout().pool);
        pool.ensure(here, stores, 1)?;
        let root = Root::new(pool.take().expect("one was made sure of"), plan.root_level);
        Ok(Self { id, root, largest_leaf: plan.largest_leaf, pool, format: PhantomData })
    }

    /// Where the processor begins.
    pub fn root(&self) -> Root {
        self.root
    }

    /// Whose they are.
    pub fn id(&self) -> DomainId {
        self.id
    }

    /// How they are reached.
    pub fn retention(&self) -> Retention {
        self.pool.retention()
    }

    /// Tables in use, the root among them.
    pub fn tables(&self) -> u64 {
        self.pool.used()
    }

    /// Frames of the pool.
    pub fn pool_frames(&self) -> u64 {
        self.pool.frames()
    }

    /// What translates `at`.
    pub fn translate<M: Machine, const SLOTS: usize>(
        &self,
        here: &Here<'_, M, View<'_, M, SLOTS>>,
        at: Ipa,
    ) -> Option<Leaf<F>> {
        match paging::translate::<F>(&mut self.reached(here), self.root, at, |_| ()) {
            Translation::Leaf(leaf) => Some(leaf),
            Translation::Invalid | Translation::Unknown | Translation::OutOfRange => None,
        }
    }

    /// Maps `frames` from `at` on, with the largest leaves that fit; seen by CPUs from now on.
    ///
    /// # Errors
    /// The translations are as they were; the pool may have kept a chunk.
    pub fn map<M: Machine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
        at: Ipa,
        frames: FrameRange,
        attributes: GuestAttributes,
    ) -> Result<(), TablesError<F>> {
        let mapper = self.mapper();
        let needed = mapper.tables_needed(&mut self.reached(here), at, frames, attributes)?;
        self.pool.ensure(here, stores, needed)?;
        let (mut tables, mut source, writer) = self.edit(here);
        mapper.map(&mut tables, &mut source, at, frames, attributes)?;
        writer.publish();
        Ok(())
    }

    /// Unmaps `pages` pages, all of which are mapped; leaves of which only a part goes are split first. Each leaf that
    /// went is told: when this returns every CPU has forgotten it, and not before.
    ///
    /// # Errors
    /// The translations are as they were.
    pub fn unmap<M: GuestMachine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
        at: Ipa,
        pages: u64,
        mut each: impl FnMut(Leaf<F>),
    ) -> Result<(), TablesError<F>> {
        let mapper = self.mapper();
        loop {
            let (mut tables, mut source, writer) = self.edit(here);
            let removed = |removed: Removed<F>| match removed {
                Removed::Leaf(leaf) => each(leaf),
                // Back in the pool, out of which nothing is taken before this returns.
                Removed::Table { .. } => {}
            };
            match mapper.unmap(&mut tables, &mut source, at, pages, removed) {
                Ok(()) => {
                    drop(tables);
                    flush(&writer, self.id);
                    self.pool.shrink(here, stores);
                    return Ok(());
                }
                Err(MapError::Split { at, .. }) => self.split(here, stores, at)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes a table of the leaf that spans `at`, translating the same. The leaf is invalid, and forgotten, in between:
    /// a guest that touches it then exits, and finds it translated when this is done.
    fn split<M: GuestMachine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'_, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
        at: Ipa,
    ) -> Result<(), TablesError<F>> {
        self.pool.ensure(here, stores, 1)?;
        let (id, root) = (self.id, self.root);
        let (mut tables, mut source, writer) = self.edit(here);
        let walk = paging::walk::<F>(&mut tables, root, at);
        let Step { table, level, index, entry } = walk.steps().last().expect("a walk reads its root");
        let child = level.child().expect("pages are not split");
        let Decoded::Leaf { frame, attributes } = F::decode(level, entry) else {
            return Err(MapError::Unmapped { at }.into());
        };
        let next = source.allocate().expect("one was made sure of");
        for part in Index::all() {
            let frame = frame.add(part.get() as u64 * child.entry_frames());
            tables.write(next, part, F::leaf(child, frame, attributes));
        }
        tables.write(table, index, Entry::INVALID);
        flush(&writer, id);
        tables.write(table, index, F::table(next));
        writer.publish();
        Ok(())
    }

    /// The end of the tables. Every leaf of normal memory is told after every CPU has forgotten it, so that its frames
    /// can be given away; then every frame of the pool is back, and nothing is left to be used.
    pub fn destroy<'h, M: GuestMachine, const SLOTS: usize>(
        &mut self,
        here: &mut Here<'h, M, View<'_, M, SLOTS>>,
        stores: &mut Stores<'_>,
        mut each: impl FnMut(&mut Here<'h, M, View<'_, M, SLOTS>>, &mut DomainHeap, FrameRange),
    ) {
        let root = self.root;
        let (mut tables, _, writer) = self.edit(here);
        teardown::park::<F>(&mut tables, root);
        drop(tables);
        flush(&writer, self.id);
        let mut reached = self.reached(here);
        teardown::reap(&mut reached, root, &mut |reached, frames| {
            reached.release();
            each(here, stores.heap, frames);
        });
        // The pool's frames are not given away while one of them is mapped here.
        drop(reached);
        self.pool.destroy(here, stores);
    }

    fn mapper(&self) -> Mapper<F> {
        Mapper::new(self.root).with_largest_leaf(self.largest_leaf)
    }

    fn reached<'p, 'h, 'c, M: Machine, const SLOTS: usize>(
        &'p self,
        here: &Here<'h, M, View<'c, M, SLOTS>>,
    ) -> Reached<'p, 'h, 'c, M, SLOTS> {
        self.pool.reached(here)
    }

    fn edit<'p, 'h, 'c, M: Machine, const SLOTS: usize>(
        &'p mut self,
        here: &Here<'h, M, View<'c, M, SLOTS>>,
    ) -> Edit<'p, 'h, 'c, M, F, SLOTS> {
        let writer = Writer::new(here.machine, "guest tables");
        let regime = Regime::Guest { vmid: self.id.vmid };
        let (reached, source) = self.pool.edit(here);
        (Watched::new(writer, reached, self.root, regime, SeenBy::All), source, writer)
    }
}

/// Every CPU forgets the guest, and the watcher knows.
fn flush<M: GuestMachine>(writer: &Writer<'_, M>, id: DomainId) {
    writer.machine().flush_guest(id.vmid);
    writer.tell(Event::Flush { scope: Scope::Guest { vmid: id.vmid }, on: SeenBy::All });
}
