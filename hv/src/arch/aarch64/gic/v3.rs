//! GICv3: affinity routing on, CPU interfaces in system registers.
//!
//! Source: Arm Generic Interrupt Controller, architecture versions 3 and 4 (IHI 0069), registers by name.

mod system;

use core::sync::atomic::{AtomicUsize, Ordering};

use aarch64_cpu::registers::{MPIDR_EL1, Readable};

use super::registers::{DISTRIBUTOR, Redistributor, Window, redistributor};
use super::v2::{
    GICD_ICACTIVER, GICD_ICENABLER, GICD_IGROUPR, GICD_IPRIORITYR, GICD_ISACTIVER, GICD_ISENABLER, bit, init_banks,
};
use super::{Activity, PATIENCE_ITERATIONS, PRIORITIES};
use crate::arch::this::cpu;
use crate::board::CPUS;
use crate::cpu::CpuIndex;
use crate::vdev::gic::Intid;

pub(super) use system::{
    acknowledge, deactivate, disable_interface, drop_priority, enable_interface, kick, list_registers, load_interface,
    read_list, save_interface, write_list,
};

const GICD_CTLR: u64 = 0x0000;
/// One of 64 bits for each shared interrupt, from INTID 0 on. GICD_IROUTER<n>.
const GICD_IROUTER: u64 = 0x6000;
/// GICD_CTLR.RWP, bit 31: a write is still on its way.
const WRITE_PENDING: u32 = 1 << 31;
/// GICD_CTLR from the non-secure side: ARE_NS bit 4, EnableGrp1A bit 1, EnableGrp1 bit 0; with one security state ARE,
/// EnableGrp1, EnableGrp0.
const ENABLE: u32 = 1 << 4 | 1 << 1 | 1 << 0;

/// Affinity, bits [63:32].
const GICR_TYPER: u64 = 0x0008;
/// GICR_TYPER.VLPIS, bit 1: two more frames of 64 KiB follow the redistributor's own.
const VIRTUAL_LPIS: u64 = 1 << 1;
/// ProcessorSleep, bit 1; ChildrenAsleep, bit 2.
const GICR_WAKER: u64 = 0x0014;

/// Which redistributor each CPU has.
static NUMBERS: [AtomicUsize; CPUS.len()] = [const { AtomicUsize::new(0) }; CPUS.len()];

pub(super) fn init_shared() {
    DISTRIBUTOR.write(GICD_CTLR, 0);
    settle();
    init_banks();
    DISTRIBUTOR.write(GICD_CTLR, ENABLE);
    settle();
}

/// Waits for the distributor's registers to take effect.
fn settle() {
    let settled = (0..PATIENCE_ITERATIONS).any(|_| DISTRIBUTOR.read(GICD_CTLR) & WRITE_PENDING == 0);
    assert!(settled, "a distributor finishes its writes");
}

/// Affinity levels as GICR_TYPER and GICD_IROUTER<n> order them, from MPIDR_EL1: Aff3 bits [39:32] to bits [31:24].
fn affinity(mpidr: u64) -> u64 {
    mpidr >> 8 & 0xff00_0000 | mpidr & 0xff_ffff
}

/// The number of the redistributor that serves this CPU.
fn find() -> Option<usize> {
    let own = affinity(MPIDR_EL1.get());
    for number in 0.. {
        let kind = redistributor(number)?.control.read_double(GICR_TYPER);
        if kind >> 32 == own {
            return Some(number);
        }
    }
    None
}

/// What must hold of the board file that names no redistributor of this CPU.
fn missing() -> &'static str {
    match redistributor(0).map(|first| first.control.read_double(GICR_TYPER) & VIRTUAL_LPIS) {
        Some(VIRTUAL_LPIS) => {
            "irq.gicr-stride is 256 KiB where redistributors serve virtual LPIs, and irq.gicr as long"
        }
        Some(_) | None => "irq.gicr names a redistributor for each core",
    }
}

fn own() -> Redistributor {
    let number = NUMBERS[cpu::index().get()].load(Ordering::Relaxed);
    redistributor(number).expect("init_cpu found it")
}

pub(super) fn init_cpu() {
    let number = find().unwrap_or_else(|| panic!("{}", missing()));
    NUMBERS[cpu::index().get()].store(number, Ordering::Relaxed);
    let Redistributor { control, private } = own();
    control.write(GICR_WAKER, 0);
    let awake = (0..PATIENCE_ITERATIONS).any(|_| control.read(GICR_WAKER) & 1 << 2 == 0);
    assert!(awake, "a redistributor wakes up");
    for register in [GICD_IGROUPR, GICD_ICENABLER, GICD_ICACTIVER] {
        private.write(register, u32::MAX);
    }
    for offset in (0..32).step_by(4) {
        private.write(GICD_IPRIORITYR + offset, PRIORITIES);
    }
    system::init();
}

/// The registers that hold an interrupt's bits: private ones have theirs in the redistributor.
fn bank(intid: Intid) -> Window {
    if intid.is_private() { own().private } else { DISTRIBUTOR }
}

pub(super) fn set_enable(intid: Intid) {
    let (offset, bit) = bit(intid);
    bank(intid).write(GICD_ISENABLER + offset, bit);
}

pub(super) fn clear_enable(intid: Intid) {
    let (offset, bit) = bit(intid);
    bank(intid).write(GICD_ICENABLER + offset, bit);
}

pub(super) fn set_activity(intid: Intid, activity: Activity) {
    let (offset, bit) = bit(intid);
    let register = match activity {
        Activity::Active => GICD_ISACTIVER,
        Activity::Inactive => GICD_ICACTIVER,
    };
    bank(intid).write(register + offset, bit);
}

/// GICD_IROUTER<n>: Aff3 bits [39:32], Aff2 to Aff0 bits [23:0].
pub(super) fn route(intid: Intid, cpu: CpuIndex) {
    DISTRIBUTOR.write_double(GICD_IROUTER + 8 * u64::from(intid.get()), CPUS[cpu.get()].id & 0xff_00ff_ffff);
}
