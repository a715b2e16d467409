//! Requests from the boot CPU to the others, one at a time each: a job's number and values, an answer.
//!
//! What is shared are values in ordinary variables of the image; no address of a private area is ever followed by
//! another CPU.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arrayvec::ArrayString;
use spin::mutex::TicketMutex;

use crate::arch::this;
use crate::board::CPUS;
use crate::cpu::CpuIndex;
use crate::self_test::job::{Job, Values};
use crate::self_test::row::{Failure, Text};
use crate::{smp, sync};

/// Looks at an answer before a CPU counts as dead.
const PATIENCE_ITERATIONS: u32 = 400_000_000;

/// Enough for the first lines of what a broken invariant says.
const LAST_WORDS_BYTES: usize = 480;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum State {
    /// None was made, or its answer was taken.
    Idle,
    /// It waits for its CPU.
    Asked,
    /// It is answered.
    Answered,
    /// Its CPU panicked over it.
    Panicked,
}

/// One CPU's request.
struct Mailbox {
    state: AtomicU32,
    job: AtomicU32,
    values: [AtomicU64; 2],
    answer: AtomicU64,
    last_words: TicketMutex<ArrayString<LAST_WORDS_BYTES>>,
}

static MAILBOXES: [Mailbox; CPUS.len()] = [const {
    Mailbox {
        state: AtomicU32::new(State::Idle as u32),
        job: AtomicU32::new(0),
        values: [const { AtomicU64::new(0) }; 2],
        answer: AtomicU64::new(0),
        last_words: TicketMutex::new(ArrayString::new_const()),
    }
}; CPUS.len()];

impl Mailbox {
    fn is(&self, state: State) -> bool {
        self.state.load(Ordering::Acquire) == state as u32
    }

    fn set(&self, state: State) {
        self.state.store(state as u32, Ordering::Release);
    }

    fn ask(&self, job: Job, values: Values) {
        self.job.store(job as u32, Ordering::Relaxed);
        for (to, value) in self.values.iter().zip(values) {
            to.store(value, Ordering::Relaxed);
        }
        self.set(State::Asked);
    }

    /// The request, once there is one.
    fn wait(&self) -> (Job, Values) {
        while !self.is(State::Asked) {
            sync::wait();
        }
        let number = self.job.load(Ordering::Relaxed);
        let job = Job::from_number(number).expect("requests are made of jobs");
        (job, [0, 1].map(|at: usize| self.values[at].load(Ordering::Relaxed)))
    }

    fn answer(&self, answer: u64) {
        self.answer.store(answer, Ordering::Relaxed);
        self.set(State::Answered);
    }
}

/// The CPU that does a job, as the job sees it.
pub(super) struct Server {
    mailbox: Option<&'static Mailbox>,
}

impl Server {
    /// The boot CPU, which asks itself and cannot wait for itself.
    pub(super) const fn itself() -> Self {
        Self { mailbox: None }
    }

    /// Answers, and waits with everything that the job holds until it is told to go on.
    pub(super) fn hold(&self, answer: u64) {
        self.hold_while(answer, || ());
    }

    /// The same, and works meanwhile.
    pub(super) fn hold_while(&self, answer: u64, mut work: impl FnMut()) {
        let mailbox = self.mailbox();
        mailbox.answer(answer);
        while !mailbox.is(State::Asked) {
            work();
            sync::wait();
        }
        let (job, _) = mailbox.wait();
        assert!(job == Job::Release, "what is held is released before the next job");
    }

    /// Answers, and leaves the machine.
    pub(super) fn leave(&self) -> ! {
        self.mailbox().answer(0);
        smp::leave()
    }

    fn mailbox(&self) -> &'static Mailbox {
        self.mailbox.expect("only another CPU is asked for this")
    }
}

/// Each other CPU, once it has arrived: does what it is asked, for good.
pub fn idle(cpu: CpuIndex) -> ! {
    let mailbox = &MAILBOXES[cpu.get()];
    let server = Server { mailbox: Some(mailbox) };
    loop {
        let (job, values) = mailbox.wait();
        mailbox.answer(job.run(values, &server));
    }
}

/// [`idle`] on an empty stack, after a panic.
extern "C" fn idle_again() -> ! {
    idle(this::cpu::index())
}

/// What came of a request.
pub(super) enum Answer {
    /// The job's.
    Value(u64),
    /// The job panicked; [`last_words`] has what it said. Its CPU serves on.
    Panicked,
}

/// Has `cpu`, another one, do a job, and waits for it.
pub(super) fn ask(cpu: CpuIndex, job: Job, values: Values) -> Result<Answer, Failure> {
    begin(cpu, job, values);
    end(cpu)
}

/// Has `cpu`, another one, begin a job.
pub(super) fn begin(cpu: CpuIndex, job: Job, values: Values) {
    MAILBOXES[cpu.get()].ask(job, values);
}

/// Waits for what was begun.
pub(super) fn end(cpu: CpuIndex) -> Result<Answer, Failure> {
    let mailbox = &MAILBOXES[cpu.get()];
    for _ in 0..PATIENCE_ITERATIONS {
        if mailbox.is(State::Answered) {
            mailbox.set(State::Idle);
            return Ok(Answer::Value(mailbox.answer.load(Ordering::Relaxed)));
        }
        if mailbox.is(State::Panicked) {
            mailbox.set(State::Idle);
            return Ok(Answer::Panicked);
        }
        sync::wait();
    }
    Err(Failure::new(format_args!("cpu {cpu} does not answer")))
}

/// Calls `read` with what the last panic of a CPU said.
pub(super) fn last_words<T>(cpu: CpuIndex, read: impl FnOnce(&str) -> T) -> T {
    read(&MAILBOXES[cpu.get()].last_words.lock())
}

/// The end of a job that broke an invariant: it is told, and the CPU begins anew. Returns where there was no job.
pub(super) fn panicked(cpu: CpuIndex, info: &PanicInfo<'_>) {
    let mailbox = &MAILBOXES[cpu.get()];
    if !mailbox.is(State::Asked) {
        return;
    }
    let mut words = Text(ArrayString::new_const());
    // `Text` itself never fails; the words of a panic that cannot be printed stay empty.
    if core::fmt::write(&mut words, format_args!("{}", info.message())).is_err() {
        words.0.clear();
    }
    *mailbox.last_words.lock() = words.0;
    mailbox.set(State::Panicked);
    this::probe::restart(idle_again)
}
