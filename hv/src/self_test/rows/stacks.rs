//! Stacks: the same address on every CPU, another frame behind each, and no way to another's.

use core::hint::black_box;
use core::sync::atomic::{AtomicU64, Ordering};

use paging::{FrameRange, PAGE_BYTES, VirtAddr};

use crate::arch::this;
use crate::board::{CPU_FRAMES, PRIVATE};
use crate::cpu::CpuIndex;
use crate::self_test::bench::Bench;
use crate::self_test::job::Job;
use crate::self_test::request::Server;
use crate::self_test::row::{Late, Outcome, Row, control, ensure};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("stacks: one address shows another frame on each cpu", own_frames),
    Row::new("stacks: no root leads to another cpu's stack", not_reachable),
    Row::new("stacks: a word on one cpu's stack is not read on another", not_read),
    Row::new("stacks: what returned frames leave is gone after a wipe", wiped),
];

fn frames(cpu: CpuIndex) -> FrameRange {
    FrameRange::new(CPU_FRAMES[cpu.get()].stack, PRIVATE.stack_bytes / PAGE_BYTES)
}

fn own_frames(bench: &mut Bench) -> Outcome {
    for page in 0..PRIVATE.stack_bytes / PAGE_BYTES {
        let at = VirtAddr::new(PRIVATE.stack.get() + page * PAGE_BYTES);
        for cpu in bench.cpus() {
            let (probe, own) = (bench.probe(cpu, at)?, frames(cpu).first.add(page));
            ensure!(probe.shows(own), "cpu {cpu} sees {probe} at {at}, its own is {own}");
            let shared = bench.cpus().any(|other| other != cpu && frames(other).contains(own));
            ensure!(!shared, "{own} is another cpu's too");
        }
    }
    bench.other().map(drop)
}

fn not_reachable(bench: &mut Bench) -> Outcome {
    for cpu in bench.cpus() {
        let own = bench.leading_to(cpu, frames(cpu))?;
        control!(own == frames(cpu).frames, "cpu {cpu} has {own} leaves to its own stack");
        for other in bench.cpus().filter(|other| *other != cpu) {
            let leaves = bench.leading_to(cpu, frames(other))?;
            ensure!(leaves == 0, "cpu {cpu} has {leaves} leaves to the stack of cpu {other}");
        }
    }
    bench.other().map(drop)
}

const CANARY: u64 = 0x5ec2_e7ca_4a2d_0001;

fn not_read(bench: &mut Bench) -> Outcome {
    let other = bench.other()?;
    let at = VirtAddr::new(bench.ask(other, Job::HoldWord, [CANARY, 0])?);
    let seen = this::probe::load(at);
    let kept = bench.ask(other, Job::Release, [0; 2])?;
    control!(kept == CANARY, "cpu {other} reads {kept:#x} at {at} itself");
    ensure!(seen.is_some(), "the boot CPU has no stack at {at}");
    ensure!(seen != Some(CANARY), "the boot CPU reads the word of cpu {other} at {at}");
    Ok(())
}

/// Keeps `value` on the stack of the calling CPU until released; answers first with its address, then with what a load
/// of that address gives.
pub(in crate::self_test) fn hold_word(value: u64, server: &Server) -> u64 {
    let word = AtomicU64::new(value);
    let at = VirtAddr::new(&raw const word as u64);
    server.hold(at.get());
    let seen = this::probe::load(at).unwrap_or(0);
    if word.load(Ordering::Relaxed) == seen { seen } else { 0 }
}

fn wiped(bench: &mut Bench) -> Outcome {
    let cpu = bench.other()?;
    let runs = |bench: &Bench| bench.ask(cpu, Job::FindOnStack, [CANARY, 0]);
    bench.ask(cpu, Job::LeaveOnStack, [CANARY, 0])?;
    let left = runs(bench)?;
    bench.ask(cpu, Job::WipeStack, [0; 2])?;
    let after = runs(bench)?;
    control!(left > 0, "cpu {cpu} leaves nothing on its stack");
    ensure!(after == 0, "cpu {cpu} finds {after} runs of the canary after a wipe, {left} before");
    Ok(())
}

/// Words in a row that are a canary, and not a copy of one that a search makes.
const RUN_WORDS: u64 = 8;

/// Fills a frame with `value`, and returns from it: one that lies deeper than any frame in use during a wipe.
#[inline(never)]
pub(in crate::self_test) fn leave(value: u64) -> u64 {
    let above = black_box([0_u64; 128]);
    above[0] ^ leave_below(value)
}

#[inline(never)]
fn leave_below(value: u64) -> u64 {
    black_box([value; 256])[1]
}

/// How many runs of `value` lie below this frame.
#[inline(never)]
pub(in crate::self_test) fn find(value: u64) -> u64 {
    let here = 0_u64;
    let end = black_box(&raw const here) as u64;
    let (mut runs, mut length) = (0, 0);
    for at in (PRIVATE.stack.get()..end).step_by(size_of::<u64>()) {
        length = if this::probe::load(VirtAddr::new(at)) == Some(value) { length + 1 } else { 0 };
        runs += u64::from(length == RUN_WORDS);
    }
    runs
}
