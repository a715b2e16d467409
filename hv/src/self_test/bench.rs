//! What a row works with: every CPU, as if it were the caller's.
//!
//! Judges nothing.

use paging::{Frame, FrameRange, VirtAddr};

use crate::board::{CPUS, DOMAINS};
use crate::cpu::CpuIndex;
use crate::mm::frames::{Node, Order, Owner};
use crate::mm::here::{Here, Reach};
use crate::mm::pmap::Pmap;
use crate::mm::system::{self, System};
use crate::mm::this_cpu::ThisCpu;
use crate::say;
use crate::self_test::job::{Job, NOWHERE, Values};
use crate::self_test::probe::Probe;
use crate::self_test::request::{self, Answer, Server};
use crate::self_test::row::{Failure, Outcome};

/// The domain that rows fabricate: the one behind the plan's. It is never entered.
pub(super) const FABRICATED: Owner = Owner::domain(DOMAINS.len());

/// What a row works with while PMAP is up, on the only CPU that runs.
pub(super) struct EarlyBench<'b> {
    /// The window.
    pub(super) pmap: &'b Pmap<'b>,
    /// 2 MiB of the fabricated domain, mapped nowhere. Rows leave them as they are.
    pub(super) scratch: FrameRange,
}

/// What a row works with once every CPU runs. There is one, on the boot CPU.
pub(super) struct Bench {
    scratch: FrameRange,
}

/// 2 MiB for the fabricated domain.
pub(super) fn take_block(memory: &mut System, here: &mut Here<'_, ThisCpu, impl Reach>) -> FrameRange {
    let block = memory.domain.allocate(here, Order::BLOCK, FABRICATED, Node(0));
    FrameRange::new(block.expect("a board has 2 MiB that nobody has been given"), Order::BLOCK.frames())
}

/// Takes them back.
pub(super) fn give_block(memory: &mut System, here: &mut Here<'_, ThisCpu, impl Reach>, block: FrameRange) {
    let given = memory.domain.free(here, block.first, Order::BLOCK, FABRICATED);
    given.expect("it is the fabricated domain's, as it was taken");
}

impl Bench {
    /// With 2 MiB of the memory system's.
    pub(super) fn new() -> Self {
        let scratch = system::with(take_block);
        Self { scratch }
    }

    /// 2 MiB of the fabricated domain, mapped nowhere. Rows leave them as they are.
    pub(super) fn scratch(&self) -> FrameRange {
        self.scratch
    }

    /// Every CPU of the board.
    pub(super) fn cpus(&self) -> impl Iterator<Item = CpuIndex> + Clone + use<> {
        (0..CPUS.len()).filter_map(CpuIndex::new)
    }

    /// A CPU that is not the boot CPU.
    pub(super) fn other(&self) -> Result<CpuIndex, Failure> {
        let other = CpuIndex::secondaries().next();
        other.ok_or_else(|| Failure::new(format_args!("this row needs two CPUs, the board has one")))
    }

    /// Has a CPU, or this one, do a job.
    pub(super) fn ask(&self, cpu: CpuIndex, job: Job, values: Values) -> Result<u64, Failure> {
        if cpu == CpuIndex::BOOT {
            return Ok(job.run(values, &Server::itself()));
        }
        self.begin(cpu, job, values);
        self.end(cpu)
    }

    /// Has another CPU begin a job.
    pub(super) fn begin(&self, cpu: CpuIndex, job: Job, values: Values) {
        request::begin(cpu, job, values);
    }

    /// Waits for the job that a CPU has begun.
    pub(super) fn end(&self, cpu: CpuIndex) -> Result<u64, Failure> {
        match request::end(cpu)? {
            Answer::Value(value) => Ok(value),
            Answer::Panicked => {
                request::last_words(cpu, |words| say!("cpu {cpu} panicked: {words}"));
                Err(Failure::new(format_args!("cpu {cpu} panicked, as the line above says")))
            }
        }
    }

    /// Has another CPU do a job that must panic with words that hold `wanted`.
    pub(super) fn panics(&self, cpu: CpuIndex, job: Job, values: Values, wanted: &str) -> Outcome {
        match request::ask(cpu, job, values)? {
            Answer::Value(value) => Err(Failure::new(format_args!("{job:?} comes back with {value:#x}"))),
            Answer::Panicked => request::last_words(cpu, |words| {
                if words.contains(wanted) {
                    return Ok(());
                }
                say!("cpu {cpu} panicked: {words}");
                Err(Failure::new(format_args!("{job:?} panics, and not with `{wanted}`")))
            }),
        }
    }

    /// What an address leads to on a CPU.
    pub(super) fn probe(&self, cpu: CpuIndex, at: VirtAddr) -> Result<Probe, Failure> {
        self.ask(cpu, Job::Probe, [at.get(), 0]).map(Probe::decode)
    }

    /// The first page of a range that a CPU can read.
    pub(super) fn first_readable(
        &self,
        cpu: CpuIndex,
        base: VirtAddr,
        bytes: u64,
    ) -> Result<Option<VirtAddr>, Failure> {
        let at = self.ask(cpu, Job::FirstReadable, [base.get(), bytes])?;
        Ok((at != NOWHERE).then_some(VirtAddr::new(at)))
    }

    /// The root that a CPU has loaded.
    pub(super) fn root(&self, cpu: CpuIndex) -> Result<Frame, Failure> {
        self.ask(cpu, Job::Root, [0; 2]).map(Frame::new)
    }

    /// Leaves of a CPU's root that lead to `frames`.
    pub(super) fn leading_to(&self, cpu: CpuIndex, frames: FrameRange) -> Result<u64, Failure> {
        self.ask(cpu, Job::CountLeadingTo, [frames.first.number(), frames.frames])
    }
}
