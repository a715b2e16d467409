//! Waking the other processors: INIT, start-up, and what the woken one finds.
//!
//! One at a time, by the boot processor, each with a root that is complete. Intel SDM vol. 3A, "MP Initialization
//! Protocol Algorithm for MP Systems".

// UNSAFETY: copies the trampoline to its planned frame.
#![expect(unsafe_code, reason = "writes the trampoline's frame through the fixmap")]

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use paging::{HostAccess, HostAttributes, Memory, PAGE_BYTES, VirtAddr};

use super::ipi::{ApicId, Command};
use super::{apic, cpu, shootdown};
use crate::board::types::EnableMethod;
use crate::board::{BOOT, CPU_FRAMES, CPUS, ENABLE, FIXMAP, FIXMAP_FREE};
use crate::cpu::CpuIndex;
use crate::mm::leaves::Leaves;
use crate::smp::StartError;

/// What a woken processor takes, before it has a stack.
#[repr(C)]
pub(super) struct Mailbox {
    /// Address of its root; taken once.
    pub(super) root: AtomicU64,
    /// The low 8 bits of the local APIC id it must have.
    pub(super) apic_id: AtomicU32,
    /// Its [`CpuIndex`].
    pub(super) index: AtomicU32,
}

pub(super) static MAILBOX: Mailbox =
    Mailbox { root: AtomicU64::new(0), apic_id: AtomicU32::new(0), index: AtomicU32::new(0) };

/// Ticks between INIT and the first start-up, and between the two start-ups.
///
/// 10 ms and 200 us are asked for, on a counter of at most 5 GHz; both are upper bounds of what old processors needed.
const AFTER_INIT_TICKS: u64 = 50_000_000;
const AFTER_STARTUP_TICKS: u64 = 1_000_000;

/// `StartError::Refused` of a command that the local APIC did not take, or whose destination its mode cannot express.
const NOT_SENT: i64 = -1;

const LAPIC: Option<VirtAddr> = match ENABLE {
    EnableMethod::Sipi { lapic } => Some(lapic),
    EnableMethod::PsciSmc
    | EnableMethod::PsciHvc
    | EnableMethod::Psci01Smc(_)
    | EnableMethod::Psci01Hvc(_)
    | EnableMethod::SpinTable
    | EnableMethod::None => None,
};
const STARTUP: Option<Command> = Command::startup(BOOT.trampoline);
const _: () = assert!(CPUS.len() == 1 || LAPIC.is_some(), "cpu.enable-method");
const _: () = assert!(CPUS.len() == 1 || STARTUP.is_some(), "boot.trampoline");

/// Sends the commands; the processor takes the mailbox on its way to `boot::start_secondary`.
pub fn start(cpu: CpuIndex) -> Result<(), StartError> {
    let (Some(lapic), Some(startup)) = (LAPIC, STARTUP) else { return Err(StartError::Refused(NOT_SENT)) };
    if !PLACED.swap(true, Ordering::Relaxed) {
        place_trampoline();
    }
    let id = ApicId(CPUS[cpu.get()].id as u32);
    MAILBOX.apic_id.store(id.0 & 0xff, Ordering::Relaxed);
    MAILBOX.index.store(cpu.get() as u32, Ordering::Relaxed);
    MAILBOX.root.store(CPU_FRAMES[cpu.get()].root.address().get(), Ordering::Release);
    let send = |command| apic::send(lapic, id, command).map_err(|_| StartError::Refused(NOT_SENT));
    send(Command::INIT)?;
    wait(AFTER_INIT_TICKS, || false);
    for _ in 0..2 {
        send(startup)?;
        if wait(AFTER_STARTUP_TICKS, || MAILBOX.root.load(Ordering::Relaxed) == 0) {
            break;
        }
    }
    // A slow one may still come: the caller waits for its arrival, with more patience.
    Ok(())
}

/// Whether `done` came true within so many ticks.
fn wait(ticks: u64, done: impl Fn() -> bool) -> bool {
    let start = cpu::ticks();
    while cpu::ticks().wrapping_sub(start) < ticks {
        if done() {
            return true;
        }
        cpu::relax();
    }
    done()
}

static PLACED: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    /// First byte of the trampoline, in `entry.s`.
    safe static trampoline_start: u8;
    /// The byte behind it.
    safe static trampoline_end: u8;
}

/// Copies the trampoline to its frame, which is mapped no longer than that takes: no other processor runs yet.
fn place_trampoline() {
    let from = &raw const trampoline_start;
    let bytes = &raw const trampoline_end as usize - from as usize;
    assert!(bytes as u64 <= PAGE_BYTES, "the trampoline is a few dozen bytes");
    let attributes = HostAttributes { access: HostAccess::ReadWrite, memory: Memory::Normal };
    let fixmap = Leaves::of(&FIXMAP, "trampoline");
    let slot = FIXMAP_FREE as usize;
    let to = fixmap.set(slot, BOOT.trampoline, attributes);
    // SAFETY: `entry.s` puts both symbols around the bytes; `Leaves::set` mapped a whole frame for writing, which the
    // planner keeps out of every other use and boot has checked to be RAM.
    unsafe { core::ptr::copy_nonoverlapping(from, to.get() as *mut u8, bytes) };
    fixmap.clear(slot);
}

/// Takes no part in shoot-downs any more, and waits for the INIT of the next start.
pub fn leave() -> ! {
    shootdown::quit();
    cpu::park()
}

/// Whether the processor takes no part in shoot-downs.
pub fn is_off(cpu: CpuIndex) -> bool {
    !shootdown::is_online(cpu)
}

/// An NMI, which ends a doze.
pub fn nudge(cpu: CpuIndex) {
    shootdown::nudge(cpu);
}
