//! Damaged images that `verify` must refuse, each for its own reason.

use codegen::plan::Plan;

use super::Bench;
use crate::boards;
use crate::build::names;
use crate::cli::Profile;
use crate::failure::Failure;
use crate::verify::{self, LinkedImage};

/// A way to damage an image, and a phrase that a finding must hold.
type Damage = (&'static str, fn(&Plan, &mut Vec<u8>), &'static str);

const DAMAGES: [Damage; 5] = [
    ("an entry of text made writable", |plan, elf| entry(plan, elf, "text", |_, rodata| rodata), "planned"),
    ("a page mapped to a domain's memory", |plan, elf| entry(plan, elf, "data", domain_page), "memory of domain"),
    ("a page unmapped", |plan, elf| entry(plan, elf, "text", |_, _| 0), "is unmapped, planned"),
    ("a magic number changed", |_, elf| replace(elf, b"ARM\x64", b"ARM\x65"), "magic"),
    ("the file cut short", |_, elf| elf.truncate(elf.len() / 4), ""),
];

pub(super) fn run(bench: &mut Bench<'_>) {
    let image = image(bench);
    match image {
        Ok((plan, elf)) => {
            let whole = verify::image(&plan, &elf);
            bench.test(
                "the image as it was linked is accepted",
                if whole.is_good() { Ok(()) } else { Err(whole.text()) },
            );
            for (name, damage, phrase) in DAMAGES {
                let mut damaged = elf.clone();
                damage(&plan, &mut damaged);
                let report = verify::image(&plan, &damaged);
                let found =
                    damaged != elf && !report.is_good() && report.findings.iter().any(|text| text.contains(phrase));
                bench.test(name, if found { Ok(()) } else { Err(format!("not found\n{}", report.text())) });
            }
        }
        Err(failure) => bench.job("build", Err(failure)),
    }
}

fn image(bench: &Bench<'_>) -> Result<(Plan, Vec<u8>), Failure> {
    let board = boards::resolve_one(bench.builder.project, bench.builder.project.root(), "qemu-arm64")?;
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

fn replace(elf: &mut [u8], old: &[u8], new: &[u8]) {
    if let Some(at) = elf.windows(old.len()).position(|window| window == old) {
        elf[at..at + new.len()].copy_from_slice(new);
    }
}
