//! A domain's part: its shared interrupts, whom each goes to, and the distributor's registers.
//!
//! Interrupts keep their numbers: a guest's SPI is the machine's. Registers of those beyond the guest's last one read as
//! zero and ignore writes, and so does what the version does not have.

use super::numbers;
use super::register::{Field, Kind};
use super::{Bank, Intid, Line, Private, Sgi, VcpuNumber, Version, Width};
use crate::board::DOMAINS;

/// Banks of shared interrupts that a guest of this board can have; tests have two.
pub(super) const BANKS: usize = if cfg!(test) { 2 } else { most_shared() / 32 };

/// The highest number of a guest's interrupt.
const fn most_shared() -> usize {
    let (mut most, mut at) = (32, 0);
    while at < DOMAINS.len() {
        let map = &DOMAINS[at].map;
        if let Some(uart) = map.uart {
            most = larger(most, uart.intid);
        }
        let mut device = 0;
        while device < map.passed.len() {
            let mut number = 0;
            while number < map.passed[device].intids.len() {
                most = larger(most, map.passed[device].intids[number]);
                number += 1;
            }
            device += 1;
        }
        at += 1;
    }
    most
}

const fn larger(one: usize, other: u32) -> usize {
    if other as usize > one { other as usize } else { one }
}

/// GICD_CTLR.
const CTLR: u64 = 0x000;
/// GICD_TYPER.
const TYPER: u64 = 0x004;
/// GICD_SGIR, GICv2.
const SGIR: u64 = 0xf00;
/// GICD_IROUTER<n>, GICv3, from INTID 32 on.
const IROUTER: core::ops::Range<u64> = 0x6100..0x8000;
/// GICD_PIDR2, GICv3; ICPIDR2, GICv2: ArchRev bits [7:4], bit 3 is RES1, and no designer is claimed.
const PIDR2: u64 = 0xffe8;
const ICPIDR2: u64 = 0xfe8;

/// No vCPU.
const NOBODY: u16 = u16::MAX;

/// A domain's part.
#[derive(Debug)]
pub struct Distributor {
    version: Version,
    vcpus: u16,
    /// Banks that the guest has.
    used: usize,
    forwarding: Forwarding,
    banks: [Bank; BANKS],
    targets: [[u16; 32]; BANKS],
}

/// GICD_CTLR.Enable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forwarding {
    On,
    Off,
}

/// Shared interrupts of one bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    pub(super) bank: usize,
    pub(super) bits: u32,
}

/// Who may have to take something after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nobody.
    Nothing,
    /// The vCPU whose private interrupts were written.
    Own,
    /// The targets of shared interrupts: [`Distributor::owners`].
    Shared(Lines),
    /// Every vCPU.
    All,
    /// The targets of an SGI, which is still to be sent.
    Send(Sgi),
}

impl Distributor {
    /// As after a reset, with shared interrupts up to number `last`.
    pub const fn new(version: Version, vcpus: u16, last: Intid) -> Self {
        let banks = (last.get() / 32) as usize;
        Self {
            version,
            vcpus,
            used: if banks < BANKS { banks } else { BANKS },
            forwarding: Forwarding::Off,
            banks: [const { Bank::new(u32::MAX, 0) }; BANKS],
            targets: [[0; 32]; BANKS],
        }
    }

    /// vCPUs of the domain.
    pub fn vcpus(&self) -> u16 {
        self.vcpus
    }

    /// Gives the guest the physical interrupt of this number.
    pub fn tie(&mut self, intid: Intid) {
        if let Some(line) = self.line(intid) {
            self.banks[line.bank].tie(line.bits);
        }
    }

    /// A shared interrupt came, once; a physical one stays active until the guest ends it. Returns who takes it.
    pub fn latch(&mut self, intid: Intid) -> Option<VcpuNumber> {
        let line = self.line(intid)?;
        self.banks[line.bank].latch(line.bits);
        self.owners(line).next()
    }

    /// A shared line goes up or down. Returns who takes it.
    pub fn drive(&mut self, intid: Intid, to: Line) -> Option<VcpuNumber> {
        let line = self.line(intid)?;
        self.banks[line.bank].drive(line.bits, to);
        self.owners(line).next()
    }

    /// A shared line is this; tells what that does, if it was the other.
    pub fn change(&mut self, intid: Intid, to: Line) -> Option<Effect> {
        let lines = self.line(intid)?;
        self.banks[lines.bank].drives(lines.bits, to).then(|| {
            self.banks[lines.bank].drive(lines.bits, to);
            Effect::Shared(lines)
        })
    }

    /// Shared interrupts that stand for physical ones and have come, in no list register's care any more when the domain
    /// ends: to be deactivated.
    pub fn in_flight(&self) -> impl Iterator<Item = Intid> + '_ {
        let banks = self.banks.iter().take(self.used).enumerate();
        banks.flat_map(|(bank, lines)| numbers(lines.in_flight()).map(move |lane| number(bank, lane)))
    }

    /// Whom shared interrupts go to.
    pub fn owners(&self, lines: Lines) -> impl Iterator<Item = VcpuNumber> + '_ {
        let targets = &self.targets[lines.bank];
        numbers(lines.bits).map(|lane| targets[lane]).filter(|target| *target != NOBODY).map(VcpuNumber::new)
    }

    fn line(&self, intid: Intid) -> Option<Lines> {
        let (bank, bits) = intid.place();
        let bank = bank.checked_sub(1).filter(|bank| *bank < self.used)?;
        Some(Lines { bank, bits })
    }

    pub(super) fn forwards(&self) -> bool {
        self.forwarding == Forwarding::On
    }

    pub(super) fn bank_of(&mut self, intid: Intid) -> &mut Bank {
        let line = self.line(intid).expect("only the domain's interrupts come into list registers");
        &mut self.banks[line.bank]
    }

    pub(super) fn most_urgent(&self, vcpu: VcpuNumber, best: &mut Option<(Intid, u8)>) {
        // By number: looked at twice in most exits, and an iterator over both costs as much as the look.
        for bank in 0..self.used.min(BANKS) {
            let waiting = self.banks[bank].waiting();
            if waiting != 0 {
                let own = numbers(waiting).filter(|lane| self.targets[bank][*lane] == vcpu.get());
                let own = own.fold(0, |bits, lane| bits | 1 << lane);
                self.banks[bank].most_urgent(own, number(bank, 0).get(), best);
            }
        }
    }

    /// Reads a register for the vCPU with this private part; 0 where there is none.
    pub fn read(&self, own: &Private, offset: u64, width: Width) -> u64 {
        if let Some(field) = Field::at(offset) {
            return self.read_field(own, &field, width).into();
        }
        match (self.version, offset) {
            (Version::V3, _) if IROUTER.contains(&offset) => self.read_router(offset, width),
            _ if width != Width::Word => self.read_senders(own, offset, width),
            (_, CTLR) => self.control().into(),
            (_, TYPER) => self.kind().into(),
            (Version::V3, PIDR2) => 0x38,
            (Version::V2, ICPIDR2) => 0x28,
            _ => self.read_senders(own, offset, width),
        }
    }

    /// Writes a register.
    pub fn write(&mut self, own: &mut Private, offset: u64, width: Width, value: u64) -> Effect {
        if let Some(field) = Field::at(offset) {
            return self.write_field(own, &field, width, value as u32);
        }
        match (self.version, offset, width) {
            (Version::V3, _, Width::Double) if IROUTER.contains(&offset) => self.write_router(offset, value),
            (_, CTLR, Width::Word) => self.write_control(value as u32),
            (Version::V2, SGIR, Width::Word) => Effect::Send(Sgi::from_sgir(value as u32, own.number)),
            (Version::V2, _, _) => own.write_senders(offset, width, value as u32),
            (Version::V3, _, _) => Effect::Nothing,
        }
    }

    /// GICD_CTLR. GICv2: Enable bit 0. GICv3: DS bit 6 and ARE bit 4 read as one, EnableGrp1 bit 1.
    fn control(&self) -> u32 {
        match (self.version, self.forwarding) {
            (Version::V2, Forwarding::Off) => 0,
            (Version::V2, Forwarding::On) => 1,
            (Version::V3, Forwarding::Off) => 1 << 6 | 1 << 4,
            (Version::V3, Forwarding::On) => 1 << 6 | 1 << 4 | 1 << 1,
        }
    }

    fn write_control(&mut self, value: u32) -> Effect {
        let bit = match self.version {
            Version::V2 => 1 << 0,
            Version::V3 => 1 << 1,
        };
        self.forwarding = if value & bit == 0 { Forwarding::Off } else { Forwarding::On };
        Effect::All
    }

    /// GICD_TYPER: ITLinesNumber bits [4:0]. GICv2: CPUNumber bits [7:5]. GICv3: IDbits bits [23:19], less one, ten as
    /// INTIDs to 1023 need; No1N bit 25.
    fn kind(&self) -> u32 {
        let lines = self.used as u32;
        match self.version {
            Version::V2 => lines | (u32::from(self.vcpus.saturating_sub(1)) & 7) << 5,
            Version::V3 => lines | 9 << 19 | 1 << 25,
        }
    }

    fn read_field(&self, own: &Private, field: &Field, width: Width) -> u32 {
        match (field.bank.checked_sub(1), self.version) {
            (None, Version::V3) => 0,
            (None, Version::V2) if field.kind == Kind::Target => lanes(width, |_| 1 << own.number.get()),
            (None, Version::V2) => own.read_field(field, width),
            (Some(bank), _) if bank >= self.used => 0,
            (Some(bank), Version::V2) if field.kind == Kind::Target => {
                let target = |lane: usize| match self.targets[bank].get(field.lane + lane) {
                    Some(target) if *target < 8 => 1 << target,
                    Some(_) | None => 0,
                };
                lanes(width, target)
            }
            // The one group there is.
            (Some(_), Version::V3) if field.kind == Kind::Group && width == Width::Word => u32::MAX,
            (Some(bank), _) => self.banks[bank].read(field, width),
        }
    }

    fn write_field(&mut self, own: &mut Private, field: &Field, width: Width, value: u32) -> Effect {
        match (field.bank.checked_sub(1), self.version) {
            (None, Version::V3) => Effect::Nothing,
            (None, Version::V2) => own.write_field(field, width, value),
            (Some(bank), _) if bank >= self.used => Effect::Nothing,
            (Some(bank), Version::V2) if field.kind == Kind::Target => {
                self.write_targets(bank, field.lane, width, value)
            }
            (Some(bank), _) => {
                let bits = self.banks[bank].write(field, width, value);
                Effect::Shared(Lines { bank, bits })
            }
        }
    }

    /// ITARGETSR<n>, a byte each: of several targets the first is meant.
    fn write_targets(&mut self, bank: usize, lane: usize, width: Width, value: u32) -> Effect {
        let count = count(width);
        for (number, target) in self.targets[bank].iter_mut().skip(lane).take(count).enumerate() {
            let first = (value >> (8 * number) as u32 & 0xff).trailing_zeros() as u16;
            *target = if first < self.vcpus { first } else { NOBODY };
        }
        let all = (1_u64 << count) - 1;
        Effect::Shared(Lines { bank, bits: (all << lane) as u32 })
    }

    /// The interrupt of a router, as bank and lane.
    fn routed(&self, offset: u64) -> Option<(usize, usize)> {
        let intid = (offset % 0x2000 / 8) as usize;
        (intid / 32 - 1 < self.used).then_some((intid / 32 - 1, intid % 32))
    }

    /// IROUTER<n>: Aff3 bits [39:32], Aff2 to Aff0 bits [23:0].
    fn read_router(&self, offset: u64, width: Width) -> u64 {
        match (self.routed(offset), width) {
            (Some((bank, lane)), Width::Double) if self.targets[bank][lane] != NOBODY => {
                VcpuNumber::new(self.targets[bank][lane]).affinity().into()
            }
            (Some(_) | None, _) => 0,
        }
    }

    fn write_router(&mut self, offset: u64, value: u64) -> Effect {
        let Some((bank, lane)) = self.routed(offset) else { return Effect::Nothing };
        // Aff3 and Aff2 are nobody's; Interrupt_Routing_Mode, bit 31, is not supported: TYPER.No1N.
        let affinity = (value & 0xffff) as u32 | u32::from(value & 0xff_00ff_0000 != 0) << 16;
        let target = VcpuNumber::from_affinity(affinity).filter(|vcpu| vcpu.get() < self.vcpus);
        self.targets[bank][lane] = target.map_or(NOBODY, VcpuNumber::get);
        Effect::Shared(Lines { bank, bits: 1 << lane })
    }

    fn read_senders(&self, own: &Private, offset: u64, width: Width) -> u64 {
        match self.version {
            Version::V2 => own.read_senders(offset, width).into(),
            Version::V3 => 0,
        }
    }
}

fn number(bank: usize, lane: usize) -> Intid {
    Intid::new(((bank + 1) * 32 + lane) as u16)
}

/// Bytes that an access to a register of bytes reaches.
pub(super) fn count(width: Width) -> usize {
    match width {
        Width::Byte => 1,
        Width::Word => 4,
        Width::Half | Width::Double => 0,
    }
}

/// A register of bytes.
pub(super) fn lanes(width: Width, byte: impl Fn(usize) -> u32) -> u32 {
    (0..count(width)).fold(0, |word, lane| word | byte(lane) << (8 * lane))
}
