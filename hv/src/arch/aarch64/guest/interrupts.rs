//! Interrupts of a loaded vCPU: physical ones as they come, its list registers, its timers.
//!
//! List registers stay as they are from one exit to the next: they are looked at when something has changed.

use core::sync::atomic::{AtomicU64, Ordering};

use aarch64_cpu::registers::{CNTHP_CTL_EL2, CNTV_CTL_EL0, Writeable};

use super::control::{self, Devices};
use super::registers;
use crate::arch::this::cpu;
use crate::arch::this::gic::{self, Acknowledged, Activity, TIMERS};
use crate::board::CPUS;
use crate::board::types::Domain;
use crate::domain::inbox;
use crate::vdev::gic::{Effect, Intid, Line, VcpuNumber, numbers};
use crate::vdev::timer;

/// No tick.
const NEVER: u64 = u64::MAX;

/// When each CPU is to look whether another vCPU has its turn.
pub(super) static ALARMS: [AtomicU64; CPUS.len()] = [const { AtomicU64::new(NEVER) }; CPUS.len()];

/// Has this CPU's own timer interrupt it at a tick.
pub(super) fn set_timer(at: u64) {
    registers::set_own_timer(at);
    // ENABLE, bit 0. Arm ARM, CNTHP_CTL_EL2.
    CNTHP_CTL_EL2.set(u64::from(at != NEVER));
}

/// Interrupts that end the sleep of a CPU that runs no vCPU.
pub(super) fn taken_idle() {
    while let Some(taken) = gic::acknowledge() {
        gic::drop_priority(taken);
        if !taken.intid().is_private() {
            shared(taken);
            continue;
        }
        if taken.intid() == TIMERS.hyp {
            CNTHP_CTL_EL2.set(0);
        }
        gic::deactivate(taken);
    }
}

/// A shared interrupt has come: to a domain, which ends it, or to nobody.
fn shared(taken: Acknowledged) {
    match inbox::arrived(taken.intid()) {
        Some(domain) => inbox::notify(domain, 0),
        None => {
            gic::disable(taken.intid());
            gic::deactivate(taken);
        }
    }
}

/// A vCPU of the loaded domain, for the CPU that runs it.
#[derive(Clone, Copy)]
pub(super) struct Vcpu {
    pub(super) domain: &'static Domain,
    pub(super) number: u32,
}

const fn bit(intid: Intid) -> u32 {
    1 << intid.get()
}

/// Interrupts of the machine that are a domain's.
fn passed(domain: &Domain) -> impl Iterator<Item = Intid> {
    let devices = domain.map.passed.iter();
    devices.flat_map(|device| device.intids).map(|intid| Intid::new(*intid as u16))
}

/// Everything as after a reset, before a vCPU of the loaded domain runs; its devices' interrupts come to this CPU.
pub(super) fn reset(domain: &Domain) {
    (0..domain.vcpus).for_each(|vcpu| control::reset(domain, vcpu, bit(TIMERS.virt)));
    for intid in passed(domain) {
        gic::set_activity(intid, Activity::Inactive);
        gic::route(intid, cpu::index());
        gic::enable(intid);
    }
}

/// The domain is over: its devices' interrupts come no more.
pub(super) fn withdraw(domain: &Domain) {
    for intid in passed(domain) {
        gic::disable(intid);
        gic::set_activity(intid, Activity::Inactive);
    }
}

impl Vcpu {
    /// Makes the vCPU's interrupts this CPU's.
    pub(super) fn load(self) {
        gic::load_interface(&control::own(self.number).interface);
        let mut devices = Devices::lock(self.domain);
        let (_, private) = devices.of(self.number);
        (0..gic::list_registers()).for_each(|list| gic::write_list(list, private.list(list)));
        let held = private.in_flight() & bit(TIMERS.virt) != 0;
        gic::set_activity(TIMERS.virt, if held { Activity::Active } else { Activity::Inactive });
        self.refill(&mut devices);
        self.arm();
    }

    /// Puts them away, after its virtual timer has been: this CPU takes none for the vCPU any more.
    pub(super) fn save(self) {
        CNTHP_CTL_EL2.set(0);
        CNTV_CTL_EL0.set(0);
        let mut devices = Devices::lock(self.domain);
        let (_, private) = devices.of(self.number);
        numbers(private.in_use().into()).for_each(|list| private.set_list(list, gic::read_list(list)));
        control::own(self.number).interface = gic::save_interface();
        gic::disable_interface();
        gic::set_activity(TIMERS.virt, Activity::Inactive);
    }

    /// Whether the vCPU that runs has an interrupt to take.
    pub(super) fn has_work(self) -> bool {
        let mut devices = Devices::lock(self.domain);
        let (shared, private) = devices.of(self.number);
        numbers(private.in_use().into()).for_each(|list| private.set_list(list, gic::read_list(list)));
        private.has_work(&shared.distributor)
    }

    /// When its physical timer is due.
    pub(super) fn due(self) -> Option<u64> {
        control::own(self.number).physical.deadline()
    }

    /// A physical interrupt made the guest leave.
    pub(super) fn taken(self) {
        let Some(taken) = gic::acknowledge() else { return };
        gic::drop_priority(taken);
        let intid = taken.intid();
        if intid == TIMERS.virt {
            // It stays active until the guest ends it.
            let mut devices = Devices::lock(self.domain);
            devices.of(self.number).1.latch(bit(intid));
            self.refill(&mut devices);
        } else if intid.is_private() {
            if intid == TIMERS.hyp {
                CNTHP_CTL_EL2.set(0);
            }
            // A kick, the virtual interface, the physical timer: whatever came is in the books or on its way there.
            self.refill(&mut Devices::lock(self.domain));
            gic::deactivate(taken);
        } else {
            shared(taken);
            self.refill(&mut Devices::lock(self.domain));
        }
    }

    /// Something may have been posted to it.
    pub(super) fn look(self) {
        self.refill(&mut Devices::lock(self.domain));
    }

    /// Fills the list registers with what the vCPU may take, after something has changed.
    pub(super) fn refill(self, devices: &mut Devices) {
        let (shared, private) = devices.of(self.number);
        private.latch(inbox::take_private(self.domain, self.number));
        for intid in inbox::take_shared(self.domain) {
            match shared.distributor.latch(intid) {
                Some(owner) if u32::from(owner.get()) != self.number => inbox::notify(self.domain, owner.get().into()),
                Some(_) | None => {}
            }
        }
        private.drive(bit(TIMERS.phys), self.physical_line());
        numbers(private.in_use().into()).for_each(|list| private.set_list(list, gic::read_list(list)));
        let lists = gic::list_registers();
        let done = private.refill(&mut shared.distributor, lists, |intid| gic::set_activity(intid, Activity::Inactive));
        numbers(done.changed.into()).for_each(|list| gic::write_list(list, private.list(list)));
        gic::set_refill(done.refill);
    }

    /// What a write to the controller's registers has done: who has something to take is told.
    pub(super) fn apply(self, devices: &mut Devices, effect: Effect) {
        let own = match effect {
            Effect::Nothing => return,
            Effect::Own => Told::Too,
            Effect::All => (0..self.domain.vcpus).fold(Told::Not, |told, vcpu| told.or(self.tell(vcpu))),
            Effect::Shared(lines) => {
                let (shared, _) = devices.of(self.number);
                let owners = shared.distributor.owners(lines);
                owners.fold(Told::Not, |told, owner| told.or(self.tell(owner.get().into())))
            }
            Effect::Send(sgi) => {
                let from = VcpuNumber::new(self.number as u16);
                sgi.targets(from, self.domain.vcpus as u16).fold(Told::Not, |told, target| {
                    devices.of(target.get().into()).1.send(sgi.bit(), from);
                    told.or(self.tell(target.get().into()))
                })
            }
        };
        if own == Told::Too {
            self.refill(devices);
        }
    }

    /// Tells a vCPU that it may have something to take; this one is told by the result.
    pub(super) fn tell(self, vcpu: u32) -> Told {
        if vcpu == self.number {
            return Told::Too;
        }
        inbox::notify(self.domain, vcpu);
        Told::Not
    }

    /// Reads a register of the emulated physical timer.
    pub(super) fn read_timer(self, register: timer::Register) -> u64 {
        control::own(self.number).physical.read(register, cpu::ticks())
    }

    /// Writes one.
    pub(super) fn write_timer(self, register: timer::Register, value: u64) {
        control::own(self.number).physical.write(register, cpu::ticks(), value);
        self.refill(&mut Devices::lock(self.domain));
        self.arm();
    }

    fn physical_line(self) -> Line {
        let timer = control::own(self.number).physical;
        // Most guests never touch it: no time is asked for.
        if timer.deadline().is_none() { Line::Down } else { timer.line(cpu::ticks()) }
    }

    /// Has the CPU's own timer say when the vCPU's physical timer is due, or when the CPU is to look.
    pub(super) fn arm(self) {
        let own = match self.due() {
            Some(at) if self.physical_line() == Line::Down => at,
            Some(_) | None => NEVER,
        };
        set_timer(own.min(ALARMS[cpu::index().get()].load(Ordering::Relaxed)));
    }
}

/// Whether this vCPU is among those that have something to take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Too,
    Not,
}

impl Told {
    fn or(self, other: Self) -> Self {
        if self == Self::Too { Self::Too } else { other }
    }
}
