//! GICv2 with virtualization extensions.
//!
//! Source: Arm Generic Interrupt Controller, architecture version 2 (IHI 0048), registers by name.

use core::sync::atomic::{AtomicU8, Ordering};

use aarch64_cpu::asm::barrier;

use super::registers::{CONTROL, CPU_INTERFACE, DISTRIBUTOR};
use super::{ALL_PRIORITIES, Activity, Interface, KICK, PRIORITIES};
use crate::arch::this::cpu;
use crate::board::CPUS;
use crate::cpu::CpuIndex;
use crate::vdev::gic::{Intid, ListRegister, Refill};

const GICD_CTLR: u64 = 0x000;
/// ITLinesNumber, bits [4:0]: 32 interrupts each, and 32 more.
const GICD_TYPER: u64 = 0x004;
pub(super) const GICD_IGROUPR: u64 = 0x080;
pub(super) const GICD_ISENABLER: u64 = 0x100;
pub(super) const GICD_ICENABLER: u64 = 0x180;
pub(super) const GICD_ICPENDR: u64 = 0x280;
pub(super) const GICD_ISACTIVER: u64 = 0x300;
pub(super) const GICD_ICACTIVER: u64 = 0x380;
pub(super) const GICD_IPRIORITYR: u64 = 0x400;
const GICD_ITARGETSR: u64 = 0x800;
const GICD_SGIR: u64 = 0xf00;
/// GICD_CTLR.Enable and GICC_CTLR.Enable, bit 0: of group 1 from the non-secure side, of the only group elsewhere.
const ENABLE: u32 = 1 << 0;

const GICC_CTLR: u64 = 0x000;
const GICC_PMR: u64 = 0x004;
const GICC_IAR: u64 = 0x00c;
const GICC_EOIR: u64 = 0x010;
const GICC_DIR: u64 = 0x1000;
/// GICC_CTLR.EOImode, from the non-secure side EOImodeNS, bit 9: EOIR only drops the priority.
const EOI_MODE: u32 = 1 << 9;

const GICH_HCR: u64 = 0x000;
/// ListRegs, bits [5:0], less one.
const GICH_VTR: u64 = 0x004;
const GICH_VMCR: u64 = 0x008;
const GICH_APR: u64 = 0x0f0;
const GICH_LR: u64 = 0x100;

/// Each CPU's bit in target lists. IHI 0048, GICD_ITARGETSR0 to 7: they read as the reader's own.
static TARGETS: [AtomicU8; CPUS.len()] = [const { AtomicU8::new(0) }; CPUS.len()];

/// Registers of one bit an interrupt: offset from the first one, and the bit.
pub(super) fn bit(intid: Intid) -> (u64, u32) {
    (u64::from(intid.get() / 32) * 4, 1 << (intid.get() % 32))
}

/// Shared interrupts: group 1 where there are groups, off, idle, one priority.
pub(super) fn init_banks() {
    let banks = u64::from(DISTRIBUTOR.read(GICD_TYPER) & 0x1f);
    for offset in (1..=banks).map(|bank| bank * 4) {
        for register in [GICD_IGROUPR, GICD_ICENABLER, GICD_ICPENDR, GICD_ICACTIVER] {
            DISTRIBUTOR.write(register + offset, u32::MAX);
        }
    }
    for offset in (32..(banks + 1) * 32).step_by(4) {
        DISTRIBUTOR.write(GICD_IPRIORITYR + offset, PRIORITIES);
    }
}

pub(super) fn init_shared() {
    DISTRIBUTOR.write(GICD_CTLR, 0);
    init_banks();
    DISTRIBUTOR.write(GICD_CTLR, ENABLE);
}

pub(super) fn init_cpu() {
    for register in [GICD_ICENABLER, GICD_ICACTIVER] {
        DISTRIBUTOR.write(register, u32::MAX);
    }
    for offset in (0..32).step_by(4) {
        DISTRIBUTOR.write(GICD_IPRIORITYR + offset, PRIORITIES);
    }
    let own = DISTRIBUTOR.read(GICD_ITARGETSR) as u8;
    TARGETS[cpu::index().get()].store(own, Ordering::Release);
    CPU_INTERFACE.write(GICC_PMR, ALL_PRIORITIES);
    CPU_INTERFACE.write(GICC_CTLR, ENABLE | EOI_MODE);
}

pub(super) fn acknowledge() -> u32 {
    CPU_INTERFACE.read(GICC_IAR)
}

pub(super) fn drop_priority(taken: u32) {
    CPU_INTERFACE.write(GICC_EOIR, taken);
}

pub(super) fn deactivate(taken: u32) {
    CPU_INTERFACE.write(GICC_DIR, taken);
}

pub(super) fn set_enable(intid: Intid) {
    let (offset, bit) = bit(intid);
    DISTRIBUTOR.write(GICD_ISENABLER + offset, bit);
}

pub(super) fn clear_enable(intid: Intid) {
    let (offset, bit) = bit(intid);
    DISTRIBUTOR.write(GICD_ICENABLER + offset, bit);
}

pub(super) fn set_activity(intid: Intid, activity: Activity) {
    let (offset, bit) = bit(intid);
    let register = match activity {
        Activity::Active => GICD_ISACTIVER,
        Activity::Inactive => GICD_ICACTIVER,
    };
    DISTRIBUTOR.write(register + offset, bit);
}

fn target(cpu: CpuIndex) -> u8 {
    TARGETS[cpu.get()].load(Ordering::Acquire)
}

pub(super) fn route(intid: Intid, cpu: CpuIndex) {
    DISTRIBUTOR.write_byte(GICD_ITARGETSR + u64::from(intid.get()), target(cpu));
}

/// GICD_SGIR: CPUTargetList bits [23:16], SGIINTID bits [3:0].
pub(super) fn kick(cpu: CpuIndex) {
    barrier::dsb(barrier::ISHST);
    DISTRIBUTOR.write(GICD_SGIR, u32::from(target(cpu)) << 16 | u32::from(KICK.get()));
}

pub(super) fn list_registers() -> usize {
    (CONTROL.read(GICH_VTR) as usize & 0x3f) + 1
}

pub(super) fn read_list(number: usize) -> ListRegister {
    ListRegister::from_v2(CONTROL.read(GICH_LR + 4 * number as u64))
}

pub(super) fn write_list(number: usize, value: ListRegister) {
    CONTROL.write(GICH_LR + 4 * number as u64, value.to_v2());
}

/// GICH_HCR: En bit 0, UIE bit 1.
pub(super) fn enable_interface(refill: Refill) {
    let underflow = match refill {
        Refill::NotNeeded => 0,
        Refill::WhenLow => 1 << 1,
    };
    CONTROL.write(GICH_HCR, 1 | underflow);
}

pub(super) fn disable_interface() {
    CONTROL.write(GICH_HCR, 0);
}

pub(super) fn save_interface() -> Interface {
    let mut active = [0; 8];
    active[0] = CONTROL.read(GICH_APR);
    Interface { control: CONTROL.read(GICH_VMCR), active }
}

pub(super) fn load_interface(interface: &Interface) {
    CONTROL.write(GICH_VMCR, interface.control);
    CONTROL.write(GICH_APR, interface.active[0]);
}
