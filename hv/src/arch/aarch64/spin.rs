//! Cores that poll a word in memory for the address of their first instruction.
//!
//! Source: Devicetree Specification, "cpu-release-addr"; Linux, "Booting AArch64 Linux", "spin-table". The core reads with
//! its caches off, so the word goes to memory before the event that wakes it. Never polls anything itself.

// UNSAFETY: writes the word through the fixmap.
#![expect(unsafe_code, reason = "memory of the boot loader, by physical address")]

use aarch64_cpu::asm::{self, barrier};
use paging::{Frame, HostAccess, HostAttributes, Memory, PAGE_BYTES, VirtAddr};

use super::{cache, entry};
use crate::board::{CPUS, FIXMAP, FIXMAP_FREE};
use crate::cpu::CpuIndex;
use crate::mm::leaves::Leaves;
use crate::smp::StartError;

/// Writes the address of the secondaries' entry where the core polls; arrives in `boot::start_secondary`.
pub(super) fn start(cpu: CpuIndex) -> Result<(), StartError> {
    let Some(at) = CPUS[cpu.get()].release else { return Err(StartError::Silent) };
    let attributes = HostAttributes { access: HostAccess::ReadWrite, memory: Memory::Normal };
    let fixmap = Leaves::of(&FIXMAP, "release address");
    let slot = FIXMAP_FREE as usize;
    let page = fixmap.set(slot, Frame::containing(at), attributes);
    let word = VirtAddr::new(page.get() + at.get() % PAGE_BYTES);
    // SAFETY: the page is mapped for writing, and `check` wants the word aligned; the boot loader keeps it for this.
    unsafe { (word.get() as *mut u64).write_volatile(entry::secondary().get()) };
    // SAFETY: the word was just written, so it is mapped.
    unsafe { cache::flush(word, 8) };
    barrier::dsb(barrier::SY);
    fixmap.clear(slot);
    asm::sev();
    Ok(())
}
