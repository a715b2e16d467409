//! `[memory]`: banks sorted, joined and disjoint; reserved ranges rounded outward.

use paging::{Frame, FrameRange, PAGE_BYTES, PhysAddr};

use super::claims::Claims;
use super::{Checker, pa_bits_max};
use crate::codes;
use crate::diagnostic::{Diagnostic, Radix, Span};
use crate::model::{self, Arch, DirectmapPolicy, Origin, PolicyChoice, RamBank, Sourced};
use crate::schema::{BanksFrom, Directmap, Memory, ReservedKind, ReservedOwner, Written};

/// Narrowest physical address space that a board may name.
const PA_BITS_LEAST: u8 = 32;

/// A bank with its place.
struct Bank {
    frames: FrameRange,
    node: u8,
    span: Span,
}

/// Checks the table.
pub(super) fn check(checker: &mut Checker, memory: &Memory, arch: Arch, claims: &mut Claims) -> Option<model::Memory> {
    let pa_bits = pa_bits(checker, memory.pa_bits_min.as_ref(), pa_bits_max(arch));
    let banks_from = banks_from(checker, &memory.banks_from, arch);
    let mut banks: Vec<Bank> = Vec::new();
    for bank in &memory.bank {
        let crate::schema::Bank { base, size, node } = &bank.value;
        let node = node_of(checker, node.as_ref());
        let Some((first, bytes)) = checker.range("memory.bank", base, size) else { continue };
        let whole = checker.aligned("memory.bank.base", first, base.span, PAGE_BYTES)
            & checker.aligned("memory.bank.size", bytes, size.span, PAGE_BYTES);
        if whole {
            beyond(checker, first, bytes, base.span, pa_bits.value);
            banks.push(Bank { frames: frames(first, bytes), node, span: base.span });
        }
    }
    banks.sort_by_key(|bank| bank.frames.first);
    let mut furthest: Option<&Bank> = None;
    for bank in &banks {
        if let Some(below) = furthest {
            overlap(checker, below, bank);
        }
        if furthest.is_none_or(|below| below.frames.end() < bank.frames.end()) {
            furthest = Some(bank);
        }
    }
    if memory.bank.is_empty() && checker.is_complete("memory.bank") {
        let help = "add a [[memory.bank]] with base and size";
        checker.at(
            &codes::E0209,
            memory.banks_from.span,
            "the board has no memory.bank".into(),
            "no bank follows",
            help,
        );
    }
    for bank in &banks {
        claims.bank(bank.frames, bank.span);
    }
    let reserved = reserved(checker, memory, &banks);
    (!banks.is_empty()).then(|| model::Memory { banks_from, banks: joined(checker, banks), reserved, pa_bits })
}

fn pa_bits(checker: &mut Checker, written: Option<&Written<u8>>, most: u8) -> Sourced<u8> {
    let Some(written) = written else {
        return Sourced { value: Memory::PA_BITS_MIN, from: Origin::Default };
    };
    let found = checker.sourced(written);
    if (PA_BITS_LEAST..=most).contains(&found.value) {
        return found;
    }
    let claim = format!("memory.pa-bits-min is {}, outside {PA_BITS_LEAST} to {most}", found.value);
    checker.at(&codes::E0110, written.span, claim, "out of range", "40 is right for most boards");
    Sourced { value: found.value.clamp(PA_BITS_LEAST, most), from: found.from }
}

fn banks_from(checker: &mut Checker, written: &Written<BanksFrom>, arch: Arch) -> model::BanksFrom {
    let word = match (written.value, arch) {
        (BanksFrom::Static, _) => return model::BanksFrom::File,
        (BanksFrom::FirmwareDtb, Arch::Aarch64) | (BanksFrom::E820, Arch::X86_64) => return model::BanksFrom::Firmware,
        (BanksFrom::FirmwareDtb, Arch::X86_64) => "firmware-dtb",
        (BanksFrom::E820, Arch::Aarch64) => "e820",
        (BanksFrom::Uefi, Arch::Aarch64 | Arch::X86_64) => "uefi",
    };
    let known = match arch {
        Arch::Aarch64 => "firmware-dtb",
        Arch::X86_64 => "e820",
    };
    let claim = format!("memory.banks-from is \"{word}\", which no boot loader of this architecture hands over");
    let help = format!("use \"{known}\", or \"static\" and list the banks");
    checker.at(&codes::E0210, written.span, claim, "not known at boot", &help);
    model::BanksFrom::File
}

/// A window that shows all RAM is populated as planned: there is no place in it for RAM that may not be there.
pub(super) fn shown(
    checker: &mut Checker,
    memory: &Memory,
    directmap: &Directmap,
    policy: DirectmapPolicy,
    choice: PolicyChoice,
) {
    let (span, label) = match (policy, choice, &directmap.boot_option) {
        (DirectmapPolicy::Full, _, _) => (directmap.policy.span, "shows all RAM"),
        (_, PolicyChoice::AtBoot, Some(option)) => (option.span, "may show all RAM"),
        (DirectmapPolicy::OnDemand | DirectmapPolicy::None, PolicyChoice::Fixed | PolicyChoice::AtBoot, _) => return,
    };
    match memory.banks_from.value {
        BanksFrom::Static | BanksFrom::Uefi => return,
        BanksFrom::FirmwareDtb | BanksFrom::E820 => {}
    }
    let claim = "memory.banks-from leaves it to the boot how much RAM there is, the directmap is planned for all of it";
    let found = Diagnostic::new(&codes::E0210, claim).at(span, label).at(memory.banks_from.span, "known at boot");
    checker.push(found.help("use policy \"on-demand\" or \"none\" without a boot-option, or banks-from \"static\""));
}

fn beyond(checker: &mut Checker, first: u64, bytes: u64, span: Span, bits: u8) {
    let last = first + (bytes - 1);
    if last >> bits != 0 {
        let claim = format!("memory.bank {} lies beyond {bits} physical address bits", Radix::Hex.range(first, bytes));
        let need = u64::BITS - last.leading_zeros();
        checker.at(
            &codes::E0205,
            span,
            claim,
            "out of reach",
            &format!("set memory.pa-bits-min to {need} if the processor has as many"),
        );
    }
}

fn frames(first: u64, bytes: u64) -> FrameRange {
    FrameRange::new(Frame::containing(PhysAddr::new(first)), bytes / PAGE_BYTES)
}

fn show(frames: FrameRange, radix: Radix) -> String {
    radix.range(frames.first.address().get(), frames.bytes())
}

fn overlap(checker: &mut Checker, below: &Bank, above: &Bank) {
    let Some(both) = below.frames.intersection(above.frames) else { return };
    let radix = checker.radix(above.span);
    let claim = format!("memory.bank {} overlaps memory.bank {}", show(above.frames, radix), show(below.frames, radix));
    let found = Diagnostic::new(&codes::E0203, claim).at(above.span, "this bank").at(below.span, "and this one");
    let found = found.note(format!("both claim {}", show(both, radix)));
    let free = radix.show(below.frames.end().address().get().into());
    checker.push(found.help(format!("start it at {free} or above, or shrink the other bank")));
}

fn node_of(checker: &mut Checker, written: Option<&Written<u8>>) -> u8 {
    let most = crate::schema::Bank::NODE_MAX;
    let Some(written) = written else { return 0 };
    if written.value > most {
        let claim = format!("memory.bank.node is {}, the highest node is {most}", written.value);
        checker.at(&codes::E0110, written.span, claim, "out of range", "number the nodes from 0");
    }
    written.value.min(most)
}

/// Banks of one node that touch are one.
fn joined(checker: &Checker, banks: Vec<Bank>) -> Vec<RamBank> {
    let mut list: Vec<RamBank> = Vec::new();
    for bank in banks {
        match list.last_mut() {
            Some(last) if last.frames.end() == bank.frames.first && last.node == bank.node => {
                last.frames.frames += bank.frames.frames;
            }
            _ => list.push(RamBank { frames: bank.frames, node: bank.node, from: checker.origin(bank.span) }),
        }
    }
    list
}

fn reserved(checker: &mut Checker, memory: &Memory, banks: &[Bank]) -> Vec<model::Reserved> {
    let mut list = Vec::new();
    for entry in &memory.reserved {
        let entry = &entry.value;
        checker.name("memory.reserved.name", &entry.name);
        let what = format!("memory.reserved {}", entry.name.value);
        let Some((first, bytes)) = checker.range(&what, &entry.base, &entry.size) else { continue };
        let from = first - first % PAGE_BYTES;
        let to = (first + bytes).checked_next_multiple_of(PAGE_BYTES).unwrap_or(first + bytes);
        let frames = frames(from, to - from);
        let all_known = checker.is_complete("memory.bank") && banks.len() == memory.bank.len();
        if all_known && !banks.iter().any(|bank| bank.frames.intersects(frames)) {
            let claim = format!("{what} {} touches no memory.bank", Radix::Hex.range(first, bytes));
            checker.at(
                &codes::E0206,
                entry.base.span,
                claim,
                "no RAM here",
                "correct the address, or remove the entry",
            );
        }
        list.push(model::Reserved {
            name: entry.name.value.clone(),
            frames,
            kind: kind(entry.kind.value),
            owner: owner(entry.owner.value),
            from: checker.origin(entry.base.span),
        });
    }
    checker.unique("memory.reserved", memory.reserved.iter().map(|entry| &entry.value.name));
    list.sort_by_key(|entry| entry.frames.first);
    list
}

fn kind(word: ReservedKind) -> model::ReservedKind {
    match word {
        ReservedKind::NoMap => model::ReservedKind::NoMap,
        ReservedKind::Reserved => model::ReservedKind::Reserved,
        ReservedKind::Hole => model::ReservedKind::Hole,
    }
}

fn owner(word: ReservedOwner) -> model::ReservedOwner {
    match word {
        ReservedOwner::El3 => model::ReservedOwner::El3,
        ReservedOwner::VendorHyp => model::ReservedOwner::VendorHyp,
        ReservedOwner::Coprocessor => model::ReservedOwner::Coprocessor,
        ReservedOwner::Bootloader => model::ReservedOwner::Bootloader,
        ReservedOwner::User => model::ReservedOwner::User,
    }
}
