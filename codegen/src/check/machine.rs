//! `[platform]` and `[cpu]`: what the machine is called, how it starts its cores and how it is switched off.

use paging::PhysAddr;

use super::Checker;
use super::claims::{Claim, Claims, Use};
use crate::codes;
use crate::diagnostic::{Diagnostic, Span};
use crate::model::{self, Arch, Conduit, Core, Cpus, EnableMethod, Origin, Sourced, Width};
use crate::schema::{ArchWord, ConduitWord, Cpu, EnableWord, Platform, PowerOff, Size, Written};

/// Affinity fields of MPIDR_EL1: Aff3 in bits [39:32], Aff2 to Aff0 in bits [23:0]. Arm ARM (DDI 0487), MPIDR_EL1.
const AFFINITY: u64 = 0xff_00ff_ffff;
/// Highest local APIC id; 255 addresses all processors. Intel SDM vol. 3, Local APIC ID.
const APIC_ID_MOST: u64 = 254;

/// The architecture.
pub(super) fn arch(platform: &Written<Platform>) -> Arch {
    match platform.value.arch.value {
        ArchWord::Aarch64 => Arch::Aarch64,
        ArchWord::X86_64 => Arch::X86_64,
    }
}

/// The name is the file's.
pub(super) fn stem(checker: &mut Checker, platform: &Written<Platform>, stem: &str) {
    let name = &platform.value.name;
    if name.value != stem {
        let claim = format!("platform.name is {:?}, the file is {stem}.toml", name.value);
        checker.at(
            &codes::E0116,
            name.span,
            claim,
            "another name",
            &format!("write name = {stem:?}, or rename the file"),
        );
    }
}

/// Checks `[cpu]`.
pub(super) fn cpus(checker: &mut Checker, cpu: &Written<Cpu>, arch: Arch) -> Option<Cpus> {
    let table = &cpu.value;
    let enable = enable(checker, table, arch);
    if table.core.is_empty() && checker.is_complete("cpu.core") {
        let help = "add a [[cpu.core]] for each, the one that boots first";
        checker.at(
            &codes::E0301,
            table.enable_method.span,
            "the board has no cpu.core".into(),
            "no core follows",
            help,
        );
    }
    let cores: Vec<(Core, Span)> = table.core.iter().filter_map(|core| self::core(checker, core, arch)).collect();
    for (index, (core, span)) in cores.iter().enumerate() {
        if let Some((_, first)) = cores[..index].iter().find(|(other, _)| other.id == core.id) {
            let claim = format!("two cores have the id {:#x}", core.id);
            let found = Diagnostic::new(&codes::E0302, claim).at(*span, "second use").at(*first, "first use");
            let free = (0..).find(|id| !cores.iter().any(|(other, _)| other.id == *id)).unwrap_or(0);
            checker.push(found.help(format!("{free:#x} is not used yet")));
        }
    }
    if table.enable_method.value == EnableWord::None && cores.len() > 1 {
        let claim = format!("cpu.enable-method is \"none\", but {} cores are listed", cores.len());
        let found = Diagnostic::new(&codes::E0304, claim).at(table.enable_method.span, "starts no other core");
        checker.push(
            found.at(cores[1].1, "this core would never start").help("name a method, or list the boot core only"),
        );
    }
    let enable = enable?;
    (!cores.is_empty()).then(|| Cpus { enable, cores: cores.into_iter().map(|(core, _)| core).collect() })
}

fn enable(checker: &mut Checker, cpu: &Cpu, arch: Arch) -> Option<Sourced<EnableMethod>> {
    let word = &cpu.enable_method;
    let from = checker.origin(word.span);
    let conduit = cpu.psci.as_ref().map(|psci| match psci.value.conduit.value {
        ConduitWord::Smc => Conduit::Smc,
        ConduitWord::Hvc => Conduit::Hvc,
    });
    let value = match (word.value, arch) {
        (EnableWord::Psci, Arch::Aarch64) => {
            let psci = checker.needed("cpu.psci", cpu.psci.as_ref(), word.span, "enable-method is \"psci\"")?;
            match &psci.value.cpu_on {
                Some(number) => EnableMethod::Psci01(conduit?, number.value),
                None => EnableMethod::Psci(conduit?),
            }
        }
        (EnableWord::SpinTable, Arch::Aarch64) => EnableMethod::SpinTable,
        (EnableWord::SpinTable, Arch::X86_64) => {
            return wrong_method(checker, word.span, "spin-table", "x86_64", "sipi");
        }
        (EnableWord::Sipi, Arch::X86_64) => EnableMethod::Sipi,
        (EnableWord::None, _) => EnableMethod::None,
        (EnableWord::Psci, Arch::X86_64) => return wrong_method(checker, word.span, "psci", "x86_64", "sipi"),
        (EnableWord::Sipi, Arch::Aarch64) => return wrong_method(checker, word.span, "sipi", "aarch64", "psci"),
    };
    if let (Some(psci), Arch::X86_64) = (&cpu.psci, arch) {
        checker.inapplicable("cpu.psci", psci.span, "the architecture is x86_64");
    }
    release(checker, cpu);
    Some(Sourced { value, from })
}

/// Cores that spin, but for the first, say where.
fn release(checker: &mut Checker, cpu: &Cpu) {
    let spins = cpu.enable_method.value == EnableWord::SpinTable;
    for (index, core) in cpu.core.iter().enumerate() {
        match &core.value.release_addr {
            None if spins && index > 0 => {
                let because = "enable-method is \"spin-table\"";
                checker.needed::<u64>("cpu.core.release-addr", None, core.span, because);
            }
            Some(at) if !spins => checker.inapplicable("cpu.core.release-addr", at.span, "no core spins"),
            Some(at) => drop(checker.aligned("cpu.core.release-addr", at.value, at.span, 8)),
            None => {}
        }
    }
}

fn wrong_method(
    checker: &mut Checker,
    span: Span,
    word: &str,
    arch: &str,
    right: &str,
) -> Option<Sourced<EnableMethod>> {
    let claim = format!("cpu.enable-method is \"{word}\", which {arch} does not have");
    checker.at(&codes::E0304, span, claim, "the other architecture's", &format!("use \"{right}\""));
    None
}

fn core(checker: &mut Checker, core: &Written<crate::schema::Core>, arch: Arch) -> Option<(Core, Span)> {
    let table = &core.value;
    let (id, other) = match arch {
        Arch::Aarch64 => (("mpidr", &table.mpidr), ("apic-id", &table.apic_id)),
        Arch::X86_64 => (("apic-id", &table.apic_id), ("mpidr", &table.mpidr)),
    };
    if let Some(other_id) = other.1 {
        checker.inapplicable(&format!("cpu.core.{}", other.0), other_id.span, "it belongs to the other architecture");
    }
    let written = checker.needed(&format!("cpu.core.{}", id.0), id.1.as_ref(), core.span, "each core has an id")?;
    let possible = match arch {
        Arch::Aarch64 => written.value & !AFFINITY == 0,
        Arch::X86_64 => written.value <= APIC_ID_MOST,
    };
    if !possible {
        let claim = format!("cpu.core.{} {:#x} is no id of a core", id.0, written.value);
        let help = match arch {
            Arch::Aarch64 => format!("the affinity fields alone are {:#x}", written.value & AFFINITY),
            Arch::X86_64 => format!("ids are 0 to {APIC_ID_MOST}"),
        };
        checker.at(&codes::E0303, written.span, claim, "impossible id", &help);
        return None;
    }
    let kind = table.kind.as_ref().map_or_else(String::new, |kind| kind.value.clone());
    let release = table.release_addr.as_ref().map(|at| PhysAddr::new(at.value));
    Some((Core { id: written.value, kind, release, from: checker.origin(written.span) }, written.span))
}

/// Where a file came from: reports and people compare the sum, so it is one.
pub(super) fn imported_from(checker: &mut Checker, platform: &Platform) {
    let Some(written) = &platform.imported_from else { return };
    let sum = &written.value.sha256;
    if sum.value.len() != 64 || !sum.value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let claim = format!("platform.imported-from.sha256 of {:?} is no SHA-256", written.value.file.value);
        checker.at(&codes::E0110, sum.span, claim, "not 64 hexadecimal digits", "`sha256sum FILE` prints it");
    }
}

/// How the machine is switched off: PSCI unless the file says a write.
pub(super) fn power_off(
    checker: &mut Checker,
    platform: &Written<Platform>,
    arch: Arch,
    cpus: Option<&Cpus>,
    claims: &mut Claims,
) -> Option<Sourced<model::PowerOff>> {
    let Some(written) = &platform.value.power_off else {
        let psci = cpus.is_some_and(|cpus| matches!(cpus.enable.value, EnableMethod::Psci(_)));
        if psci {
            return Some(Sourced { value: model::PowerOff::Psci, from: Origin::Default });
        }
        if arch == Arch::Aarch64 && cpus.is_some() {
            return Some(Sourced { value: model::PowerOff::Sleep, from: Origin::Default });
        }
        if cpus.is_some() {
            let help = "add power-off = { port = …, width = …, value = … } or { address = …, width = …, value = … }";
            let claim = "platform.power-off is missing, and there is no PSCI to ask".to_owned();
            checker.at(&codes::E0312, platform.value.name.span, claim, "this machine", help);
        }
        return None;
    };
    let value = write(checker, written, arch, claims)?;
    Some(Sourced { value, from: checker.origin(written.span) })
}

fn write(
    checker: &mut Checker,
    written: &Written<PowerOff>,
    arch: Arch,
    claims: &mut Claims,
) -> Option<model::PowerOff> {
    let PowerOff { port, address, width: written_width, value } = &written.value;
    let width = width(checker, "platform.power-off.width", written_width)?;
    let (bytes, amount) = (u64::from(written_width.value), value.value);
    if bytes < 4 && u64::from(amount) >> (8 * bytes) != 0 {
        let claim = format!("platform.power-off.value {amount:#x} does not fit {bytes} bytes");
        checker.at(&codes::E0312, value.span, claim, "too wide", "raise width, or correct the value");
    }
    match (port, address, arch) {
        (Some(port), None, Arch::X86_64) => {
            if u64::from(port.value) + bytes > 1 << 16 {
                let claim =
                    format!("platform.power-off.port {:#x} and the {bytes} bytes written run past 0xffff", port.value);
                checker.at(&codes::E0204, port.span, claim, "starts here", "q35 takes port 0x604");
            }
            Some(model::PowerOff::Port { port: port.value, width, value: amount })
        }
        (None, Some(address), _) => {
            // An aligned register cannot reach into the next page, nor past 2^64.
            if !checker.aligned("platform.power-off.address", address.value, address.span, bytes) {
                return None;
            }
            let size = Written { value: Size(bytes), span: written_width.span };
            let (base, bytes) = checker.range("platform.power-off", address, &size)?;
            let name = "platform.power-off".to_owned();
            claims.add(Claim { name, base, bytes, span: address.span, kind: Use::Fixmap });
            Some(model::PowerOff::Mmio { address: PhysAddr::new(base), width, value: amount })
        }
        (Some(port), None, Arch::Aarch64) => {
            checker.inapplicable("platform.power-off.port", port.span, "aarch64 has no I/O ports");
            None
        }
        (Some(_), Some(_), _) | (None, None, _) => {
            let claim = "platform.power-off needs either a port or an address".to_owned();
            checker.at(&codes::E0312, written.span, claim, "one of the two", "name the port or the register, not both");
            None
        }
    }
}

/// An access width in bytes.
pub(super) fn width(checker: &mut Checker, key: &str, written: &Written<u8>) -> Option<Width> {
    match written.value {
        1 => Some(Width::Byte),
        2 => Some(Width::Half),
        4 => Some(Width::Word),
        other => {
            let claim = format!("{key} is {other}; widths are 1, 2 or 4 bytes");
            checker.at(&codes::E0110, written.span, claim, "not a width", "use 1, 2 or 4");
            None
        }
    }
}
