//! Damaged images that `verify` must refuse, each for its own reason.

use codegen::plan::Plan;
use paging::PAGE_BYTES;

use super::{Bench, variants};
use crate::build::names;
use crate::cli::Profile;
use crate::failure::Failure;
use crate::verify::{self, LinkedImage};

/// A way to damage an image, and a phrase that a finding must hold.
type Damage = (&'static str, fn(&Plan, &mut Vec<u8>), &'static str);

/// On AArch64.
const DAMAGES: [Damage; 5] = [
    ("an entry of text made writable", |plan, elf| entry(plan, elf, "text", |_, rodata| rodata), "planned"),
    ("a page mapped to a domain's memory", |plan, elf| entry(plan, elf, "data", domain_page), "memory of domain"),
    ("a page unmapped", |plan, elf| entry(plan, elf, "text", |_, _| 0), "is unmapped, planned"),
    ("a magic number changed", |_, elf| replace(elf, b"ARM\x64", b"ARM\x65"), "magic"),
    ("the file cut short", |_, elf| elf.truncate(elf.len() / 4), ""),
];

/// On x86-64, whose loaders go by the program headers.
const SEGMENT_DAMAGES: [Damage; 4] = [
    ("the last segment a page short", |_, elf| last_segment(elf, |bytes| bytes - PAGE_BYTES), "no segment holds"),
    (
        "the last segment a page too long",
        |_, elf| last_segment(elf, |bytes| bytes + PAGE_BYTES),
        "beyond the footprint",
    ),
    (
        "text's segment without the rest of its extent",
        |_, elf| first_segment(elf, |bytes| bytes / 2),
        "no segment holds",
    ),
    ("a PVH note of another type", |_, elf| replace(elf, PVH_NOTE, b"\x13\0\0\0Xen\0"), "no PVH entry note"),
];
/// Type 18 and the name, as they stand in a note: Xen public header `elfnote.h`.
const PVH_NOTE: &[u8] = b"\x12\0\0\0Xen\0";

pub(super) fn run(bench: &mut Bench<'_>) {
    for (board, damages) in [("qemu-arm64", &DAMAGES[..]), ("qemu-x86_64", &SEGMENT_DAMAGES)] {
        damage_all(bench, board, damages);
    }
}

fn damage_all(bench: &mut Bench<'_>, board: &str, damages: &[Damage]) {
    match image(bench, board) {
        Ok((plan, elf)) => {
            let whole = verify::image(&plan, &elf);
            bench.test(
                format!("{board}: the image as it was linked is accepted"),
                if whole.is_good() { Ok(()) } else { Err(whole.text()) },
            );
            for (name, damage, phrase) in damages {
                let mut damaged = elf.clone();
                damage(&plan, &mut damaged);
                let report = verify::image(&plan, &damaged);
                let found =
                    damaged != elf && !report.is_good() && report.findings.iter().any(|text| text.contains(phrase));
                bench.test(*name, if found { Ok(()) } else { Err(format!("not found\n{}", report.text())) });
            }
        }
        Err(failure) => bench.job("build", Err(failure)),
    }
}

fn image(bench: &Bench<'_>, board: &str) -> Result<(Plan, Vec<u8>), Failure> {
    let board = variants::with_payload(bench.builder.project, board)?;
    let built = bench.builder.build(&board, Profile::Release)?;
    let file = built.folder.join(names::ELF);
    let elf = std::fs::read(&file).map_err(|error| Failure::file("read", &file, &error))?;
    Ok((built.planned.plan, elf))
}

/// Replaces the entry that maps the first page of a section; gets the plan and rodata's entry with text's address.
fn entry(plan: &Plan, elf: &mut [u8], section: &str, change: fn(&Plan, u64) -> u64) {
    let find = |name: &str| plan.sections.iter().find(|section| section.name == name);
    let (Some(section), Some(tables)) = (find(section), find("tables")) else { return };
    let frame = section.base.get();
    let writable = find("data").map_or(0, |data| data.base.get());
    let Some(offset) = file_offset(elf, tables.base.get()) else { return };
    let words = |elf: &[u8], at: usize| {
        elf.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    let address = |entry: u64| entry & 0x0000_ffff_ffff_f000;
    let count = plan.tables.len() * 512;
    let at = |wanted: u64, elf: &[u8]| {
        (0..count).map(|index| offset + index * 8).find(|at| {
            address(words(elf, *at)) == wanted && words(elf, *at) & 0b11 == 0b11 && words(elf, *at) & (1 << 10) != 0
        })
    };
    let (Some(place), Some(data)) = (at(frame, elf), at(writable, elf)) else { return };
    let with_frame = words(elf, data) - writable + frame;
    let new = change(plan, with_frame).to_le_bytes();
    elf[place..place + 8].copy_from_slice(&new);
}

/// The data page's entry, aimed at the first domain.
fn domain_page(plan: &Plan, entry: u64) -> u64 {
    let data = plan.sections.iter().find(|section| section.name == "data").map_or(0, |data| data.base.get());
    let domain = plan.domains.first().map_or(0, |domain| domain.memory.first.address().get());
    entry - data + domain
}

fn file_offset(elf: &[u8], physical: u64) -> Option<usize> {
    let image = LinkedImage::parse(elf).ok()?;
    let segment =
        image.segments.iter().find(|segment| (segment.load..segment.load + segment.file_bytes).contains(&physical))?;
    usize::try_from(segment.file_offset + (physical - segment.load)).ok()
}

/// Changes the memory that the first loadable segment takes.
fn first_segment(elf: &mut [u8], change: fn(u64) -> u64) {
    segment(elf, change, |places| places.first().copied());
}

/// Changes the memory that the last loadable segment takes.
fn last_segment(elf: &mut [u8], change: fn(u64) -> u64) {
    segment(elf, change, |places| places.last().copied());
}

/// System V ABI, "ELF Header" and "Program Header", 64-bit: e_phoff at 32, e_phentsize at 54, e_phnum at 56; p_type at 0,
/// p_memsz at 40.
fn segment(elf: &mut [u8], change: fn(u64) -> u64, choose: fn(&[usize]) -> Option<usize>) {
    const PT_LOAD: u64 = 1;
    let number = |at: usize, bytes: usize| {
        let part = elf.get(at..at + bytes).unwrap_or_default();
        part.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let word = |at, bytes| usize::try_from(number(at, bytes)).unwrap_or(usize::MAX);
    let headers = (0..word(56, 2)).map(|index| word(32, 8) + index * word(54, 2));
    let places: Vec<_> = headers.filter(|at| number(*at, 4) == PT_LOAD).map(|at| at + 40).collect();
    if let Some(place) = choose(&places) {
        let bytes = change(number(place, 8));
        elf[place..place + 8].copy_from_slice(&bytes.to_le_bytes());
    }
}

fn replace(elf: &mut [u8], old: &[u8], new: &[u8]) {
    if let Some(at) = elf.windows(old.len()).position(|window| window == old) {
        elf[at..at + new.len()].copy_from_slice(new);
    }
}
