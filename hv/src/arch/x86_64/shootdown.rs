//! Making every other processor forget its translations.
//!
//! By NMI, since interrupts stay masked: the answer is a reload of CR3, which needs no argument and no lock. Only
//! processors that have arrived are asked; those that sleep are woken, answer and sleep on.

// UNSAFETY: reloads the root.
#![expect(unsafe_code, reason = "writes CR3")]

use core::sync::atomic::{AtomicU64, Ordering};

use spin::mutex::TicketMutex;
use x86_64::registers::control::Cr3;

use super::ipi::{ApicId, Command};
use super::{apic, cpu, per_cpu};
use crate::board::types::EnableMethod;
use crate::board::{CPUS, ENABLE};
use crate::cpu::CpuIndex;

/// Requests made so far.
static REQUESTED: AtomicU64 = AtomicU64::new(0);
/// One requester at a time; its NMIs reach those who wait for the lock.
static REQUESTING: TicketMutex<()> = TicketMutex::new(());

/// Looks at an answer before the other processor counts as dead.
const PATIENCE_ITERATIONS: u32 = 100_000_000;

/// The calling processor takes part from now on; it may have read entries that were emptied before it was asked.
pub(super) fn join() {
    let own = per_cpu::own();
    own.answered.store(REQUESTED.load(Ordering::SeqCst), Ordering::SeqCst);
    own.online.store(true, Ordering::SeqCst);
    forget();
}

/// The calling processor takes no part from now on; it touches no memory any more.
pub(super) fn quit() {
    per_cpu::own().online.store(false, Ordering::SeqCst);
}

/// Whether a processor takes part.
pub(super) fn is_online(cpu: CpuIndex) -> bool {
    per_cpu::all().any(|(at, own)| at == cpu && own.online.load(Ordering::SeqCst))
}

/// Forgets what this processor was asked to forget; false where nobody asked.
pub(super) fn answer() -> bool {
    let own = per_cpu::own();
    let requested = REQUESTED.load(Ordering::SeqCst);
    if own.answered.load(Ordering::Relaxed) == requested {
        return false;
    }
    forget();
    own.answered.store(requested, Ordering::SeqCst);
    true
}

/// Wakes a processor that dozes.
pub(super) fn nudge(at: CpuIndex) {
    let EnableMethod::Sipi { lapic } = ENABLE else { return };
    let Some((_, other)) = per_cpu::all().find(|(cpu, _)| *cpu == at) else { return };
    other.nudges.fetch_add(1, Ordering::SeqCst);
    let id = ApicId(CPUS[at.get()].id as u32);
    apic::send(lapic, id, Command::NMI).expect("a processor that arrived was sent commands before");
}

/// Whether an NMI may have been a nudge. Two that meet are one, so that more may be expected than come.
pub(super) fn was_nudged() -> bool {
    let take = |nudges: u64| nudges.checked_sub(1);
    per_cpu::own().nudges.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()
}

/// Asks every other processor that has joined, and waits for them.
pub(super) fn all_others() {
    let EnableMethod::Sipi { lapic } = ENABLE else { return };
    let here = cpu::index();
    let _one = REQUESTING.lock();
    let request = REQUESTED.fetch_add(1, Ordering::SeqCst) + 1;
    per_cpu::own().answered.store(request, Ordering::SeqCst);
    let others = || per_cpu::all().filter(|(at, other)| *at != here && other.online.load(Ordering::SeqCst));
    // One that joins between the two loops forgets by itself, and answers by what it has read by then.
    for (at, _) in others() {
        let id = ApicId(CPUS[at.get()].id as u32);
        apic::send(lapic, id, Command::NMI).expect("a processor that arrived was sent commands before");
    }
    for (at, other) in others() {
        let answered = || other.answered.load(Ordering::SeqCst) >= request;
        let patient = (0..PATIENCE_ITERATIONS).any(|_| {
            answered() || {
                cpu::relax();
                false
            }
        });
        assert!(patient, "cpu {at} answers a non-maskable interrupt");
    }
}

/// A reload of CR3; no translation is global.
pub(super) fn forget() {
    let (root, flags) = Cr3::read_raw();
    // SAFETY: the same root stays loaded.
    unsafe { Cr3::write_raw(root, flags) };
}
