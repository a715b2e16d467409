//! A CPU of the simulated machine that cannot reach into others: it asks them, as x86-64 does, and answers.
//!
//! For CPUs that are threads of a schedule. Another one may go on before each thing that this one does.

use paging::VirtAddr;

use crate::cpu::CpuIndex;
use crate::machine::Machine;
use crate::sim::schedule::step;
use crate::sim::{Cpu, HostFormat};
use crate::sync::{Mailboxes, Peer, Request};

/// CPUs at most.
pub(crate) const CPUS: usize = 4;

/// The CPU.
pub(crate) struct Asked<'s, F: HostFormat> {
    pub(crate) cpu: Cpu<'s, F>,
    pub(crate) mailboxes: &'s Mailboxes<CPUS>,
}

impl<F: HostFormat> Asked<'_, F> {
    /// Reads a word as its program would, between two polls.
    pub(crate) fn poll_and_load(&self, at: VirtAddr) -> Result<u64, crate::sim::Fault> {
        self.mailboxes.poll(self);
        step();
        self.cpu.try_load(at)
    }

    fn ask(&self, request: Request) {
        // Where CPUs ask each other, entry writes are seen in order: the others see them before the request.
        self.cpu.publish();
        self.mailboxes.request_all(self, request);
    }
}

impl<F: HostFormat> Peer for Asked<'_, F> {
    fn cpu(&self) -> CpuIndex {
        self.cpu.cpu()
    }

    fn forget_page(&self, at: VirtAddr) {
        self.cpu.flush_page_local(at);
    }

    fn forget_all(&self) {
        self.cpu.flush_local();
    }

    fn synchronize(&self) {}

    /// Every thread polls all the time.
    fn interrupt(&self, _: CpuIndex) {}

    fn relax(&self) {
        step();
    }
}

impl<F: HostFormat> Machine for Asked<'_, F> {
    type Format = F;
    type Watch = crate::sim::SimWatch;

    fn watch(&self) -> &Self::Watch {
        self.cpu.watch()
    }

    fn cpu(&self) -> CpuIndex {
        self.cpu.cpu()
    }

    fn publish(&self) {
        step();
        self.cpu.publish();
    }

    fn flush_page_local(&self, at: VirtAddr) {
        step();
        self.cpu.flush_page_local(at);
    }

    fn flush_local(&self) {
        step();
        self.cpu.flush_local();
    }

    fn flush_page_all(&self, at: VirtAddr) {
        self.ask(Request::ForgetPage(at));
    }

    fn flush_all(&self) {
        self.ask(Request::ForgetAll);
    }

    fn without_interrupts<R>(&self, body: impl FnOnce() -> R) -> R {
        self.cpu.without_interrupts(body)
    }

    fn rendezvous<R>(&self, body: impl FnOnce() -> R) -> R {
        self.mailboxes.rendezvous(self, body)
    }

    fn load(&self, at: VirtAddr) -> u64 {
        step();
        self.cpu.load(at)
    }

    fn store(&self, at: VirtAddr, value: u64) {
        step();
        self.cpu.store(at, value);
    }

    fn exchange(&self, at: VirtAddr, old: u64, new: u64) -> bool {
        self.cpu.exchange(at, old, new)
    }

    fn copy_out(&self, from: VirtAddr, into: &mut [u8]) {
        self.cpu.copy_out(from, into);
    }

    fn copy_in(&self, to: VirtAddr, from: &[u8]) {
        self.cpu.copy_in(to, from);
    }

    fn copy(&self, from: VirtAddr, to: VirtAddr, bytes: u64) {
        self.cpu.copy(from, to, bytes);
    }

    fn zero(&self, at: VirtAddr, bytes: u64) {
        step();
        self.cpu.zero(at, bytes);
    }

    fn clean(&self, at: VirtAddr, bytes: u64) {
        self.cpu.clean(at, bytes);
    }
}
