//! How a CPU gets from its first instruction to `boot`: what `entry.s` is assembled with.
//!
//! Every value is the plan's or a register's definition; nothing is measured here.

// UNSAFETY: assembles the entry code.
#![expect(unsafe_code, reason = "entry code is assembly")]

use core::arch::global_asm;

use paging::{El2, PhysAddr};

use super::registers::{HCR_HOST, SCTLR, TCR_PS_MAX, TCR_PS_SHIFT, TCR_WITHOUT_PS};
use super::{Handoff, cpu, early};
use crate::board::{BOOT, CPU_FRAMES, CPUS, PRIVATE, SECTIONS};
use crate::boot;
use crate::cpu::CpuIndex;

/// Where each CPU finds its root before it has a stack.
static ROOTS: [PhysAddrBits; CPU_FRAMES.len()] = roots();

/// A physical address as `entry.s` loads it.
type PhysAddrBits = u64;

const fn roots() -> [PhysAddrBits; CPU_FRAMES.len()] {
    let mut roots = [0; CPU_FRAMES.len()];
    let mut cpu = 0;
    while cpu < roots.len() {
        roots[cpu] = CPU_FRAMES[cpu].root.address().get();
        cpu += 1;
    }
    roots
}

/// By which each CPU finds its number.
static IDS: [u64; CPUS.len()] = ids();

const fn ids() -> [u64; CPUS.len()] {
    let mut ids = [0; CPUS.len()];
    let mut cpu = 0;
    while cpu < ids.len() {
        ids[cpu] = CPUS[cpu].id;
        cpu += 1;
    }
    ids
}

/// Affinity fields of MPIDR_EL1: Aff3 in bits [39:32], Aff2 to Aff0 in bits [23:0]. Arm ARM (DDI 0487), MPIDR_EL1.
const AFFINITY: u64 = 0xff_00ff_ffff;

global_asm!(
    include_str!("entry.s"),
    footprint_bytes = const BOOT.footprint_bytes,
    load = const BOOT.load.get(),
    early_stack = const early::STACK_OFFSET,
    early_stack_end = const early::STACK_OFFSET + PRIVATE.stack_bytes,
    entry_el = const ENTRY_EL,
    wrong_level = sym early::wrong_level,
    may_move = sym early::may_move,
    hcr = const HCR_HOST,
    mair = const El2::MAIR,
    tcr = const TCR_WITHOUT_PS,
    ps_shift = const TCR_PS_SHIFT,
    ps_max = const TCR_PS_MAX,
    turn_on_root = const BOOT.turn_on_root.address().get(),
    boot_root = const BOOT.boot_root.address().get(),
    sctlr = const SCTLR,
    stack_end = const PRIVATE.stack.get() + PRIVATE.stack_bytes,
    boot = sym entered,
    secondary = sym entered_secondary,
    roots = sym ROOTS,
    ids = sym IDS,
    cpus = const CPUS.len(),
    affinity = const AFFINITY,
);

/// The only level this hypervisor can run at.
pub(super) const ENTRY_EL: u8 = 2;

/// Where `tabula_secondary_entry` is while the MMU is off.
pub(super) fn secondary() -> PhysAddr {
    unsafe extern "C" {
        fn tabula_secondary_entry();
    }
    let linked = tabula_secondary_entry as *const () as u64;
    PhysAddr::new(SECTIONS[0].base.get() + (linked - SECTIONS[0].link.get()))
}

extern "C" fn entered(device_tree: u64) -> ! {
    cpu::set_index(CpuIndex::BOOT);
    boot::start(Handoff { device_tree: PhysAddr::new(device_tree) })
}

extern "C" fn entered_secondary(number: u64) -> ! {
    let cpu = CpuIndex::new(number as usize).expect("`entry.s` finds no number beyond the list");
    cpu::set_index(cpu);
    boot::start_secondary(cpu)
}
