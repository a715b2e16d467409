//! NUMA nodes: what the heap keeps about a node lies in the node's own memory.

use paging::{Frame, FrameRange, PAGE_BYTES, VirtAddr};

use crate::board::{MEMORY, RAM};
use crate::cpu::CpuIndex;
use crate::mm::frames::{Node, Order, Use};
use crate::mm::system;
use crate::self_test::bench::{Bench, FABRICATED};
use crate::self_test::memory::{self, node_of};
use crate::self_test::probe::Probe;
use crate::self_test::row::{Failure, Late, Outcome, Row, When, control, ensure};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("p10: each node's lists lie in its own memory and are nobody's to take", own_memory),
    Row::when(When::Nodes, "p10: lists come from the end of whole gigabytes, and else from the start", either_end),
    Row::when(When::Nodes, "p10: memory comes from the node that it is asked of", near),
];

/// The nodes of this board, each once.
fn nodes() -> impl Iterator<Item = Node> {
    (0..=u8::MAX).filter(|node| RAM.iter().any(|bank| bank.node == *node)).map(Node)
}

/// The frame behind a page of lists.
fn lists(bench: &Bench, page: u64) -> Result<Frame, Failure> {
    let at = VirtAddr::new(MEMORY.lists.base.get() + page * PAGE_BYTES);
    let mut found = None;
    for cpu in bench.cpus() {
        match bench.probe(cpu, at)? {
            Probe::Page { frame, writable: true, executable: false } if found.is_none_or(|first| first == frame) => {
                found = Some(frame);
            }
            other => return Err(Failure::new(format_args!("cpu {cpu} sees {other} where lists are, at {at}"))),
        }
    }
    found.ok_or_else(|| Failure::new(format_args!("no cpu was asked")))
}

fn own_memory(bench: &mut Bench) -> Outcome {
    let pages = nodes().count() as u64;
    for node in nodes() {
        let mut own = 0;
        for page in 0..pages {
            own += u64::from(node_of(FrameRange::new(lists(bench, page)?, 1)) == Some(node));
        }
        ensure!(own == 1, "node {} has {own} pages of lists in its memory", node.0);
    }
    for page in 0..pages {
        let frame = lists(bench, page)?;
        let usage = system::with(|memory, here| memory.domain.frames().usage(here, frame));
        ensure!(usage == Use::Reserved, "{frame} holds lists and is {usage:?}");
    }
    let behind = bench.probe(CpuIndex::BOOT, VirtAddr::new(MEMORY.lists.base.get() + pages * PAGE_BYTES))?;
    control!(behind == Probe::NoTranslation, "there are more lists than nodes");
    Ok(())
}

/// Frames of the largest chunk: 1 GiB.
const WHOLE: u64 = Order::MAX.frames();

fn either_end(bench: &mut Bench) -> Outcome {
    let (mut ends, mut starts) = (0, 0);
    for page in 0..nodes().count() as u64 {
        let frame = lists(bench, page)?;
        let bank = system::with(|memory, _| memory.domain.frames().bank_of(frame).copied());
        let bank = bank.ok_or_else(|| Failure::new(format_args!("{frame} is no RAM")))?.frames;
        let last = frame == Frame::new(bank.end().number() - 1);
        let whole = [bank.first, bank.end()].iter().all(|edge| edge.number().is_multiple_of(WHOLE));
        ensure!(last == whole, "lists at {frame} of {bank}");
        ends += u32::from(last);
        starts += u32::from(!last);
    }
    control!(ends > 0 && starts > 0, "{ends} nodes have their lists at the end, {starts} at the start");
    Ok(())
}

fn near(_bench: &mut Bench) -> Outcome {
    for node in nodes() {
        let pages = memory::allocate(Order::FRAME, node)?;
        let heap = node_of(pages.frames());
        memory::free(pages)?;
        ensure!(heap == Some(node), "a heap page for node {} is of {heap:?}", node.0);
        for order in [Order::BLOCK, Order::FRAME] {
            let frame = system::with(|memory, here| {
                let frame = memory.domain.allocate(here, order, FABRICATED, node);
                frame.inspect(|frame| {
                    let freed = memory.domain.free(here, *frame, order, FABRICATED);
                    freed.expect("it was taken just now");
                })
            });
            let frame = frame.map_err(|why| Failure::new(format_args!("{why}")))?;
            let domain = node_of(FrameRange::new(frame, 1));
            ensure!(domain == Some(node), "a domain's {order:?} for node {} is of {domain:?}", node.0);
        }
    }
    Ok(())
}
