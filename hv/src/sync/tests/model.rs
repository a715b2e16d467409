//! CPUs of a model: they use pages, remember how, and are asked to forget.
//!
//! A page's bytes are watched: a CPU that reads them while another takes them away fails the test.

use core::cell::Cell;

use paging::{PAGE_BYTES, VirtAddr};

use crate::cpu::CpuIndex;
use crate::sync::{Mailboxes, Peer, PolledLock, Request, Word};

/// Who interleaves the CPUs.
pub(super) trait Runtime: Sized + 'static {
    /// What they share.
    type Word: Word;
    /// What must not be used by two at once.
    type Bytes: Bytes;

    /// A word that holds `value`.
    fn word(value: u64) -> Self::Word;

    /// Others go first.
    fn relax();

    /// A CPU is interrupted. Where nothing is done, all programs poll.
    fn interrupt(_: usize) {}
}

/// Bytes that notice who uses them at the same time.
pub(super) trait Bytes {
    fn new() -> Self;
    fn read(&self);
    fn write(&self);
}

/// The machine: a page for each CPU, its entry, and what the CPUs share.
pub(super) struct Machine<R: Runtime, const CPUS: usize> {
    pub(super) mailboxes: Mailboxes<CPUS, R::Word>,
    pub(super) lock: PolledLock<(), R::Word>,
    /// 1 while a page is mapped.
    entries: [R::Word; CPUS],
    bytes: [R::Bytes; CPUS],
}

impl<R: Runtime, const CPUS: usize> Machine<R, CPUS> {
    /// All CPUs have joined but those of `late`.
    pub(super) fn new(late: &[usize]) -> Self {
        let machine = Self {
            mailboxes: Mailboxes::of_words(|| R::word(0)),
            lock: PolledLock::of_words(|| R::word(0), ()),
            entries: core::array::from_fn(|_| R::word(1)),
            bytes: core::array::from_fn(|_| R::Bytes::new()),
        };
        (0..CPUS).filter(|number| !late.contains(number)).for_each(|number| machine.cpu(number).join());
        machine
    }

    pub(super) fn cpu(&self, number: usize) -> Processor<'_, R, CPUS> {
        Processor { machine: self, number, remembers: [const { Cell::new(Remembers::Nothing) }; CPUS] }
    }
}

/// One CPU.
pub(super) struct Processor<'m, R: Runtime, const CPUS: usize> {
    pub(super) machine: &'m Machine<R, CPUS>,
    pub(super) number: usize,
    remembers: [Cell<Remembers>; CPUS],
}

/// What a CPU remembers of a page's translation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remembers {
    Nothing,
    /// The hardware has walked there.
    Walk,
    /// Its program uses it.
    Use,
}

/// What a CPU does.
pub(super) type Program<R, const CPUS: usize> = fn(&Processor<'_, R, CPUS>);

impl<R: Runtime, const CPUS: usize> Peer for Processor<'_, R, CPUS> {
    fn cpu(&self) -> CpuIndex {
        CpuIndex::new(self.number).expect("the model board has as many")
    }

    fn forget_page(&self, at: VirtAddr) {
        self.forget((at.get() / PAGE_BYTES) as usize);
    }

    fn forget_all(&self) {
        (0..CPUS).for_each(|page| self.forget(page));
    }

    fn synchronize(&self) {}

    fn interrupt(&self, other: CpuIndex) {
        R::interrupt(other.get());
    }

    fn relax(&self) {
        R::relax();
    }
}

impl<R: Runtime, const CPUS: usize> Processor<'_, R, CPUS> {
    /// Until it has forgotten a page that it uses, the hardware may read it unasked.
    fn forget(&self, page: usize) {
        if self.remembers[page].replace(Remembers::Nothing) == Remembers::Use {
            self.machine.bytes[page].read();
        }
    }

    /// Remembers how a page is mapped, as the hardware may unasked before this CPU takes part.
    pub(super) fn look_at_page(&self, page: usize) {
        if self.machine.entries[page].load() == 1 {
            self.remembers[page].set(Remembers::Walk);
        }
    }

    /// The CPU after this one, whose page it uses.
    pub(super) fn next(&self) -> usize {
        (self.number + 1) % CPUS
    }

    /// Reads a page, if it is mapped or was when this CPU last looked.
    pub(super) fn use_page(&self, page: usize) {
        let remembers = &self.remembers[page];
        if remembers.get() != Remembers::Nothing || self.machine.entries[page].load() == 1 {
            remembers.set(Remembers::Use);
            self.machine.bytes[page].read();
        }
    }

    /// Takes its own page away from everybody, and gives the frame another use.
    pub(super) fn give_up(&self, request: Request) {
        self.unmap(self.number);
        self.machine.mailboxes.request_all(self, request);
        self.use_alone(self.number);
    }

    pub(super) fn own_page(&self) -> Request {
        Request::ForgetPage(VirtAddr::new(self.number as u64 * PAGE_BYTES))
    }

    pub(super) fn unmap(&self, page: usize) {
        self.machine.entries[page].store(0);
    }

    pub(super) fn map(&self, page: usize) {
        self.machine.entries[page].store(1);
    }

    /// Writes a page that nobody else may be reading.
    pub(super) fn use_alone(&self, page: usize) {
        self.machine.bytes[page].write();
    }

    /// Reads a page whose translation is never in question, as code reads its stack.
    pub(super) fn use_always(&self, page: usize) {
        self.machine.bytes[page].read();
    }

    pub(super) fn poll(&self) {
        self.machine.mailboxes.poll(self);
    }

    pub(super) fn join(&self) {
        self.machine.mailboxes.join(self);
    }

    pub(super) fn leave(&self) {
        self.machine.mailboxes.leave(self);
    }

    pub(super) fn rendezvous(&self, body: impl FnOnce()) {
        self.machine.mailboxes.rendezvous(self, body);
    }

    /// Does something with the lock, answering while it waits.
    pub(super) fn with_lock(&self, body: impl FnOnce()) {
        let guard = self.machine.lock.lock(self.machine.mailboxes.waiting(self));
        body();
        drop(guard);
    }

    /// The same, deaf while it waits.
    pub(super) fn with_lock_deaf(&self, body: impl FnOnce()) {
        let guard = self.machine.lock.lock(R::relax);
        body();
        drop(guard);
    }
}
