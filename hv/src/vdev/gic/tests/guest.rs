//! A domain whose list registers live in a simulated CPU interface: acknowledged and ended as the manual says.

use std::vec;
use std::vec::Vec;

use super::{Effect, Intid, ListRegister, Private, Refill, State, VcpuNumber, Version, Width};
use crate::vdev::gic::Distributor;

/// List registers of QEMU's machines.
pub(super) const LISTS: usize = 4;

const SGI_BASE: u64 = 0x1_0000;

pub(super) struct Guest {
    version: Version,
    pub(super) shared: Distributor,
    pub(super) vcpus: Vec<Private>,
    pub(super) hardware: Vec<[ListRegister; LISTS]>,
    low: Vec<Refill>,
    /// Physical interrupts that were deactivated, by the guest's end or by the hypervisor.
    pub(super) deactivated: Vec<u16>,
    /// Who sent the SGI that was taken last.
    pub(super) sender: u8,
}

impl Guest {
    pub(super) fn reset(version: Version, vcpus: u16) -> Self {
        let private = |number| Private::new(version, VcpuNumber::new(number), vcpus, 1 << super::TIMER);
        Self {
            version,
            shared: Distributor::new(version, vcpus, Intid::new(95)),
            vcpus: (0..vcpus).map(private).collect(),
            hardware: vec![[ListRegister::EMPTY; LISTS]; usize::from(vcpus)],
            low: vec![Refill::NotNeeded; usize::from(vcpus)],
            deactivated: Vec::new(),
            sender: 0,
        }
    }

    pub(super) fn booted(version: Version, vcpus: u16) -> Self {
        let mut guest = Self::reset(version, vcpus);
        guest.switch_on();
        guest
    }

    pub(super) fn switch_on(&mut self) {
        self.write_shared(0, 0, Width::Word, 0b11);
    }

    /// Reads as the guest does: private registers from the redistributor, or from the banked part.
    pub(super) fn read_private(&self, vcpu: usize, offset: u64) -> u32 {
        match self.version {
            Version::V2 => self.shared.read(&self.vcpus[vcpu], offset, Width::Word) as u32,
            Version::V3 => self.vcpus[vcpu].read(SGI_BASE + offset, Width::Word) as u32,
        }
    }

    pub(super) fn write_private(&mut self, vcpu: usize, offset: u64, value: u32) -> Effect {
        match self.version {
            Version::V2 => self.write_shared(vcpu, offset, Width::Word, value.into()),
            Version::V3 => self.vcpus[vcpu].write(SGI_BASE + offset, Width::Word, value.into()),
        }
    }

    pub(super) fn read_shared(&self, vcpu: usize, offset: u64, width: Width) -> u64 {
        self.shared.read(&self.vcpus[vcpu], offset, width)
    }

    pub(super) fn write_shared(&mut self, vcpu: usize, offset: u64, width: Width, value: u64) -> Effect {
        self.shared.write(&mut self.vcpus[vcpu], offset, width, value)
    }

    fn set_bit(&mut self, vcpu: usize, register: u64, intid: u16) {
        let (offset, bit) = (register + u64::from(intid / 32) * 4, 1 << (intid % 32));
        if intid < 32 {
            self.write_private(vcpu, offset, bit);
        } else {
            self.write_shared(vcpu, offset, Width::Word, bit.into());
        }
    }

    pub(super) fn enable(&mut self, vcpu: usize, intid: u16) {
        self.set_bit(vcpu, 0x100, intid);
    }

    pub(super) fn disable(&mut self, vcpu: usize, intid: u16) {
        self.set_bit(vcpu, 0x180, intid);
    }

    pub(super) fn priority(&mut self, vcpu: usize, intid: u16, priority: u8) {
        assert!(intid < 32 && self.version == Version::V3);
        self.vcpus[vcpu].write(SGI_BASE + 0x400 + u64::from(intid), Width::Byte, priority.into());
    }

    pub(super) fn target(&mut self, intid: u16, vcpu: u16) {
        match self.version {
            Version::V2 => self.write_shared(0, 0x800 + u64::from(intid), Width::Byte, 1 << vcpu),
            Version::V3 => self.write_shared(0, 0x6000 + 8 * u64::from(intid), Width::Double, vcpu.into()),
        };
    }

    /// A GICv2 guest's write to GICD_SGIR.
    pub(super) fn sgir(&mut self, sender: usize, value: u32) {
        let Effect::Send(sgi) = self.write_shared(sender, 0xf00, Width::Word, value.into()) else {
            panic!("GICD_SGIR sends")
        };
        let from = VcpuNumber::new(sender as u16);
        for target in sgi.targets(from, self.shared.vcpus()) {
            self.vcpus[usize::from(target.get())].send(sgi.bit(), from);
        }
    }

    /// What the hypervisor does before the vCPU goes on.
    pub(super) fn refill(&mut self, vcpu: usize) -> Refill {
        self.put_away(vcpu);
        let private = &mut self.vcpus[vcpu];
        let deactivated = &mut self.deactivated;
        let done = private.refill(&mut self.shared, LISTS, |intid| deactivated.push(intid.get()));
        for slot in 0..LISTS {
            if done.changed & 1 << slot != 0 {
                self.hardware[vcpu][slot] = private.list(slot);
            } else {
                assert_eq!(self.hardware[vcpu][slot], private.list(slot), "unchanged is as it was");
            }
        }
        self.low[vcpu] = done.refill;
        done.refill
    }

    pub(super) fn put_away(&mut self, vcpu: usize) {
        let private = &mut self.vcpus[vcpu];
        for slot in 0..LISTS {
            if private.in_use() & 1 << slot != 0 {
                private.set_list(slot, self.hardware[vcpu][slot]);
            }
        }
    }

    /// The guest acknowledges; the hypervisor was there before.
    pub(super) fn take(&mut self, vcpu: usize) -> Option<u16> {
        self.refill(vcpu);
        self.take_without_refill(vcpu)
    }

    /// ICC_IAR1: the most urgent pending one becomes active.
    pub(super) fn take_without_refill(&mut self, vcpu: usize) -> Option<u16> {
        let pending = |register: &&mut ListRegister| matches!(register.state(), State::Pending | State::Both);
        let registers = self.hardware[vcpu].iter_mut();
        let taken = registers.filter(pending).min_by_key(|register| (register.priority(), register.intid()))?;
        *taken = ListRegister::from_bits(taken.bits() & !(1 << 62) | 1 << 63);
        self.sender = taken.sender();
        Some(taken.intid().get())
    }

    /// ICC_EOIR1, with EOImode 0.
    pub(super) fn end(&mut self, vcpu: usize, intid: u16) {
        let active = |register: &&mut ListRegister| {
            register.intid().get() == intid && matches!(register.state(), State::Active | State::Both)
        };
        let ended = self.hardware[vcpu].iter_mut().find(active).expect("the guest ends what it has taken");
        self.deactivated.extend(ended.physical().map(Intid::get));
        *ended = ListRegister::from_bits(ended.bits() & !(1 << 63));
    }

    /// Whether an end is announced. ICH_EISR_EL2: state invalid, HW 0, EOI 1.
    pub(super) fn maintenance(&self, vcpu: usize) -> bool {
        let announced = |register: &ListRegister| {
            register.state() == State::Invalid && register.physical().is_none() && register.bits() & 1 << 41 != 0
        };
        self.hardware[vcpu].iter().any(announced)
    }

    /// ICH_MISR_EL2.U: one list register at most is in use, and that is to be told.
    pub(super) fn underflow(&self, vcpu: usize) -> bool {
        let used = self.hardware[vcpu].iter().filter(|register| register.state() != State::Invalid).count();
        self.low[vcpu] == Refill::WhenLow && used <= 1
    }
}
