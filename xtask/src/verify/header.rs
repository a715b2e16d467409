//! The first bytes of the image, as the boot loader will read them.
//!
//! Sources: arm64 `Image` header, Linux Documentation/arch/arm64/booting; PVH note, Xen public header
//! `elfnote.h`; Multiboot2 Specification 2.0, "The layout of Multiboot2 header".

use codegen::model::BootEntry;
use codegen::plan::Plan;

use super::Report;
use super::elf::LinkedImage;

/// `ARM\x64`, little-endian, at offset 56 of an arm64 `Image`.
const ARM64_MAGIC: u32 = 0x644d_5241;
/// Offset of `text_offset`.
const ARM64_TEXT_OFFSET: usize = 8;
/// Offset of `image_size`.
const ARM64_IMAGE_SIZE: usize = 16;
/// Offset of `magic`.
const ARM64_MAGIC_OFFSET: usize = 56;
/// `XEN_ELFNOTE_PHYS32_ENTRY`.
const PVH_NOTE_TYPE: u32 = 18;
/// Multiboot2 header magic.
const MULTIBOOT2_MAGIC: u32 = 0xe852_50d6;
/// A Multiboot2 header lies wholly in this many bytes from the start of the file, 8-byte aligned.
const MULTIBOOT2_SEARCH: usize = 32768;
/// Multiboot (version 1) header magic.
const MULTIBOOT1_MAGIC: u32 = 0x1bad_b002;
/// A Multiboot header lies wholly in this many bytes from the start of the file, 4-byte aligned.
const MULTIBOOT1_SEARCH: usize = 8192;

/// Compares the header with the plan.
pub(super) fn check(plan: &Plan, image: &LinkedImage<'_>, report: &mut Report) {
    match plan.board.boot.entry {
        BootEntry::LinuxImage => check_arm64(plan, image, report),
        BootEntry::Pvh => check_x86(plan, image, report),
    }
}

fn check_arm64(plan: &Plan, image: &LinkedImage<'_>, report: &mut Report) {
    let Some(header) = image.at_physical(plan.load.get(), 64) else {
        report.find(format!("no bytes at the load address {}", plan.load));
        return;
    };
    let word = |offset: usize| {
        header.get(offset..offset + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    let magic = u32::try_from(word(ARM64_MAGIC_OFFSET) & u64::from(u32::MAX)).unwrap_or(0);
    expect(report, "Image header magic", u64::from(magic), u64::from(ARM64_MAGIC));
    expect(report, "Image header text_offset", word(ARM64_TEXT_OFFSET), 0);
    expect(report, "Image header image_size", word(ARM64_IMAGE_SIZE), plan.footprint.bytes());
    let entry = plan.sections.iter().find(|section| section.name == "text").map_or(0, |text| text.link.get());
    if image.entry != entry && image.entry != plan.load.get() {
        report.find(format!("entry {:#x} is neither the image's first byte {entry:#x} nor {}", image.entry, plan.load));
    }
    report.header_fields += 1;
}

fn check_x86(plan: &Plan, image: &LinkedImage<'_>, report: &mut Report) {
    report.header_fields += 3;
    check_segments(plan, image, report);
    match pvh_entry(image) {
        Some(entry) => {
            let page = plan.identity.first.address().get()..plan.identity.end().address().get();
            if !page.contains(&u64::from(entry)) {
                report.find(format!("PVH entry {entry:#x} is outside the identity page {page:#x?}"));
            }
        }
        None => report.find("no PVH entry note (name `Xen`, type 18)"),
    }
    if !holds(image.file, MULTIBOOT2_SEARCH, 8, MULTIBOOT2_MAGIC) {
        report.find("no multiboot2 header in the first 32 KiB of the file");
    }
    if holds(image.file, MULTIBOOT1_SEARCH, 4, MULTIBOOT1_MAGIC) {
        report.find("a multiboot1 header in the first 8 KiB of the file: QEMU would take it for a 32-bit kernel");
    }
}

/// Loaders of ELF files keep clear of what the segments hold: that must be the footprint, all of it and no more.
fn check_segments(plan: &Plan, image: &LinkedImage<'_>, report: &mut Report) {
    report.header_fields += 1;
    let (mut held, end) = (plan.load.get(), plan.footprint.end().address().get());
    let mut segments: Vec<_> = image.segments.iter().collect();
    segments.sort_by_key(|segment| segment.load);
    let mut gap = |from: u64, to: u64| {
        if from < to {
            report.find(format!("no segment holds {from:#x}..{to:#x} of the footprint: a loader may use it"));
        }
    };
    for segment in segments {
        gap(held, segment.load.min(end));
        held = held.max(segment.load.saturating_add(segment.bytes));
    }
    gap(held, end);
    if held > end {
        report.find(format!("the segments reach to {held:#x}, beyond the footprint's end {end:#x}"));
    }
}

/// The 32-bit physical entry of the PVH note.
fn pvh_entry(image: &LinkedImage<'_>) -> Option<u32> {
    image.sections.iter().filter(|section| section.name.starts_with(".note")).find_map(|note| {
        let word =
            |at: usize| note.data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let is_xen = note.data.get(12..16) == Some(b"Xen\0");
        (is_xen && word(8) == Some(PVH_NOTE_TYPE)).then(|| word(16)).flatten()
    })
}

fn holds(file: &[u8], search: usize, align: usize, magic: u32) -> bool {
    let head = &file[..file.len().min(search)];
    head.chunks_exact(align).any(|chunk| chunk.starts_with(&magic.to_le_bytes()))
}

fn expect(report: &mut Report, what: &str, found: u64, wanted: u64) {
    report.header_fields += 1;
    if found != wanted {
        report.find(format!("{what} is {found:#x}, planned {wanted:#x}"));
    }
}
