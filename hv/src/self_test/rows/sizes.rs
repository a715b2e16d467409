//! Pools that become blocks, and blocks that become pages again, while another CPU uses them.

use core::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;
use paging::{Entry, HostAccess, HostAttributes, Index, Level, Memory, PAGE_BYTES, Translation, VirtAddr};

use crate::arch::this::{self, HostFormat};
use crate::board::PMAP;
use crate::cpu::CpuIndex;
use crate::machine::Machine;
use crate::mm::frames::Order;
use crate::mm::heap::HeapPages;
use crate::mm::space::SizeChanges;
use crate::mm::system;
use crate::mm::this_cpu::ThisCpu;
use crate::self_test::bench::Bench;
use crate::self_test::job::Job;
use crate::self_test::live;
use crate::self_test::memory::{self, ANY, State};
use crate::self_test::request::Server;
use crate::self_test::row::{Late, Outcome, Row, When, control, ensure};
use crate::{image, sync};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::when(When::ByPage, "8.3: a pool becomes a block and pages again while another cpu uses it", changes_in_use),
    Row::when(When::Sparse, "8.3: control: without a rendezvous the other cpu faults", faults_without),
    Row::when(
        When::ByPage,
        "8.3: a block is pages again before one of them is freed, and every table comes back",
        comes_back,
    ),
];

/// Chunks of a pool: all its frames but that of its records.
const CHUNKS: usize = Order::BLOCK.get() as usize;
/// A pool's chunks, the largest one first.
type Chunks = ArrayVec<HeapPages, CHUNKS>;

/// Times that a pool changes its size under another CPU's hands.
const CYCLES: u32 = 6;

fn sizes() -> SizeChanges {
    system::with(|memory, _| memory.heap.size_changes())
}

/// Takes all of a pool but its last page.
#[inline(never)]
fn nearly_all(chunks: &mut Chunks) -> Outcome {
    for order in (1..Order::BLOCK.get()).rev() {
        chunks.push(memory::allocate(Order::new(order), ANY)?);
    }
    Ok(())
}

#[inline(never)]
fn give(chunks: &mut Chunks) -> Outcome {
    while let Some(chunk) = chunks.pop() {
        memory::free(chunk)?;
    }
    Ok(())
}

/// The level of the leaf that maps an address.
fn level_of(at: VirtAddr) -> Option<Level> {
    match paging::walk::<HostFormat>(&mut live::Tables, live::root(), at).result {
        Translation::Leaf(leaf) => Some(leaf.level),
        Translation::Invalid | Translation::Unknown | Translation::OutOfRange => None,
    }
}

/// Rounds that the CPU at work has made.
static ROUNDS: AtomicU64 = AtomicU64::new(0);

/// Looks at [`ROUNDS`] before a CPU counts as stuck.
const PATIENCE_LOOKS: u64 = 1 << 28;

/// Waits until the other CPU has made some rounds more.
fn rounds_more(rounds: u64) -> Outcome {
    let wanted = ROUNDS.load(Ordering::Relaxed) + rounds;
    let came = (0..PATIENCE_LOOKS).any(|_| {
        sync::wait();
        ROUNDS.load(Ordering::Relaxed) >= wanted
    });
    ensure!(came, "the other cpu does not get on");
    Ok(())
}

fn changes_in_use(bench: &mut Bench) -> Outcome {
    let other = bench.other()?;
    let (state, before) = (State::now(), sizes());
    let mut chunks = Chunks::new();
    for _ in 0..CYCLES {
        nearly_all(&mut chunks)?;
        let first = &chunks[0];
        for page in 0..first.frames().frames {
            memory::store(VirtAddr::new(first.at().get() + page * PAGE_BYTES), 0);
        }
        let pages = [first.at().get(), first.frames().frames];
        bench.ask(other, Job::Use, pages)?;
        let changed = change(first.at());
        let failed = bench.ask(other, Job::Release, [0; 2])?;
        give(&mut chunks)?;
        changed?;
        ensure!(failed == 0, "cpu {other} failed {failed} times to use the pool");
    }
    let SizeChanges { merged, split } = sizes();
    let cycles = u64::from(CYCLES);
    let counted = (merged - before.merged, split - before.split);
    ensure!(counted == (cycles, cycles), "{counted:?} changes in {CYCLES} cycles");
    state.ensure_back(format_args!("after {CYCLES} cycles"))
}

/// Takes the last page of a pool and gives it back: it is a block in between.
fn change(at: VirtAddr) -> Outcome {
    rounds_more(1)?;
    let last = memory::allocate(Order::FRAME, ANY)?;
    let block = level_of(at);
    let worked = rounds_more(2);
    memory::free(last)?;
    let pages = level_of(at);
    worked?;
    rounds_more(2)?;
    ensure!((block, pages) == (Some(Level::L2), Some(Level::L3)), "the pool is mapped by {block:?}, then {pages:?}");
    Ok(())
}

fn faults_without(bench: &mut Bench) -> Outcome {
    let other = bench.other()?;
    let (table, index, at) = (image::table(PMAP.table), Index::new(PMAP.first), PMAP.base);
    assert!(table.load(index) == Entry::INVALID, "controls use entries that nobody has");
    let leaf =
        HostFormat::leaf(Level::L3, bench.scratch().first, HostAttributes::new(HostAccess::Read, Memory::Normal));
    let set = |entry| {
        table.store(index, entry);
        this::tlb::publish();
    };
    set(leaf);
    let broken = bench.ask(other, Job::Read, [at.get(), 0]).and_then(|_| {
        rounds_more(2)?;
        set(Entry::INVALID);
        this::tlb::flush_page_all(at);
        let worked = rounds_more(2);
        set(leaf);
        worked
    });
    let failed = bench.ask(other, Job::Release, [0; 2]);
    set(Entry::INVALID);
    this::tlb::flush_page_all(at);
    broken?;
    let failed = failed?;
    control!(failed > 0, "cpu {other} uses an entry that is invalid");
    Ok(())
}

fn comes_back(bench: &mut Bench) -> Outcome {
    let before = State::now();
    let mut chunks = Chunks::new();
    nearly_all(&mut chunks)?;
    let by_pages = State::now().counts().tables;
    chunks.push(memory::allocate(Order::FRAME, ANY)?);
    let as_block = State::now().counts().tables;
    let at = chunks[0].at();
    for cpu in bench.cpus() {
        let probe = bench.probe(cpu, at)?;
        ensure!(probe.shows(chunks[0].frames().first), "cpu {cpu} sees {probe} in the block at {at}");
    }
    // The largest chunk goes first: the others stay in use as pages.
    let largest = chunks.swap_remove(0);
    memory::free(largest)?;
    let left: Option<&HeapPages> = chunks.first();
    let level = left.and_then(|pages| level_of(pages.at()));
    give(&mut chunks)?;
    ensure!(level == Some(Level::L3), "what stays in use is mapped by {level:?}");
    let boot = bench.probe(CpuIndex::BOOT, at)?;
    ensure!(!boot.is_page(), "{at} is {boot} after it was freed");
    ensure!(as_block < by_pages, "{by_pages} tables by pages, {as_block} as a block");
    before.ensure_back(format_args!("after all pages"))
}

/// Uses pages until told to stop: each keeps what was written in the round before. How often one could not be read, or
/// held something else.
pub(in crate::self_test) fn use_pages(at: VirtAddr, pages: u64, server: &Server) -> u64 {
    let (mut failed, mut round) = (0, 0);
    server.hold_while(0, || {
        for page in 0..pages {
            let word = VirtAddr::new(at.get() + page * PAGE_BYTES);
            failed += u64::from(this::probe::load(word) != Some(round));
            ThisCpu::new().store(word, round + 1);
            // Where a CPU waits for others it may be stopped.
            sync::poll();
        }
        round += 1;
        ROUNDS.fetch_add(1, Ordering::Relaxed);
    });
    failed
}

/// Reads a page until told to stop. How often it could not.
pub(in crate::self_test) fn read_page(at: VirtAddr, server: &Server) -> u64 {
    let mut failed = 0;
    server.hold_while(0, || {
        failed += u64::from(this::probe::load(at).is_none());
        ROUNDS.fetch_add(1, Ordering::Relaxed);
    });
    failed
}
