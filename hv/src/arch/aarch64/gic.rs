//! The machine's interrupt controller, as EL2 drives it: a GICv2 or a GICv3, whichever the board file names.
//!
//! Ends an interrupt in two steps (EOImode = 1): the priority drops when EL2 is done with it, and it is deactivated here
//! or, where a list register is tied to it, by the guest. Interrupts are taken from guests only: EL2 runs masked.

mod registers;
mod v2;
mod v3;

use crate::board::types::{Interrupts, Timer};
use crate::board::{INTERRUPTS, TIMER};
use crate::cpu::CpuIndex;
use crate::vdev::gic::{Intid, ListRegister, Refill};

/// The interrupt by which one CPU gets another one's attention.
pub const KICK: Intid = Intid::new(0);

/// Private interrupts of the timers that EL2 takes.
pub struct Timers {
    /// The virtual one, a guest's.
    pub virt: Intid,
    /// The physical one: a guest sees it under this number.
    pub phys: Intid,
    /// EL2's own.
    pub hyp: Intid,
}

/// This machine's.
pub const TIMERS: Timers = match TIMER {
    Timer::ArmGeneric { phys, virt, hyp_phys } => {
        Timers { virt: Intid::new(virt as u16), phys: Intid::new(phys as u16), hyp: Intid::new(hyp_phys as u16) }
    }
    Timer::Tsc => panic!("the plan names a time-stamp counter on AArch64"),
};

/// Priority of every physical interrupt: they are taken one after the other.
const PRIORITY: u8 = 0xa0;
/// [`PRIORITY`], four times.
const PRIORITIES: u32 = u32::from_ne_bytes([PRIORITY; 4]);
/// Priorities that are let through: all.
const ALL_PRIORITIES: u32 = 0xff;

/// Looks at a bit of a register that follows another write before the controller is given up.
const PATIENCE_ITERATIONS: u32 = 1_000_000;

/// What acknowledging said: an INTID and, on a GICv2, the sender of an SGI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged(u32);

impl Acknowledged {
    /// Nothing to handle. Arm IHI 0069, "INTIDs", special interrupt numbers: 1020 to 1023.
    fn from_register(value: u32) -> Option<Self> {
        (value & 0x3ff < 1020).then_some(Self(value))
    }

    /// Which interrupt.
    pub fn intid(self) -> Intid {
        Intid::new((self.0 & 0x3ff) as u16)
    }
}

/// Whether an interrupt counts as being handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It does: it is not taken again.
    Active,
    /// It does not.
    Inactive,
}

/// What a vCPU's interface holds besides list registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Interface {
    /// ICH_VMCR_EL2 or GICH_VMCR.
    pub control: u32,
    /// Active priorities: ICH_AP0R<n>_EL2, then ICH_AP1R<n>_EL2; GICH_APR first.
    pub active: [u32; 8],
}

impl Interface {
    /// As after a reset: everything off.
    pub const RESET: Self = Self { control: 0, active: [0; 8] };
}

/// Calls the version that the board has.
macro_rules! either {
    ($function:ident($($argument:expr),*)) => {
        match INTERRUPTS {
            Interrupts::GicV2 { .. } => v2::$function($($argument),*),
            Interrupts::GicV3 { .. } => v3::$function($($argument),*),
            Interrupts::Apic | Interrupts::None => panic!("the plan names no GIC, so nothing asks for it"),
        }
    };
}

/// The part that all CPUs share: no shared interrupt is enabled, none is pending from before.
pub fn init_shared() {
    if INTERRUPTS == Interrupts::None {
        return;
    }
    either!(init_shared())
}

/// This CPU's part: kicks, timers and the virtual interface's own interrupt are enabled, no other.
pub fn init_cpu() {
    if INTERRUPTS == Interrupts::None {
        return;
    }
    either!(init_cpu());
    [KICK, maintenance(), TIMERS.virt, TIMERS.hyp].into_iter().for_each(enable);
}

/// The virtual interface's own interrupt.
pub fn maintenance() -> Intid {
    match INTERRUPTS {
        Interrupts::GicV2 { maintenance_intid, .. } | Interrupts::GicV3 { maintenance_intid, .. } => {
            Intid::new(maintenance_intid as u16)
        }
        Interrupts::Apic | Interrupts::None => panic!("the plan names no GIC, so nothing asks for it"),
    }
}

/// Takes the pending interrupt of the highest priority.
pub fn acknowledge() -> Option<Acknowledged> {
    if INTERRUPTS == Interrupts::None {
        return None;
    }
    Acknowledged::from_register(either!(acknowledge()))
}

/// EL2 is done with it: others are taken again. It stays active.
pub fn drop_priority(taken: Acknowledged) {
    either!(drop_priority(taken.0))
}

/// It may come again.
pub fn deactivate(taken: Acknowledged) {
    either!(deactivate(taken.0))
}

/// Lets an interrupt through: a private one on this CPU.
pub fn enable(intid: Intid) {
    either!(set_enable(intid))
}

/// Keeps an interrupt back: a private one on this CPU.
pub fn disable(intid: Intid) {
    either!(clear_enable(intid))
}

/// Sets whether an interrupt counts as being handled: a private one on this CPU.
pub fn set_activity(intid: Intid, activity: Activity) {
    either!(set_activity(intid, activity))
}

/// Sends a shared interrupt to a CPU.
pub fn route(intid: Intid, cpu: CpuIndex) {
    either!(route(intid, cpu))
}

/// Sends [`KICK`]; everything that this CPU has written is visible to the other one then.
pub fn kick(cpu: CpuIndex) {
    if INTERRUPTS == Interrupts::None {
        return;
    }
    either!(kick(cpu))
}

/// List registers there are: 16 at most.
pub fn list_registers() -> usize {
    either!(list_registers())
}

/// What a list register holds now.
pub fn read_list(number: usize) -> ListRegister {
    either!(read_list(number))
}

/// Fills a list register.
pub fn write_list(number: usize, value: ListRegister) {
    either!(write_list(number, value))
}

/// Switches the virtual interface on, with the interrupt that the vCPU's waiting ones need.
pub fn set_refill(refill: Refill) {
    either!(enable_interface(refill))
}

/// Switches the virtual interface off: no vCPU is loaded.
pub fn disable_interface() {
    either!(disable_interface())
}

/// The loaded vCPU's interface.
pub fn save_interface() -> Interface {
    either!(save_interface())
}

/// Loads a vCPU's interface.
pub fn load_interface(interface: &Interface) {
    either!(load_interface(interface))
}
