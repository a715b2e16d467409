//! This machine's mailboxes, and the CPU that runs this as one that takes part.
//!
//! Translations are forgotten by the processors' own means (`arch::tlb`); what goes through here is the rendezvous.

use paging::VirtAddr;

use super::{Mailboxes, Peer};
use crate::arch::this;
use crate::board::CPUS;
use crate::cpu::CpuIndex;
use crate::mm::this_cpu::ThisCpu;

static MAILBOXES: Mailboxes<{ CPUS.len() }> = Mailboxes::new();

impl Peer for ThisCpu {
    fn cpu(&self) -> CpuIndex {
        this::cpu::index()
    }

    fn forget_page(&self, at: VirtAddr) {
        this::tlb::flush_page(at);
    }

    fn forget_all(&self) {
        this::tlb::flush();
    }

    fn synchronize(&self) {
        this::cpu::synchronize();
    }

    fn interrupt(&self, other: CpuIndex) {
        this::smp::nudge(other);
    }

    fn relax(&self) {
        this::cpu::relax();
    }
}

/// The calling CPU takes part from now on.
pub fn join() {
    MAILBOXES.join(&ThisCpu::new());
}

/// The calling CPU takes no part any more.
pub fn leave() {
    MAILBOXES.leave(&ThisCpu::new());
}

/// Does what the calling CPU was asked to do, if it was.
pub fn poll() {
    MAILBOXES.poll(&ThisCpu::new());
}

/// What the calling CPU does while it waits for something that another may hold.
pub fn wait() {
    poll();
    this::cpu::relax();
}

/// Runs `body` while every other CPU that takes part waits.
pub fn rendezvous<R>(body: impl FnOnce() -> R) -> R {
    MAILBOXES.rendezvous(&ThisCpu::new(), body)
}

/// Sleeps for good, and does what it is asked.
pub fn idle() -> ! {
    loop {
        poll();
        this::cpu::doze();
    }
}
