//! A guest's access to an emulated device: found by address, decoded, carried out.
//!
//! What nobody answers is the caller's business.

use paging::{Ipa, VirtAddr};

use super::control::Devices;
use super::interrupts::Vcpu;
use super::{Context, memory};
use crate::board::types::{Domain, GuestGic, GuestRange};
use crate::domain::output;
use crate::mm::guest_walk::GuestVirt;
use crate::vdev::exception::Exception;
use crate::vdev::gic::{Effect, Intid, REDISTRIBUTOR_BYTES};
use crate::vdev::instruction::Instruction;
use crate::vdev::mmio::{Direction, Extension, Transfer};

/// ISS of a data abort: CM bit [8], a cache maintenance instruction; S1PTW bit [7], a walk of the guest's own tables; WnR
/// bit [6].
const MAINTENANCE: u64 = 1 << 8;
const WALK: u64 = 1 << 7;
const WRITE: u64 = 1 << 6;

/// Bytes of an A64 instruction.
const INSTRUCTION_BYTES: u64 = 4;

/// An emulated device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Device {
    Distributor,
    Redistributor { vcpu: u32 },
    Uart,
}

/// What came of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Carried out: the guest is behind the instruction.
    Done,
    /// The guest takes this exception.
    Refused(Exception),
    /// No device is there.
    Nobody,
}

fn within(range: GuestRange, at: Ipa) -> Option<u64> {
    at.get().checked_sub(range.base.get()).filter(|offset| *offset < range.bytes)
}

/// The device at an address, and the offset from its first register.
fn find(domain: &Domain, at: Ipa) -> Option<(Device, u64)> {
    let (gicd, gicr) = match domain.map.gic {
        GuestGic::V2 { gicd, .. } => (Some(gicd), None),
        GuestGic::V3 { gicd, gicr } => (Some(gicd), Some(gicr)),
        GuestGic::None => (None, None),
    };
    if let Some(offset) = gicd.and_then(|gicd| within(gicd, at)) {
        return Some((Device::Distributor, offset));
    }
    if let Some(offset) = gicr.and_then(|gicr| within(gicr, at)) {
        let vcpu = (offset / REDISTRIBUTOR_BYTES) as u32;
        return Some((Device::Redistributor { vcpu }, offset % REDISTRIBUTOR_BYTES)).filter(|_| vcpu < domain.vcpus);
    }
    let uart = domain.map.uart?;
    within(uart.registers, at).map(|offset| (Device::Uart, offset))
}

/// Carries out the access that made the guest leave with this syndrome: to `at`, by its own address `by`.
pub(super) fn access(context: &mut Context, vcpu: Vcpu, syndrome: u64, at: Ipa, by: VirtAddr) -> Outcome {
    let Some((device, offset)) = find(context.domain, at) else { return Outcome::Nobody };
    let refused = match syndrome & WRITE {
        0 => Outcome::Refused(Exception::External(Direction::Load(Extension::Zero))),
        _ => Outcome::Refused(Exception::External(Direction::Store)),
    };
    if syndrome & WALK != 0 {
        return refused;
    }
    // A device's registers are in no cache.
    if syndrome & MAINTENANCE == 0 {
        let found =
            Transfer::from_syndrome(syndrome).map(|first| Instruction { first, second: None, written_back: None });
        let Some(instruction) = found.or_else(|| fetch(context, by)) else { return refused };
        perform(&mut context.x, vcpu, device, offset, instruction.first);
        if let Some(second) = instruction.second {
            perform(&mut context.x, vcpu, device, offset + second.width.bytes(), second);
        }
        if let Some((base, value)) = instruction.written_back {
            base.set(&mut context.x, value);
        }
    }
    context.counter = context.counter.wrapping_add(INSTRUCTION_BYTES);
    Outcome::Done
}

/// Reads the instruction through the guest's own tables.
fn fetch(context: &Context, by: VirtAddr) -> Option<Instruction> {
    let mut word = [0; INSTRUCTION_BYTES as usize];
    memory::read(context.domain, GuestVirt::new(context.counter), &mut word).filter(|bytes| *bytes == word.len())?;
    Instruction::decode(u32::from_le_bytes(word), &context.x, by.get())
}

fn perform(x: &mut [u64; 31], vcpu: Vcpu, device: Device, offset: u64, transfer: Transfer) {
    match transfer.direction {
        Direction::Load(_) => transfer.load(x, read(vcpu, device, offset, transfer)),
        Direction::Store => write(vcpu, device, offset, transfer, transfer.stored(x)),
    }
}

fn read(vcpu: Vcpu, device: Device, offset: u64, transfer: Transfer) -> u64 {
    let mut devices = Devices::lock(vcpu.domain);
    match device {
        Device::Distributor => {
            let (shared, private) = devices.of(vcpu.number);
            shared.distributor.read(private, offset, transfer.width)
        }
        Device::Redistributor { vcpu: whose } => devices.of(whose).1.read(offset, transfer.width),
        Device::Uart => {
            let (shared, _) = devices.of(vcpu.number);
            let value = shared.uart.read(offset);
            drive_uart(vcpu, &mut devices);
            value.into()
        }
    }
}

fn write(vcpu: Vcpu, device: Device, offset: u64, transfer: Transfer, value: u64) {
    let mut devices = Devices::lock(vcpu.domain);
    match device {
        Device::Distributor => {
            let (shared, private) = devices.of(vcpu.number);
            let effect = shared.distributor.write(private, offset, transfer.width, value);
            vcpu.apply(&mut devices, effect);
        }
        Device::Redistributor { vcpu: whose } => {
            let effect = devices.of(whose).1.write(offset, transfer.width, value);
            if effect == Effect::Own && whose != vcpu.number {
                vcpu.tell(whose);
            } else {
                vcpu.apply(&mut devices, effect);
            }
        }
        Device::Uart => {
            let (shared, _) = devices.of(vcpu.number);
            let sent = shared.uart.write(offset, value as u32);
            sent.into_iter().for_each(|byte| output::write(vcpu.domain, &[byte]));
            drive_uart(vcpu, &mut devices);
        }
    }
}

/// Takes the UART's line to the controller, where it has changed.
fn drive_uart(vcpu: Vcpu, devices: &mut Devices) {
    let (shared, _) = devices.of(vcpu.number);
    let Some(uart) = vcpu.domain.map.uart else { return };
    let line = shared.uart.line();
    if let Some(effect) = shared.distributor.change(Intid::new(uart.intid as u16), line) {
        vcpu.apply(devices, effect);
    }
}
