//! A CPU that leaves out one thing it was asked to do: the control for tests of that thing.
//!
//! Everything else is the machine's that it wraps.

use paging::VirtAddr;

use crate::cpu::CpuIndex;
use crate::machine::{GuestMachine, Machine};

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loses {
    /// Nothing: what must hold then.
    Nothing,
    /// Other CPUs are not told to forget.
    FlushesElsewhere,
    /// This CPU does not forget what it was told alone.
    LocalFlushes,
    /// Other CPUs are not stopped.
    Stops,
    /// Lines stay in the cache.
    Cleans,
}

/// The CPU.
#[derive(Clone)]
pub(crate) struct Faulty<M> {
    pub(crate) machine: M,
    pub(crate) loses: Loses,
}

impl<M: Machine + GuestMachine> GuestMachine for Faulty<M> {
    fn flush_guest(&self, vmid: u16) {
        if self.loses != Loses::FlushesElsewhere {
            self.machine.flush_guest(vmid);
        }
    }
}

impl<M: Machine> Machine for Faulty<M> {
    type Format = M::Format;
    type Watch = M::Watch;

    fn watch(&self) -> &M::Watch {
        self.machine.watch()
    }

    fn cpu(&self) -> CpuIndex {
        self.machine.cpu()
    }

    fn publish(&self) {
        self.machine.publish();
    }

    fn flush_page_local(&self, at: VirtAddr) {
        if self.loses != Loses::LocalFlushes {
            self.machine.flush_page_local(at);
        }
    }

    fn flush_local(&self) {
        if self.loses != Loses::LocalFlushes {
            self.machine.flush_local();
        }
    }

    fn flush_page_all(&self, at: VirtAddr) {
        if self.loses == Loses::FlushesElsewhere {
            self.machine.flush_page_local(at);
        } else {
            self.machine.flush_page_all(at);
        }
    }

    fn flush_all(&self) {
        if self.loses == Loses::FlushesElsewhere {
            self.machine.flush_local();
        } else {
            self.machine.flush_all();
        }
    }

    fn without_interrupts<R>(&self, body: impl FnOnce() -> R) -> R {
        self.machine.without_interrupts(body)
    }

    fn rendezvous<R>(&self, body: impl FnOnce() -> R) -> R {
        if self.loses == Loses::Stops { body() } else { self.machine.rendezvous(body) }
    }

    fn load(&self, at: VirtAddr) -> u64 {
        self.machine.load(at)
    }

    fn store(&self, at: VirtAddr, value: u64) {
        self.machine.store(at, value);
    }

    fn exchange(&self, at: VirtAddr, old: u64, new: u64) -> bool {
        self.machine.exchange(at, old, new)
    }

    fn copy_out(&self, from: VirtAddr, into: &mut [u8]) {
        self.machine.copy_out(from, into);
    }

    fn copy_in(&self, to: VirtAddr, from: &[u8]) {
        self.machine.copy_in(to, from);
    }

    fn copy(&self, from: VirtAddr, to: VirtAddr, bytes: u64) {
        self.machine.copy(from, to, bytes);
    }

    fn zero(&self, at: VirtAddr, bytes: u64) {
        self.machine.zero(at, bytes);
    }

    fn clean(&self, at: VirtAddr, bytes: u64) {
        if self.loses != Loses::Cleans {
            self.machine.clean(at, bytes);
        }
    }
}
