//! `[irq]` and `[timer]`: controllers large enough, numbers in range, each number claimed once.

use super::Checker;
use super::claims::{Claims, Use};
use crate::codes;
use crate::diagnostic::{Diagnostic, Span, human_bytes};
use crate::model::{self, Arch, Cpus, EnableMethod, GicPages, Mmio, REDISTRIBUTOR_BYTES};
use crate::schema::{self, File, GiccAlias, Irq, IrqWord, Registers, Timer, TimerWord, Written};

/// Private peripheral interrupts. Arm IHI 0048 and IHI 0069, INTIDs.
const PRIVATE: std::ops::RangeInclusive<u32> = 16..=31;
/// Shared peripheral interrupts.
const SHARED: std::ops::RangeInclusive<u32> = 32..=1019;
/// Inputs of an I/O APIC: the redirection table has at most 240 entries. Intel 82093AA, IOAPICVER.
const APIC_INPUTS: std::ops::RangeInclusive<u32> = 0..=239;

/// Smallest windows, bytes: Arm IHI 0048 (GICD 4 KiB, GICC 8 KiB with GICC_DIR at 0x1000), Arm IHI 0069 (GICD 64 KiB).
const GICV2_GICD: u64 = 0x1000;
const GICV2_GICC: u64 = 0x2000;
const GICV2_GICC_64K: u64 = 0x2_0000;
const GICV3_GICD: u64 = 0x1_0000;
/// A frame of a redistributor.
const GICR_FRAME: u64 = 0x1_0000;
/// Broadcom "ARM Quad A7 core" (BCM2836), register map: up to Core3 Mailbox 3 Rd/Clr at 0xfc.
const BCM2836_LOCAL: u64 = 0x100;
/// One page. Intel SDM vol. 3, Local APIC register address map.
const LAPIC: u64 = 0x1000;

/// Checks `[irq]`.
pub(super) fn irq(
    checker: &mut Checker,
    irq: &Written<Irq>,
    arch: Arch,
    cpus: Option<&Cpus>,
    claims: &mut Claims,
) -> Option<model::Irq> {
    let table = &irq.value;
    let kind = table.kind.value;
    let belongs = match kind {
        IrqWord::GicV2 | IrqWord::GicV3 | IrqWord::Bcm2836 => Arch::Aarch64,
        IrqWord::Apic => Arch::X86_64,
    };
    if belongs != arch {
        checker.inapplicable("irq.kind", table.kind.span, "the controller belongs to the other architecture");
        return None;
    }
    inapplicable(checker, table);
    match kind {
        IrqWord::GicV2 => gic_v2(checker, table, claims),
        IrqWord::GicV3 => gic_v3(checker, table, cpus, claims),
        IrqWord::Apic => apic(checker, table, cpus, claims),
        IrqWord::Bcm2836 => bcm2836(checker, table, claims),
    }
}

/// Keys that belong to another kind.
fn inapplicable(checker: &mut Checker, table: &Irq) {
    let kind = table.kind.value;
    let (v2, v3) = (kind == IrqWord::GicV2, kind == IrqWord::GicV3);
    let one = |key: &Option<Written<Registers>>| key.as_ref().map(|key| key.span);
    let list = |key: &Option<Vec<Written<Registers>>>| key.as_ref().and_then(|list| list.first()).map(|key| key.span);
    let keys: [(&str, Option<Span>, bool); 13] = [
        ("irq.gicd", one(&table.gicd), v2 || v3),
        ("irq.gicc", one(&table.gicc), v2),
        ("irq.gich", one(&table.gich), v2),
        ("irq.gicv", one(&table.gicv), v2),
        ("irq.gicc-alias", table.gicc_alias.as_ref().map(|key| key.span), v2),
        ("irq.v2m", list(&table.v2m), v2),
        ("irq.gicr", list(&table.gicr), v3),
        ("irq.gicr-stride", table.gicr_stride.as_ref().map(|key| key.span), v3),
        ("irq.its", list(&table.its), v3),
        ("irq.maintenance-intid", table.maintenance_intid.as_ref().map(|key| key.span), v2 || v3),
        ("irq.local", one(&table.local), kind == IrqWord::Bcm2836),
        ("irq.lapic", one(&table.lapic), kind == IrqWord::Apic),
        ("irq.ioapic", list(&table.ioapic), kind == IrqWord::Apic),
    ];
    for (key, span, applies) in keys {
        if let (Some(span), false) = (span, applies) {
            checker.inapplicable(key, span, "irq.kind is another");
        }
    }
}

fn window(
    checker: &mut Checker,
    name: &str,
    written: Option<&Written<Registers>>,
    table: &Irq,
    least: u64,
    kind: Use,
    claims: &mut Claims,
) -> Option<Mmio> {
    let written = checker.needed(name, written, table.kind.span, "this kind of controller has it")?;
    let mmio = claims.registers(checker, name, written, kind)?;
    if mmio.bytes < least {
        let claim = format!("{name} is {:#x} bytes, at least {least:#x} are needed", mmio.bytes);
        checker.at(&codes::E0313, written.value.size.span, claim, "too small", &format!("write size = {least:#x}"));
    }
    Some(mmio)
}

fn windows(
    checker: &mut Checker,
    name: &str,
    list: Option<&Vec<Written<Registers>>>,
    claims: &mut Claims,
) -> Vec<Mmio> {
    list.into_iter().flatten().filter_map(|written| claims.registers(checker, name, written, Use::Other)).collect()
}

fn gic_v2(checker: &mut Checker, table: &Irq, claims: &mut Claims) -> Option<model::Irq> {
    let alias = table.gicc_alias.as_ref().is_some_and(|alias| alias.value == GiccAlias::Pages64K);
    let pages = if alias { GicPages::Aliased64K } else { GicPages::Adjacent };
    let interface = if alias { GICV2_GICC_64K } else { GICV2_GICC };
    let gicd = window(checker, "irq.gicd", table.gicd.as_ref(), table, GICV2_GICD, Use::Other, claims);
    let gicc = window(checker, "irq.gicc", table.gicc.as_ref(), table, interface, Use::Other, claims);
    let maintenance_intid = match (&table.gich, &table.maintenance_intid) {
        (None, None) => None,
        (Some(_), _) | (None, Some(_)) => Some(maintenance(checker, table)?),
    };
    let gich = table.gich.as_ref().and_then(|gich| claims.registers(checker, "irq.gich", gich, Use::Other));
    let gicv = table
        .gicv
        .as_ref()
        .and_then(|gicv| window(checker, "irq.gicv", Some(gicv), table, interface, Use::Other, claims));
    let v2m = windows(checker, "irq.v2m", table.v2m.as_ref(), claims);
    match (&table.gich, &table.gicv) {
        (Some(one), None) => drop(checker.needed::<Registers>("irq.gicv", None, one.span, "gich is given")),
        (None, Some(one)) => drop(checker.needed::<Registers>("irq.gich", None, one.span, "gicv is given")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    Some(model::Irq::GicV2 { gicd: gicd?, gicc: gicc?, gich, gicv, pages, v2m, maintenance_intid })
}

fn gic_v3(checker: &mut Checker, table: &Irq, cpus: Option<&Cpus>, claims: &mut Claims) -> Option<model::Irq> {
    let gicd = window(checker, "irq.gicd", table.gicd.as_ref(), table, GICV3_GICD, Use::Other, claims);
    let first = table.gicr.as_ref().and_then(|list| list.first());
    checker.needed("irq.gicr", first, table.kind.span, "a GICv3 has redistributors");
    let gicr = windows(checker, "irq.gicr", table.gicr.as_ref(), claims);
    let stride_bytes = stride(checker, table);
    let room: u64 = gicr.iter().map(|window| window.redistributors(stride_bytes)).sum();
    if let (Some(first), Some(cpus)) = (first, cpus)
        && room < cpus.cores.len() as u64
    {
        let (cores, need) = (cpus.cores.len(), cpus.cores.len() as u64 * stride_bytes);
        let claim = format!("irq.gicr has room for {room} redistributors, the board has {cores} cores");
        checker.at(
            &codes::E0313,
            first.value.size.span,
            claim,
            &format!("{} for each core", human_bytes(stride_bytes)),
            &format!("{cores} cores need {need:#x} bytes"),
        );
    }
    let its = windows(checker, "irq.its", table.its.as_ref(), claims);
    let maintenance = maintenance(checker, table);
    first?;
    Some(model::Irq::GicV3 { gicd: gicd?, gicr, stride_bytes, its, maintenance_intid: maintenance? })
}

/// Bytes from one redistributor to the next: whole frames of 64 KiB, two at least.
fn stride(checker: &mut Checker, table: &Irq) -> u64 {
    let Some(written) = &table.gicr_stride else { return REDISTRIBUTOR_BYTES };
    let bytes = written.value.0;
    if bytes < REDISTRIBUTOR_BYTES {
        let claim =
            format!("irq.gicr-stride is {bytes:#x} bytes, a redistributor has at least {REDISTRIBUTOR_BYTES:#x}");
        checker.at(&codes::E0313, written.span, claim, "too small", "write gicr-stride = \"128 KiB\"");
    } else if checker.aligned("irq.gicr-stride", bytes, written.span, GICR_FRAME) {
        return bytes;
    }
    REDISTRIBUTOR_BYTES
}

fn bcm2836(checker: &mut Checker, table: &Irq, claims: &mut Claims) -> Option<model::Irq> {
    let local = window(checker, "irq.local", table.local.as_ref(), table, BCM2836_LOCAL, Use::Other, claims);
    Some(model::Irq::Bcm2836 { local: local? })
}

fn apic(checker: &mut Checker, table: &Irq, cpus: Option<&Cpus>, claims: &mut Claims) -> Option<model::Irq> {
    // Its registers are in the first page; they start the other processors, and nothing else is asked of them.
    let mapped = cpus.is_some_and(|cpus| cpus.enable.value == EnableMethod::Sipi);
    let kind = if mapped { Use::FixmapFirst } else { Use::Other };
    let lapic = window(checker, "irq.lapic", table.lapic.as_ref(), table, LAPIC, kind, claims);
    let ioapic = windows(checker, "irq.ioapic", table.ioapic.as_ref(), claims);
    Some(model::Irq::Apic { lapic: lapic?, ioapic })
}

fn maintenance(checker: &mut Checker, table: &Irq) -> Option<u32> {
    let written = table.maintenance_intid.as_ref();
    let written =
        checker.needed("irq.maintenance-intid", written, table.kind.span, "list registers signal through it")?;
    number(checker, "irq.maintenance-intid", written, &PRIVATE);
    Some(written.value)
}

fn number(checker: &mut Checker, key: &str, written: &Written<u32>, range: &std::ops::RangeInclusive<u32>) {
    if !range.contains(&written.value) {
        let (first, last) = (range.start(), range.end());
        let claim = format!("{key} is {}, outside {first} to {last}", written.value);
        let as_cell = written.value.saturating_add(*first);
        let help = match range.contains(&as_cell) && *first > 0 {
            true => format!("INTIDs are absolute: a device tree cell of {} is {as_cell} here", written.value),
            false => format!("use a number from {first} to {last}"),
        };
        checker.at(&codes::E0305, written.span, claim, "out of range", &help);
    }
}

/// Checks `[timer]`.
pub(super) fn timer(checker: &mut Checker, timer: &Written<Timer>, arch: Arch) -> Option<model::Timer> {
    let table = &timer.value;
    let keys = [
        ("timer.sec-phys", &table.sec_phys),
        ("timer.phys", &table.phys),
        ("timer.virt", &table.virt),
        ("timer.hyp-phys", &table.hyp_phys),
    ];
    match (table.kind.value, arch) {
        (TimerWord::ArmGeneric, Arch::Aarch64) => {
            let [sec_phys, phys, virt, hyp_phys] = keys.map(|(key, written)| {
                let written = checker.needed(key, written.as_ref(), table.kind.span, "kind is \"arm-generic\"")?;
                number(checker, key, written, &PRIVATE);
                Some(written.value)
            });
            Some(model::Timer::ArmGeneric { sec_phys: sec_phys?, phys: phys?, virt: virt?, hyp_phys: hyp_phys? })
        }
        (TimerWord::Tsc, Arch::X86_64) => {
            for (key, written) in keys {
                if let Some(written) = written {
                    checker.inapplicable(key, written.span, "timer.kind is \"tsc\"");
                }
            }
            Some(model::Timer::Tsc)
        }
        (TimerWord::ArmGeneric, Arch::X86_64) | (TimerWord::Tsc, Arch::Aarch64) => {
            checker.inapplicable("timer.kind", table.kind.span, "the timer belongs to the other architecture");
            None
        }
    }
}

/// Domains are for controllers that guests can share.
pub(super) fn guests(checker: &mut Checker, file: &File, irq: Option<&model::Irq>) {
    let shared = match irq {
        Some(model::Irq::GicV2 { gich, .. }) => gich.is_some(),
        Some(model::Irq::Bcm2836 { .. }) => false,
        Some(model::Irq::GicV3 { .. } | model::Irq::Apic { .. }) | None => true,
    };
    if let (false, Some(irq), Some(domain)) = (shared, &file.irq, file.domain.first()) {
        let name = &domain.value.name;
        let claim = format!("domain {} needs an interrupt controller that guests can share", name.value);
        let found = Diagnostic::new(&codes::E0420, claim).at(name.span, "this domain");
        let found = found.at(irq.value.kind.span, "this one has no virtual half");
        checker.push(found.help("give irq.gich and irq.gicv where the chip has them, or leave domains out"));
    }
}

/// Each interrupt number has one source.
pub(super) fn unique(checker: &mut Checker, file: &File) {
    let mut claims: Vec<(String, &Written<u32>)> = Vec::new();
    if let Some(irq) = &file.irq {
        claims.extend(irq.value.maintenance_intid.as_ref().map(|key| ("irq.maintenance-intid".to_owned(), key)));
    }
    if let Some(timer) = &file.timer {
        let timer = &timer.value;
        let keys = [
            ("sec-phys", &timer.sec_phys),
            ("phys", &timer.phys),
            ("virt", &timer.virt),
            ("hyp-phys", &timer.hyp_phys),
        ];
        claims.extend(keys.into_iter().filter_map(|(key, written)| Some((format!("timer.{key}"), written.as_ref()?))));
    }
    let arm = !matches!(&file.irq, Some(irq) if irq.value.kind.value == IrqWord::Apic);
    if let Some(intid) = file.console.as_ref().and_then(|console| console.value.intid.as_ref()) {
        number(checker, "console.intid", intid, if arm { &SHARED } else { &APIC_INPUTS });
        claims.push(("console.intid".to_owned(), intid));
    }
    for device in &file.device {
        for irq in &device.value.irq {
            let schema::DeviceIrq { intid } = &irq.value;
            number(checker, "device.irq.intid", intid, if arm { &SHARED } else { &APIC_INPUTS });
            claims.push((format!("device {}", device.value.name.value), intid));
        }
    }
    for (index, (name, written)) in claims.iter().enumerate() {
        if let Some((other, first)) = claims[..index].iter().find(|(_, other)| other.value == written.value) {
            let claim = format!("{name} and {other} are both interrupt {}", written.value);
            let found =
                Diagnostic::new(&codes::E0306, claim).at(written.span, name.clone()).at(first.span, other.clone());
            checker.push(found.help("correct one of them: PPI n is 16 + n, SPI n is 32 + n"));
        }
    }
}
