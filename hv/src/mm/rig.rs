//! For tests: a memory system brought up in boot's order, and a machine whose RAM costs only what is touched.
//!
//! The simulated machine (`sim`) has hostile CPUs and dense RAM; this one has one honest CPU, banks anywhere, and counts.

mod faulty;
mod no_tables;
pub(crate) mod asked;
pub(crate) mod whole;

pub(crate) use faulty::{Faulty, Loses};
pub(crate) use no_tables::NoTables;

use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::vec::Vec;

use paging::{El2, Entry, Format, Frame, FrameRange, Index, Level, Root, TableAccess, VirtAddr};

use crate::cpu::CpuIndex;
use crate::machine::Machine;
use crate::mm::boot_alloc::BootAllocator;
use crate::mm::buddy::{DomainHeap, FeedError};
use crate::mm::entry::Unwatched;
use crate::mm::frames::{Arrays, Bank, Frames, Node};
use crate::mm::heap::{Area, Backing, Chosen, Ground, Heap, Leaves, Policy, Window};
use crate::mm::here::{Here, Reach};
use crate::mm::space::{BootTables, Space, SpaceError};
use crate::mm::vmap::Vmap;
use crate::sim::{HostFormat, Sim};

/// Frames of a gigabyte.
pub(crate) const GIB: u64 = 1 << 18;
/// Frames of a block.
pub(crate) const BLOCK: u64 = 512;

const BASE: u64 = 0x0a00_0000_0000;
pub(crate) const ARRAYS: Arrays =
    Arrays { blocks: VirtAddr::new(BASE + 0x10_0000_0000), frames: VirtAddr::new(BASE + 0x20_0000_0000) };
pub(crate) const LISTS: VirtAddr = VirtAddr::new(BASE + 0x30_0000_0000);
pub(crate) const VMAP: VirtAddr = VirtAddr::new(BASE + 0x40_0000_0000);
pub(crate) const VMAP_PAGES: u64 = 2 * 32768;
pub(crate) const AREA: Area = Area { base: VirtAddr::new(BASE + 0x50_0000_0000), slots: 4096 };
/// Slot 256: the first one of the directmap window; bytes of what a root translates.
pub(crate) const WINDOW: u64 = 0x8000_0000_0000;

/// A bank of node 0.
pub(crate) fn bank(first: u64, frames: u64) -> Bank {
    Bank { frames: FrameRange::new(Frame::new(first), frames), node: Node(0) }
}

/// How the heap is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) policy: Policy,
    pub(crate) leaves: Leaves,
}

impl Choice {
    pub(crate) const ALL: [Self; 5] = [
        Self { policy: Policy::Full, leaves: Leaves::Pages },
        Self { policy: Policy::OnDemand, leaves: Leaves::Pages },
        Self { policy: Policy::OnDemand, leaves: Leaves::Blocks },
        Self { policy: Policy::None, leaves: Leaves::Pages },
        Self { policy: Policy::None, leaves: Leaves::Blocks },
    ];
}

/// The memory system after boot.
pub(crate) struct System {
    pub(crate) space: Space,
    pub(crate) domain: DomainHeap,
    pub(crate) vmap: Vmap,
    pub(crate) heap: Heap<Chosen>,
}

/// Brings it up in boot's order.
pub(crate) fn boot(
    here: &mut Here<'_, impl Machine, impl Reach>,
    root: Frame,
    banks: &[Bank],
    reserved: &[FrameRange],
    choice: Choice,
) -> Result<System, FeedError> {
    boot_in(here, Space::new(root), banks, reserved, choice)
}

/// The same, where no more than `frames` frames are handed out.
pub(crate) fn boot_rationed(
    here: &mut Here<'_, impl Machine, impl Reach>,
    root: Frame,
    banks: &[Bank],
    reserved: &[FrameRange],
    choice: Choice,
    frames: u64,
) -> Result<System, FeedError> {
    let mut allocator = allocator(banks, reserved);
    allocator.ration.limit(frames);
    boot_from(here, allocator, Space::new(root), banks, choice)
}

fn allocator(banks: &[Bank], reserved: &[FrameRange]) -> BootAllocator {
    let ram = banks.iter().map(|bank| bank.frames);
    BootAllocator::new(ram, reserved.iter().copied()).expect("few ranges")
}

/// The same, for a space that was made for these cores.
pub(crate) fn boot_in(
    here: &mut Here<'_, impl Machine, impl Reach>,
    space: Space,
    banks: &[Bank],
    reserved: &[FrameRange],
    choice: Choice,
) -> Result<System, FeedError> {
    boot_from(here, allocator(banks, reserved), space, banks, choice)
}

fn boot_from(
    here: &mut Here<'_, impl Machine, impl Reach>,
    mut frames: BootAllocator,
    space: Space,
    banks: &[Bank],
    choice: Choice,
) -> Result<System, FeedError> {
    let mut tables = BootTables::new(&mut frames);
    let mut space = space;
    space.make_root_entries(here, &mut tables, VirtAddr::new(BASE), Level::L0.entry_bytes())?;
    let records = Frames::new(here, &mut tables, &mut space, ARRAYS, Vec::leak(banks.to_vec()))?;
    let vmap = Vmap::new(here, &mut tables, space, VMAP, VMAP_PAGES)?;
    let heap = Heap::new(backing(here, &mut tables, space, banks, choice)?);
    let domain = DomainHeap::new(here, frames, records, space, LISTS)?;
    Ok(System { space, domain, vmap, heap })
}

fn backing<M: Machine>(
    here: &mut Here<'_, M, impl Reach>,
    tables: &mut BootTables<'_>,
    space: Space,
    banks: &[Bank],
    choice: Choice,
) -> Result<Chosen, SpaceError> {
    let first = banks[0].frames.first.number() / GIB * GIB;
    let window = Window { base: M::Format::input(WINDOW), first: Frame::new(first) };
    let ram: Vec<FrameRange> = banks.iter().map(|bank| bank.frames).collect();
    Chosen::begin(here, tables, &Ground { space, window, ram: &ram, area: AREA, leaves: choice.leaves }, choice.policy)
}

/// The simulated machine's memory, past its MMU.
pub(crate) struct Direct<'s, F: HostFormat>(pub(crate) &'s Sim<F>);

impl<F: HostFormat> TableAccess for Direct<'_, F> {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        Entry::new(self.0.memory.load(table, index).expect("tables lie in RAM"))
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        self.0.memory.store(table, index, entry.get()).expect("tables lie in RAM");
    }
}

impl<F: HostFormat> Reach for Direct<'_, F> {
    fn clear(&mut self, frame: Frame) {
        Index::all().for_each(|index| self.write(frame, index, Entry::INVALID));
    }
}

/// A machine with sparse RAM. Words that nobody has written are not zero.
pub(crate) struct Sparse {
    pages: RefCell<BTreeMap<u64, Box<[u64; 512]>>>,
    root: Frame,
    pub(crate) loads: Cell<u64>,
    pub(crate) stores: Cell<u64>,
    pub(crate) entry_writes: Cell<u64>,
    pub(crate) flushes: Cell<u64>,
    pub(crate) rendezvous: Cell<u64>,
}

const DIRT: u64 = 0xdddd_dddd_dddd_dddd;

impl Sparse {
    /// A machine whose root is in `root`.
    pub(crate) fn new(root: Frame) -> Self {
        let machine = Self {
            pages: RefCell::default(),
            root,
            loads: Cell::new(0),
            stores: Cell::new(0),
            entry_writes: Cell::new(0),
            flushes: Cell::new(0),
            rendezvous: Cell::new(0),
        };
        (&machine).clear(root);
        machine
    }

    /// Frames that were ever written.
    pub(crate) fn touched(&self) -> Vec<u64> {
        self.pages.borrow().keys().copied().collect()
    }

    pub(crate) fn translate(&self, at: VirtAddr) -> Option<Frame> {
        let root = Root::new(self.root, Level::L0);
        paging::walk::<El2>(&mut &*self, root, at).physical().map(Frame::containing)
    }

    fn place(&self, at: VirtAddr) -> (Frame, Index) {
        let frame = self.translate(at).unwrap_or_else(|| panic!("{at} is not mapped"));
        (frame, Index::new((at.page_offset() / 8) as usize))
    }

    fn word(&self, frame: Frame, index: Index) -> u64 {
        self.pages.borrow().get(&frame.number()).map_or(DIRT, |page| page[index.get()])
    }

    fn set_word(&self, frame: Frame, index: Index, value: u64) {
        let mut pages = self.pages.borrow_mut();
        pages.entry(frame.number()).or_insert_with(|| Box::new([DIRT; 512]))[index.get()] = value;
    }
}

fn bump(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl TableAccess for &Sparse {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        Entry::new(self.word(table, index))
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        bump(&self.entry_writes);
        self.set_word(table, index, entry.get());
    }
}

impl Reach for &Sparse {
    fn clear(&mut self, frame: Frame) {
        Index::all().for_each(|index| self.set_word(frame, index, 0));
    }
}

impl Machine for Sparse {
    type Format = El2;
    type Watch = Unwatched;

    fn watch(&self) -> &Unwatched {
        &Unwatched
    }

    fn cpu(&self) -> CpuIndex {
        CpuIndex::BOOT
    }

    fn publish(&self) {}

    fn flush_page_local(&self, _: VirtAddr) {}

    fn flush_local(&self) {}

    fn flush_page_all(&self, _: VirtAddr) {
        bump(&self.flushes);
    }

    fn flush_all(&self) {}

    fn without_interrupts<R>(&self, body: impl FnOnce() -> R) -> R {
        body()
    }

    fn rendezvous<R>(&self, body: impl FnOnce() -> R) -> R {
        bump(&self.rendezvous);
        body()
    }

    fn load(&self, at: VirtAddr) -> u64 {
        bump(&self.loads);
        let (frame, index) = self.place(at);
        self.word(frame, index)
    }

    fn store(&self, at: VirtAddr, value: u64) {
        bump(&self.stores);
        let (frame, index) = self.place(at);
        self.set_word(frame, index, value);
    }

    fn exchange(&self, _: VirtAddr, _: u64, _: u64) -> bool {
        unreachable!("the allocators share no word with a guest");
    }

    fn copy_out(&self, _: VirtAddr, _: &mut [u8]) {
        unreachable!("the allocators copy nothing");
    }

    fn copy_in(&self, _: VirtAddr, _: &[u8]) {
        unreachable!("the allocators copy nothing");
    }

    fn copy(&self, _: VirtAddr, _: VirtAddr, _: u64) {
        unreachable!("the allocators copy nothing");
    }

    fn zero(&self, at: VirtAddr, bytes: u64) {
        assert_eq!((at.page_offset(), bytes), (0, paging::PAGE_BYTES));
        (&mut &*self).clear(self.place(at).0);
    }

    fn clean(&self, _: VirtAddr, _: u64) {}
}

/// A machine with these banks of node 0, its root in the first frame; and what `test` says of its memory system.
pub(crate) fn with<R>(
    banks: &[Bank],
    reserved: &[FrameRange],
    choice: Choice,
    test: impl FnOnce(&Sparse, &mut Here<'_, Sparse, &Sparse>, &mut System) -> R,
) -> R {
    let root = banks[0].frames.first;
    let machine = Sparse::new(root);
    let reserved: Vec<_> = reserved.iter().copied().chain([FrameRange::new(root, 1)]).collect();
    let mut reach = &machine;
    let mut here = Here::new(&machine, &mut reach);
    let mut system = boot(&mut here, root, banks, &reserved, choice).expect("the machine is large enough");
    test(&machine, &mut here, &mut system)
}
