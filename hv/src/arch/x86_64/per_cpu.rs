//! What a processor finds through its GS base: its number, and its own descriptor table.
//!
//! Holds nothing of a guest: these are ordinary variables of the image, visible to every processor.

// UNSAFETY: loads descriptor tables and segment registers.
#![expect(unsafe_code, reason = "descriptor tables and segment registers")]

use core::arch::asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::{lgdt, load_tss};
use x86_64::registers::model_specific::GsBase;
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::SegmentSelector;

use super::descriptor::{GlobalTable, Selector, TaskState};
use super::interrupts::{CRITICAL_STACK_TOP, FAULT_STACK_TOP};
use crate::board::CPUS;
use crate::cpu::CpuIndex;

/// One processor's.
#[repr(C)]
pub(super) struct PerCpu {
    /// [`CpuIndex`], once its owner runs.
    index: AtomicU64,
    /// Whether it takes part in `shootdown`.
    pub(super) online: AtomicBool,
    /// The last request of `shootdown` that it answered.
    pub(super) answered: AtomicU64,
    /// Nudges that it may still see.
    pub(super) nudges: AtomicU64,
    /// Words of its [`GlobalTable`]; the processor sets the busy bit of the last descriptor.
    descriptors: [AtomicU64; GlobalTable::WORDS],
}

static PER_CPU: [PerCpu; CPUS.len()] = [const {
    PerCpu {
        index: AtomicU64::new(0),
        online: AtomicBool::new(false),
        answered: AtomicU64::new(0),
        nudges: AtomicU64::new(0),
        descriptors: [const { AtomicU64::new(0) }; GlobalTable::WORDS],
    }
}; CPUS.len()];

/// One for all: the stacks in it have the same addresses on every processor, and none is written in 64-bit mode.
static TASK_STATE: TaskState = TaskState::new(FAULT_STACK_TOP, CRITICAL_STACK_TOP);

/// Fills in and loads the calling processor's own.
pub(super) fn load(cpu: CpuIndex) {
    let own = &PER_CPU[cpu.get()];
    own.index.store(cpu.get() as u64, Ordering::Relaxed);
    let task = paging::VirtAddr::new(&raw const TASK_STATE as u64);
    for (to, word) in own.descriptors.iter().zip(GlobalTable::new(task).words()) {
        to.store(word, Ordering::Relaxed);
    }
    let table =
        DescriptorTablePointer { limit: GlobalTable::LIMIT, base: address_of(&raw const own.descriptors as u64) };
    // SAFETY: `PER_CPU` is a static, and its words are a table as `descriptor`'s tests read it.
    unsafe { lgdt(&table) };
    // SAFETY: the table just loaded has 64-bit code at this selector.
    unsafe { CS::set_reg(selector(Selector::Code64)) };
    let data = selector(Selector::Data);
    // SAFETY: the table just loaded has flat data at this selector.
    unsafe { SS::set_reg(data) };
    // SAFETY: as above.
    unsafe { DS::set_reg(data) };
    // SAFETY: as above.
    unsafe { ES::set_reg(data) };
    // SAFETY: the table just loaded has `TASK_STATE` there, a static, and was just made not busy.
    unsafe { load_tss(selector(Selector::Code32OrTask)) };
    GsBase::write(address_of(own as *const PerCpu as u64));
}

/// The calling processor's number.
pub(super) fn index() -> usize {
    let index: u64;
    // SAFETY: `entry` calls `load` before anything else, so GS base is the caller's `PerCpu`.
    unsafe {
        asm!("mov {}, gs:[{offset}]", out(reg) index, offset = const offset_of!(PerCpu, index),
            options(nostack, preserves_flags, readonly));
    }
    index as usize
}

/// The calling processor's.
pub(super) fn own() -> &'static PerCpu {
    &PER_CPU[index()]
}

/// Every processor's.
pub(super) fn all() -> impl Iterator<Item = (CpuIndex, &'static PerCpu)> {
    PER_CPU.iter().enumerate().filter_map(|(at, own)| Some((CpuIndex::new(at)?, own)))
}

fn selector(selector: Selector) -> SegmentSelector {
    SegmentSelector(selector as u16)
}

/// Addresses of the image are canonical: it is linked in the highest 2 GiB.
fn address_of(at: u64) -> x86_64::VirtAddr {
    x86_64::VirtAddr::new(at)
}
