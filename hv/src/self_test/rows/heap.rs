//! The hypervisor's heap: a page is seen on every CPU while it is allocated, and on none afterwards.

use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering};

use arrayvec::ArrayVec;
use paging::{PAGE_BYTES, VirtAddr};

use crate::arch::this::HostFormat;
use crate::board::HEAP;
use crate::mm::frames::{Order, Use};
use crate::mm::heap::{HeapError, HeapPages};
use crate::mm::mapcache;
use crate::mm::system::{self, System};
use crate::say;
use crate::self_test::bench::Bench;
use crate::self_test::job::Job;
use crate::self_test::live;
use crate::self_test::memory::{self, ANY, State};
use crate::self_test::probe::Probe;
use crate::self_test::row::{Late, Outcome, Row, When, control, ensure};
use crate::self_test::rows::tables::is_remembered;

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("p8: a heap page is the same page on every cpu", same_everywhere),
    Row::when(When::Sparse, "p8: a freed page is seen on no cpu, not even by one that has just used it", seen_nowhere),
    Row::when(When::Full, "p8: under full a freed page stays in sight, and nothing is mapped for one", stays_in_sight),
    Row::new("p8: whichever frame is refused, a page leaves nothing mapped", refused),
    Row::when(When::Elastic, "p8: random allocations and frees end where they began", random),
    Row::new("p8: two cpus allocate and free at once", two_at_once),
    Row::when(When::ByPage, "p9: tables come from the heap once it has its first block", tables_of_the_heap),
    Row::when(When::Elastic, "heap: pools grow out of free memory and go back to it", elastic),
    Row::when(When::Fixed, "heap: fixed pools have what was set aside and no page more", fixed),
];

const VALUE: u64 = 0x0e4b_0000_a110_c000;

fn same_everywhere(bench: &mut Bench) -> Outcome {
    let pages = memory::allocate(Order::new(1), ANY)?;
    let seen = is_everywhere(bench, &pages);
    memory::free(pages)?;
    seen
}

fn is_everywhere(bench: &Bench, pages: &HeapPages) -> Outcome {
    for page in 0..pages.frames().frames {
        let at = VirtAddr::new(pages.at().get() + page * PAGE_BYTES);
        let frame = pages.frames().first.add(page);
        memory::store(at, VALUE + page);
        for cpu in bench.cpus() {
            let probe = bench.probe(cpu, at)?;
            let wanted = Probe::Page { frame, writable: true, executable: false };
            ensure!(probe == wanted, "cpu {cpu} sees {probe} at {at}, not {wanted}");
            let value = bench.ask(cpu, Job::Load, [at.get(), 0])?;
            ensure!(value == VALUE + page, "cpu {cpu} reads {value:#x} at {at}");
        }
        let (back, there) = system::with(|memory, here| {
            let System { domain, heap, .. } = memory;
            (heap.frame_of(here, domain, at), heap.address_of(here, domain, frame))
        });
        ensure!(back == Some(frame) && there == Some(at), "{at} and {frame} are not each other's");
    }
    Ok(())
}

fn seen_nowhere(bench: &mut Bench) -> Outcome {
    let other = bench.other()?;
    let pages = memory::allocate(Order::FRAME, ANY)?;
    let (at, frames) = (pages.at(), pages.frames());
    memory::store(at, VALUE);
    let used = bench.ask(other, Job::HoldUsed, [at.get(), 0]);
    memory::free(pages)?;
    let still = bench.ask(other, Job::Release, [0; 2])?;
    let used = used?;
    control!(used == VALUE, "cpu {other} reads {used:#x} before the page is freed");
    ensure!(still == 0, "cpu {other} reads {at} after the page was freed");
    for cpu in bench.cpus() {
        let probe = bench.probe(cpu, at)?;
        ensure!(probe == Probe::NoTranslation, "cpu {cpu} sees {probe} at {at}");
        let leaves = bench.leading_to(cpu, frames)?;
        ensure!(leaves == 0, "cpu {cpu} has {leaves} leaves to {frames}");
    }
    let remembered = is_remembered(bench, other)?;
    control!(remembered, "cpu {other} forgets a page that nobody asks it to forget");
    Ok(())
}

fn stays_in_sight(bench: &mut Bench) -> Outcome {
    let tables = || system::with(|memory, _| memory.domain.counts().tables);
    let before = (tables(), maps());
    let pages = memory::allocate(Order::FRAME, ANY)?;
    let (at, frame) = (pages.at(), pages.frames().first);
    let during = tables();
    memory::free(pages)?;
    ensure!(during == before.0, "{} tables are lent", during - before.0);
    ensure!(maps() == before.1, "the map cache maps {} pages", maps() - before.1);
    for cpu in bench.cpus() {
        let probe = bench.probe(cpu, at)?;
        ensure!(probe.shows(frame), "cpu {cpu} sees {probe} at {at}");
    }
    Ok(())
}

/// Pages that this CPU's map cache has mapped so far.
fn maps() -> u64 {
    mapcache::here().figures().hits + mapcache::here().figures().misses
}

fn refused(_bench: &mut Bench) -> Outcome {
    for order in [Order::FRAME, Order::new(5), Order::BLOCK, Order::new(10)] {
        let asked = memory::refuse_each(
            |memory, here| memory.heap.allocate(here, &mut memory.domain, order, ANY),
            memory::free,
        )?;
        ensure!(asked > 0, "pages of {order:?} ask for no frame");
    }
    Ok(())
}

/// Steps of the random row, unless `xtask` has written another number into the image.
static RANDOM_STEPS: AtomicU64 = AtomicU64::new(1_000);
/// Steps before them, after which the heap has the tables that it keeps.
const WARM_UP_STEPS: u64 = 10;
/// Chunks that it holds at most.
const HELD_MAX: usize = 24;

fn random(_bench: &mut Bench) -> Outcome {
    // Nothing in the image stores to it, which the compiler must not conclude anything from.
    let steps = black_box(&RANDOM_STEPS).load(Ordering::Relaxed);
    churn(1, WARM_UP_STEPS)?;
    let before = State::now();
    let kept = memory::allocate(Order::FRAME, ANY)?;
    let differs = State::now() != before;
    churn(2, steps)?;
    memory::free(kept)?;
    control!(differs, "a page that is kept is not seen to be gone");
    say!("p8: {steps} random steps");
    before.ensure_back(format_args!("after {steps} steps"))
}

/// Numbers that look random. Knuth's MMIX constants.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Allocates and frees at random on the calling CPU, and frees all in the end; every chunk keeps what was written to it.
pub(in crate::self_test) fn churn(seed: u64, steps: u64) -> Outcome {
    let mut random = Random(seed);
    let mut held: ArrayVec<(HeapPages, u64), HELD_MAX> = ArrayVec::new();
    for step in 0..steps {
        if held.is_full() || (!held.is_empty() && random.below(2) == 0) {
            let which = random.below(held.len() as u64) as usize;
            give(held.swap_remove(which))?;
            continue;
        }
        // Eight pages at most: fixed pools have room for all that is held.
        let pages = memory::allocate(Order::new(random.below(4) as u8), ANY)?;
        let value = seed << 32 | step;
        memory::store(last_word(&pages), value);
        held.push((pages, value));
    }
    // One by one: a stack of 16 KiB has no room for a copy of them all.
    while let Some(last) = held.pop() {
        give(last)?;
    }
    Ok(())
}

fn last_word(pages: &HeapPages) -> VirtAddr {
    VirtAddr::new(pages.at().get() + pages.frames().bytes() - size_of::<u64>() as u64)
}

fn give((pages, value): (HeapPages, u64)) -> Outcome {
    let (at, found) = (pages.at(), memory::load(last_word(&pages)));
    memory::free(pages)?;
    ensure!(found == value, "{at} holds {found:#x}, not {value:#x}");
    Ok(())
}

/// Steps of each of two CPUs.
const SHARED_STEPS: u64 = 200;

fn two_at_once(bench: &mut Bench) -> Outcome {
    let other = bench.other()?;
    let before = State::now();
    bench.begin(other, Job::Churn, [3, SHARED_STEPS]);
    let own = churn(4, SHARED_STEPS);
    let failed = bench.end(other)?;
    own?;
    ensure!(failed == 0, "cpu {other} failed");
    before.ensure_back(format_args!("after both"))
}

fn tables_of_the_heap(_bench: &mut Bench) -> Outcome {
    let pages = memory::allocate(Order::FRAME, ANY)?;
    let walk = paging::walk::<HostFormat>(&mut live::Tables, live::root(), pages.at());
    let usage = |table| system::with(|memory, here| memory.domain.frames().usage(here, table));
    let (first, last) = (walk.steps().next(), walk.steps().last());
    let (root, leaf) = (first.map(|step| usage(step.table)), last.map(|step| usage(step.table)));
    memory::free(pages)?;
    ensure!(leaf == Some(Use::Table), "the table of a heap page is {leaf:?}");
    control!(root == Some(Use::Reserved), "the root, which the plan has, is {root:?}");
    Ok(())
}

/// Chunks that fill one pool: all its frames but that of its records.
const POOL_CHUNKS: usize = Order::BLOCK.get() as usize;

/// The chunks of whole pools, the largest of each first.
type Chunks<const CHUNKS: usize> = ArrayVec<HeapPages, CHUNKS>;

/// Takes whole pools.
#[inline(never)]
fn fill<const CHUNKS: usize>(chunks: &mut Chunks<CHUNKS>) -> Outcome {
    while !chunks.is_full() {
        let order = Order::BLOCK.get() as usize - 1 - chunks.len() % POOL_CHUNKS;
        chunks.push(memory::allocate(Order::new(order as u8), ANY)?);
    }
    Ok(())
}

#[inline(never)]
fn empty<const CHUNKS: usize>(chunks: &mut Chunks<CHUNKS>) -> Outcome {
    while let Some(chunk) = chunks.pop() {
        memory::free(chunk)?;
    }
    Ok(())
}

fn elastic(_bench: &mut Bench) -> Outcome {
    const POOLS: usize = 3;
    let mut chunks = Chunks::<{ POOLS * POOL_CHUNKS }>::new();
    fill(&mut chunks)?;
    empty(&mut chunks)?;
    let before = State::now();
    fill(&mut chunks)?;
    let full = State::now().counts();
    empty(&mut chunks)?;
    let more = full.split - before.counts().split;
    ensure!(more >= POOLS as u64, "{POOLS} pools are {more} split blocks");
    let tables = full.tables - before.counts().tables;
    ensure!(tables <= POOLS as u64 + 8, "{POOLS} pools have {tables} tables");
    before.ensure_back(format_args!("after the pools"))
}

fn fixed(_bench: &mut Bench) -> Outcome {
    const POOLS: usize = 4;
    ensure!(HEAP.fixed_blocks == Some(POOLS as u64), "this row needs a board with {POOLS} blocks of heap");
    let mut chunks = Chunks::<{ POOLS * POOL_CHUNKS }>::new();
    fill(&mut chunks)?;
    empty(&mut chunks)?;
    let before = State::now();
    fill(&mut chunks)?;
    let more = system::with(|memory, here| {
        memory
            .heap
            .allocate(here, &mut memory.domain, Order::FRAME, ANY)
            .map_err(|why| matches!(why, HeapError::Frames(_)))
    });
    let split = State::now().counts().split;
    empty(&mut chunks)?;
    match more {
        Err(is_frames) => ensure!(is_frames, "something else than frames is missing"),
        Ok(pages) => {
            memory::free(pages)?;
            ensure!(false, "a page more than {POOLS} blocks have is allocated");
        }
    }
    control!(split > before.counts().split, "the pools are not seen to be split");
    before.ensure_back(format_args!("after the pools"))
}
