//! `[[device]]`, `[[domain]]`, `[emulator]`: who owns what, and that there is enough of it.

use paging::{Ipa, Level, PhysAddr};

use super::claims::{Claims, Use};
use super::{Checker, guest, images, placement};
use crate::codes;
use crate::diagnostic::{Diagnostic, Radix, human_bytes};
use crate::model::{self, Arch, Dma, GuestConsole, Irq, Memory, Mmio, OnReboot, Placement, Sourced};
use crate::schema::{Device, DmaWord, Domain, DomainConsole, DomainReboot, Emulator, File, Written};

/// Most virtual CPUs of a domain.
const VCPUS_MOST: u32 = 512;
/// A domain's memory is given in blocks.
const BLOCK: u64 = Level::L2.entry_bytes();

/// Checks the devices.
pub(super) fn devices(
    checker: &mut Checker,
    devices: &[Written<Device>],
    claims: &mut Claims,
) -> Option<Vec<model::Device>> {
    checker.unique("device", devices.iter().map(|device| &device.value.name));
    let mut list = Vec::new();
    for device in devices {
        let table = &device.value;
        checker.name("device.name", &table.name);
        let name = format!("device {}", table.name.value);
        let dma = match table.dma.value {
            DmaWord::None => Dma::None,
            DmaWord::Iommu => {
                let claim = format!("{name} masters DMA behind an IOMMU, and none is driven");
                checker.at(
                    &codes::E0411,
                    table.dma.span,
                    claim,
                    "reaches all memory",
                    "leave the device out, or write \"trusted\" if its owner may see everything",
                );
                Dma::None
            }
            DmaWord::Trusted => {
                let claim = format!("{name} masters DMA and is trusted with all memory");
                checker.at(
                    &codes::E0412,
                    table.dma.span,
                    claim,
                    "a hole in every domain's isolation",
                    "put it behind an IOMMU once one is driven",
                );
                Dma::Trusted
            }
        };
        let mmio: Vec<Mmio> =
            table.mmio.iter().filter_map(|written| claims.registers(checker, &name, written, Use::Passed)).collect();
        list.push(model::Device {
            name: table.name.value.clone(),
            mmio,
            irqs: table.irq.iter().map(|irq| irq.value.intid.value).collect(),
            compatible: table.compatible.iter().map(|name| name.value.clone()).collect(),
            dma: Sourced { value: dma, from: checker.origin(table.dma.span) },
            from: checker.origin(table.name.span),
        });
    }
    Some(list)
}

/// Checks the domains.
pub(super) fn domains(
    checker: &mut Checker,
    file: &File,
    arch: Arch,
    memory: Option<&Memory>,
    irq: Option<&Irq>,
) -> Option<Vec<model::Domain>> {
    let (domains, devices) = (&file.domain, &file.device);
    checker.unique("domain", domains.iter().map(|domain| &domain.value.name));
    if let (Some(first), Arch::X86_64) = (domains.first(), arch) {
        let claim = format!("domain {} cannot run: domains run on aarch64 only", first.value.name.value);
        checker.at(&codes::E0408, first.value.name.span, claim, "this domain", "remove the [[domain]] entries");
    }
    owners(checker, domains);
    guest::console(checker, domains, file.console.as_ref());
    guest::vcpus(checker, domains, irq);
    guest::pins(checker, domains, file.cpu.as_ref());
    let list: Vec<_> = domains.iter().map(|domain| self::domain(checker, &domain.value, devices, memory)).collect();
    total(checker, domains, memory);
    list.into_iter().collect()
}

fn domain(
    checker: &mut Checker,
    table: &Domain,
    devices: &[Written<Device>],
    memory: Option<&Memory>,
) -> Option<model::Domain> {
    checker.name("domain.name", &table.name);
    let name = &table.name.value;
    if !(1..=VCPUS_MOST).contains(&table.vcpus.value) {
        let claim = format!("domain {name} has {} vcpus, outside 1 to {VCPUS_MOST}", table.vcpus.value);
        checker.at(&codes::E0404, table.vcpus.span, claim, "out of range", "give it at least 1");
    }
    let place = self::memory(checker, table, memory);
    let owned: Vec<usize> = table.devices.iter().filter_map(|wanted| device(checker, name, wanted, devices)).collect();
    let (ipa, bytes, at) = place?;
    for index in &owned {
        meets_memory(checker, table, &devices[*index].value, ipa, bytes);
    }
    let initrd = images::initrd(checker, table);
    images::room(checker, table, initrd.as_ref(), bytes);
    let console = table.console.as_ref().map(|console| {
        let value = match console.value {
            DomainConsole::Hypercall => GuestConsole::Hypercall,
            DomainConsole::Pl011 => GuestConsole::Pl011,
            DomainConsole::Board => GuestConsole::Board,
            DomainConsole::None => GuestConsole::None,
        };
        Sourced { value, from: checker.origin(console.span) }
    });
    let on_reboot = table.on_reboot.as_ref().map(|reboot| {
        let value = match reboot.value {
            DomainReboot::Restart => OnReboot::Restart,
            DomainReboot::Off => OnReboot::Off,
        };
        Sourced { value, from: checker.origin(reboot.span) }
    });
    Some(model::Domain {
        name: name.clone(),
        vcpus: checker.sourced(&table.vcpus),
        pins: table.cpus.iter().map(|cpu| cpu.value).collect(),
        ipa: Ipa::new(ipa),
        memory_bytes: bytes,
        memory_at: at,
        memory_from: checker.origin(table.memory.span),
        kernel: images::kernel(checker, table),
        kernel_max: Sourced { value: table.kernel_max.value.0, from: checker.origin(table.kernel_max.span) },
        initrd,
        command_line: table.command_line.as_ref().map_or_else(String::new, |line| line.value.clone()),
        console: console.unwrap_or(Sourced { value: GuestConsole::None, from: model::Origin::Default }),
        on_reboot: on_reboot.unwrap_or(Sourced { value: OnReboot::Off, from: model::Origin::Default }),
        devices: owned,
        from: checker.origin(table.name.span),
    })
}

fn memory(checker: &mut Checker, table: &Domain, memory: Option<&Memory>) -> Option<(u64, u64, Placement<PhysAddr>)> {
    let name = &table.name.value;
    let written = &table.memory.value;
    let what = format!("domain {name} memory");
    let (base, bytes) = checker.range(&what, &written.base, &written.size)?;
    let whole = checker.aligned(&format!("{what} base"), base, written.base.span, BLOCK)
        & checker.aligned(&format!("{what} size"), bytes, written.size.span, BLOCK);
    if let Some(memory) = memory {
        let bits = memory.pa_bits.value.min(48);
        if (base + (bytes - 1)) >> bits != 0 {
            let claim = format!("{what} {} lies beyond its {bits} address bits", Radix::Hex.range(base, bytes));
            checker.at(&codes::E0407, written.base.span, claim, "out of reach", "0x4000_0000 is a common base");
        }
    }
    let at = match (placement(checker, written.at.as_ref()), &written.at) {
        ((Some(address), from), Some(place)) if checker.aligned(&format!("{what} at"), address, place.span, BLOCK) => {
            Placement::At(PhysAddr::new(address), from)
        }
        ((_, from), _) => Placement::Auto(from),
    };
    whole.then_some((base, bytes, at))
}

fn device(checker: &mut Checker, domain: &str, wanted: &Written<String>, devices: &[Written<Device>]) -> Option<usize> {
    let found = devices.iter().position(|device| device.value.name.value == wanted.value);
    if found.is_none() && checker.is_complete("device") {
        let known: Vec<&str> = devices.iter().map(|device| device.value.name.value.as_str()).collect();
        let help = match crate::load::nearest(&wanted.value, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None if known.is_empty() => "describe it in a [[device]] entry".to_owned(),
            None => format!("devices are {}", known.join(", ")),
        };
        let claim = format!("domain {domain} asks for device {:?}, which is not described", wanted.value);
        checker.at(&codes::E0409, wanted.span, claim, "no such device", &help);
    }
    found
}

fn owners(checker: &mut Checker, domains: &[Written<Domain>]) {
    let mut owned: Vec<(&Written<String>, &str)> = Vec::new();
    for domain in domains {
        let name = domain.value.name.value.as_str();
        for device in &domain.value.devices {
            match owned.iter().find(|(other, _)| other.value == device.value) {
                Some((first, owner)) => {
                    let claim = format!("device {} is owned by domain {owner} and by domain {name}", device.value);
                    let found = Diagnostic::new(&codes::E0410, claim).at(device.span, name).at(first.span, *owner);
                    checker.push(found.help("leave it with one of them"));
                }
                None => owned.push((device, name)),
            }
        }
    }
}

/// A device appears at its own address, where the domain's memory must not be.
fn meets_memory(checker: &mut Checker, domain: &Domain, device: &Device, ipa: u64, bytes: u64) {
    for mmio in &device.mmio {
        let (base, size) = (mmio.value.base.value, mmio.value.size.value.0);
        let end = base.saturating_add(size);
        if base < ipa + bytes && ipa < end {
            let (name, owner) = (&device.name.value, &domain.name.value);
            let claim = format!(
                "device {name} {} lies on memory of domain {owner} {}",
                Radix::Hex.range(base, size),
                Radix::Hex.range(ipa, bytes)
            );
            let found = Diagnostic::new(&codes::E0416, claim)
                .at(domain.memory.value.base.span, "memory")
                .at(mmio.value.base.span, "registers");
            checker.push(found.help("move the domain's memory: its base is free to choose"));
        }
    }
}

fn total(checker: &mut Checker, domains: &[Written<Domain>], memory: Option<&Memory>) {
    let (Some(memory), Some(last)) = (memory, domains.last()) else { return };
    let asked: u64 = domains.iter().fold(0, |sum, domain| sum.saturating_add(domain.value.memory.value.size.value.0));
    let there = ram_bytes(memory);
    if asked > there && checker.is_complete("memory.bank") {
        let claim = format!("domains ask for {} of memory, the banks have {}", human_bytes(asked), human_bytes(there));
        let mut found = Diagnostic::new(&codes::E0405, claim).at(last.value.memory.value.size.span, "the last of them");
        if let Some(place) = checker.found.sources().place(memory.banks[0].from) {
            found = found.at(place, "the first bank");
        }
        checker.push(found.help("shrink a domain; the hypervisor needs a few MiB too"));
    }
}

/// All banks together; they may overlap, which is reported elsewhere.
fn ram_bytes(memory: &Memory) -> u64 {
    memory.banks.iter().fold(0, |sum, bank| sum.saturating_add(bank.frames.bytes()))
}

/// Checks `[emulator]`.
pub(super) fn emulator(checker: &mut Checker, table: &Emulator, memory: Option<&Memory>) -> model::Emulator {
    let banks = memory.map_or(0, ram_bytes);
    let memory_bytes = table.memory.as_ref().map_or(banks, |memory| memory.value.0);
    if let Some(written) = table.memory.as_ref().filter(|written| written.value.0 < banks) {
        let claim =
            format!("emulator.memory is {}, the banks have {}", human_bytes(written.value.0), human_bytes(banks));
        checker.at(
            &codes::E0414,
            written.span,
            claim,
            "too little",
            &format!("{} is enough, or leave the key out", human_bytes(banks)),
        );
    }
    model::Emulator {
        machine: table.machine.value.clone(),
        cpu: table.cpu.as_ref().map(|cpu| cpu.value.clone()),
        memory_bytes,
        serial: table.serial.as_ref().map_or(0, |serial| serial.value),
        extra: table.extra.iter().map(|argument| argument.value.clone()).collect(),
    }
}
