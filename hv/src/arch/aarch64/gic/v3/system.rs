//! A GICv3's CPU interface, physical and virtual, in system registers.
//!
//! Source: Arm IHI 0069, "AArch64 System register descriptions". The registers that `aarch64-cpu` lacks are named by
//! their encoding.

// UNSAFETY: system registers of the interrupt controller.
#![expect(unsafe_code, reason = "system registers")]

use core::arch::asm;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{
    ICC_SRE_EL2, ICH_AP0R0_EL2, ICH_AP0R1_EL2, ICH_AP0R2_EL2, ICH_AP0R3_EL2, ICH_AP1R0_EL2, ICH_AP1R1_EL2,
    ICH_AP1R2_EL2, ICH_AP1R3_EL2, ICH_HCR_EL2, ICH_LR0_EL2, ICH_LR1_EL2, ICH_LR2_EL2, ICH_LR3_EL2, ICH_LR4_EL2,
    ICH_LR5_EL2, ICH_LR6_EL2, ICH_LR7_EL2, ICH_LR8_EL2, ICH_LR9_EL2, ICH_LR10_EL2, ICH_LR11_EL2, ICH_LR12_EL2,
    ICH_LR13_EL2, ICH_LR14_EL2, ICH_LR15_EL2, ICH_VMCR_EL2, ICH_VTR_EL2, Readable, Writeable,
};

use super::super::{ALL_PRIORITIES, Interface, KICK};
use crate::board::CPUS;
use crate::cpu::CpuIndex;
use crate::vdev::gic::{ListRegister, Refill};

/// Writes a register of the physical CPU interface.
macro_rules! write {
    ($register:literal, $value:expr) => {
        // SAFETY: a register of the physical CPU interface at EL2, which runs masked: no interrupt is taken in between.
        unsafe { asm!(concat!("msr ", $register, ", {}"), in(reg) u64::from($value), options(nostack, preserves_flags)) }
    };
}

/// System registers on, EOImode 1, every priority, group 1.
pub(super) fn init() {
    // ICC_SRE_EL2: Enable bit 3, DIB bit 2, DFB bit 1, SRE bit 0; a guest may read and write its own ICC_SRE_EL1.
    ICC_SRE_EL2.set(0b1111);
    barrier::isb(barrier::SY);
    // ICC_SRE_EL1: DIB, DFB, SRE.
    write!("s3_0_c12_c12_5", 0b111_u32);
    barrier::isb(barrier::SY);
    // ICC_CTLR_EL1: EOImode bit 1. Then ICC_PMR_EL1 and ICC_IGRPEN1_EL1.
    write!("s3_0_c12_c12_4", 0b10_u32);
    write!("s3_0_c4_c6_0", ALL_PRIORITIES);
    write!("s3_0_c12_c12_7", 1_u32);
    barrier::isb(barrier::SY);
}

/// ICC_IAR1_EL1.
pub(in super::super) fn acknowledge() -> u32 {
    let value: u64;
    // SAFETY: takes the pending interrupt, which the caller ends.
    unsafe { asm!("mrs {}, s3_0_c12_c12_0", out(reg) value, options(nostack, preserves_flags)) }
    barrier::dsb(barrier::SY);
    value as u32
}

/// ICC_EOIR1_EL1.
pub(in super::super) fn drop_priority(taken: u32) {
    write!("s3_0_c12_c12_1", taken);
}

/// ICC_DIR_EL1.
pub(in super::super) fn deactivate(taken: u32) {
    write!("s3_0_c12_c11_1", taken);
    barrier::isb(barrier::SY);
}

/// ICC_SGI1R_EL1: Aff3 bits [55:48], RS bits [47:44], Aff2 bits [39:32], INTID bits [27:24], Aff1 bits [23:16], TargetList
/// bits [15:0].
pub(in super::super) fn kick(cpu: CpuIndex) {
    let id = CPUS[cpu.get()].id;
    let level = |number: u64| id >> (8 * number) & 0xff;
    let aff3 = id >> 32 & 0xff;
    let target = aff3 << 48 | level(0) / 16 << 44 | level(2) << 32 | level(1) << 16 | 1 << (level(0) % 16);
    barrier::dsb(barrier::ISHST);
    write!("s3_0_c12_c11_5", target | u64::from(KICK.get()) << 24);
    barrier::isb(barrier::SY);
}

/// ICH_VTR_EL2.ListRegs, bits [4:0], less one.
pub(in super::super) fn list_registers() -> usize {
    (ICH_VTR_EL2.get() as usize & 0x1f) + 1
}

/// Reads or writes the list register whose number is known at run time only.
macro_rules! list {
    ($number:expr, $register:ident => $access:expr) => {
        match $number {
            0 => {
                let $register = ICH_LR0_EL2;
                $access
            }
            1 => {
                let $register = ICH_LR1_EL2;
                $access
            }
            2 => {
                let $register = ICH_LR2_EL2;
                $access
            }
            3 => {
                let $register = ICH_LR3_EL2;
                $access
            }
            4 => {
                let $register = ICH_LR4_EL2;
                $access
            }
            5 => {
                let $register = ICH_LR5_EL2;
                $access
            }
            6 => {
                let $register = ICH_LR6_EL2;
                $access
            }
            7 => {
                let $register = ICH_LR7_EL2;
                $access
            }
            8 => {
                let $register = ICH_LR8_EL2;
                $access
            }
            9 => {
                let $register = ICH_LR9_EL2;
                $access
            }
            10 => {
                let $register = ICH_LR10_EL2;
                $access
            }
            11 => {
                let $register = ICH_LR11_EL2;
                $access
            }
            12 => {
                let $register = ICH_LR12_EL2;
                $access
            }
            13 => {
                let $register = ICH_LR13_EL2;
                $access
            }
            14 => {
                let $register = ICH_LR14_EL2;
                $access
            }
            _ => {
                let $register = ICH_LR15_EL2;
                $access
            }
        }
    };
}

pub(in super::super) fn read_list(number: usize) -> ListRegister {
    ListRegister::from_bits(list!(number, register => register.get()))
}

pub(in super::super) fn write_list(number: usize, value: ListRegister) {
    list!(number, register => register.set(value.bits()));
}

/// ICH_HCR_EL2: En bit 0, UIE bit 1.
pub(in super::super) fn enable_interface(refill: Refill) {
    let underflow = match refill {
        Refill::NotNeeded => 0,
        Refill::WhenLow => 1 << 1,
    };
    ICH_HCR_EL2.set(1 | underflow);
}

pub(in super::super) fn disable_interface() {
    ICH_HCR_EL2.set(0);
}

/// Registers of active priorities: one for each 32 priorities. ICH_VTR_EL2.PREbits, bits [28:26], less one.
fn active_registers() -> usize {
    match ICH_VTR_EL2.get() >> 26 & 0b111 {
        0..=4 => 1,
        5 => 2,
        _ => 4,
    }
}

pub(in super::super) fn save_interface() -> Interface {
    let mut active = [0; 8];
    let registers = active_registers();
    active[0] = ICH_AP0R0_EL2.get() as u32;
    active[4] = ICH_AP1R0_EL2.get() as u32;
    if registers > 1 {
        active[1] = ICH_AP0R1_EL2.get() as u32;
        active[5] = ICH_AP1R1_EL2.get() as u32;
    }
    if registers > 2 {
        active[2] = ICH_AP0R2_EL2.get() as u32;
        active[3] = ICH_AP0R3_EL2.get() as u32;
        active[6] = ICH_AP1R2_EL2.get() as u32;
        active[7] = ICH_AP1R3_EL2.get() as u32;
    }
    Interface { control: ICH_VMCR_EL2.get() as u32, active }
}

pub(in super::super) fn load_interface(interface: &Interface) {
    let Interface { control, active } = *interface;
    let registers = active_registers();
    ICH_VMCR_EL2.set(control.into());
    ICH_AP0R0_EL2.set(active[0].into());
    ICH_AP1R0_EL2.set(active[4].into());
    if registers > 1 {
        ICH_AP0R1_EL2.set(active[1].into());
        ICH_AP1R1_EL2.set(active[5].into());
    }
    if registers > 2 {
        ICH_AP0R2_EL2.set(active[2].into());
        ICH_AP0R3_EL2.set(active[3].into());
        ICH_AP1R2_EL2.set(active[6].into());
        ICH_AP1R3_EL2.set(active[7].into());
    }
}
