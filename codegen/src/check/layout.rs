//! `[boot]`, `[layout]`: sizes that fit their tables.

use paging::{Frame, Level, PAGE_BYTES, PhysAddr, VirtAddr};

use super::{Checker, pa_bits_max, placement};
use crate::codes;
use crate::diagnostic::{Diagnostic, Span};
use crate::model::{self, Arch, BootEntry, Cpus, EnableMethod, Extents, Images, Origin, Placement, Retention, Sourced};
use crate::schema::{
    AddressWindow, Boot, EntryWord, Image, ImageDebug, ImageSelfTest, ImagesWord, Layout, Mapcache, RetentionWord,
    Size, Written,
};

/// Entries of a table.
const ENTRIES: u64 = 512;
/// A walk holds one table of each level.
const PMAP_LEAST: u32 = Level::ALL.len() as u32;
/// Guards and table aliases beside stack, scratch pages and map cache: below, above, three aliases, one more guard, and
/// one above.
const PRIVATE_FIXED: u64 = 7;
/// Most pages at once: whoever builds a guest's tables holds one a level and one to copy through, and so may an interrupt
/// on top of it.
const MAPCACHE_LEAST: u32 = 2 * (Level::ALL.len() as u32 + 1);
/// Where video memory and ROM begin. IBM PC memory map, as every e820 shows it.
const LOW_MEMORY_END: u64 = 0xa_0000;

/// Checks `[boot]`.
pub(super) fn boot(checker: &mut Checker, boot: &Written<Boot>, arch: Arch) -> Option<model::Boot> {
    let table = &boot.value;
    let entry = match (table.entry.value, arch) {
        (EntryWord::LinuxImage, Arch::Aarch64) => BootEntry::LinuxImage,
        (EntryWord::Pvh, Arch::X86_64) => BootEntry::Pvh,
        (EntryWord::LinuxImage, Arch::X86_64) => {
            return wrong_entry(checker, table.entry.span, "linux-image", "x86_64", "pvh");
        }
        (EntryWord::Pvh, Arch::Aarch64) => {
            return wrong_entry(checker, table.entry.span, "pvh", "aarch64", "linux-image");
        }
    };
    let load = load(checker, table, arch);
    let entry_el = match &table.entry_el {
        None => Sourced { value: Boot::ENTRY_EL, from: Origin::Default },
        Some(written) => {
            if arch == Arch::X86_64 {
                checker.inapplicable("boot.entry-el", written.span, "x86_64 has no exception levels");
            } else if written.value != Boot::ENTRY_EL {
                let claim = format!("boot.entry-el is {}, the hypervisor runs at EL2", written.value);
                checker.at(
                    &codes::E0310,
                    written.span,
                    claim,
                    "another level",
                    "write 2, and have the loader enter there",
                );
            }
            checker.sourced(written)
        }
    };
    let trampoline = trampoline(checker, table, arch);
    let images = match &table.images {
        None => Sourced { value: Images::Checked, from: Origin::Default },
        Some(written) => Sourced {
            value: match written.value {
                ImagesWord::Checked => Images::Checked,
                ImagesWord::Trusted => Images::Trusted,
            },
            from: checker.origin(written.span),
        },
    };
    Some(model::Boot { entry, load, entry_el, trampoline, images })
}

fn wrong_entry(checker: &mut Checker, span: Span, word: &str, arch: &str, right: &str) -> Option<model::Boot> {
    let claim = format!("boot.entry is \"{word}\", which {arch} loaders do not use");
    checker.at(&codes::E0309, span, claim, "the other architecture's", &format!("use \"{right}\""));
    None
}

fn load(checker: &mut Checker, table: &Boot, arch: Arch) -> Placement<PhysAddr> {
    match placement(checker, table.load.as_ref()) {
        (None, from) => Placement::Auto(from),
        (Some(address), from) => {
            let span = table.load.as_ref().map_or(table.entry.span, |written| written.span);
            let aligned = checker.aligned("boot.load", address, span, Level::L2.entry_bytes());
            let bits = pa_bits_max(arch);
            if address >> bits != 0 {
                let claim = format!("boot.load {address:#x} lies beyond {bits} physical address bits");
                checker.at(&codes::E0205, span, claim, "out of reach", "use \"auto\"");
            }
            if aligned { Placement::At(PhysAddr::new(address), from) } else { Placement::Auto(from) }
        }
    }
}

fn trampoline(checker: &mut Checker, table: &Boot, arch: Arch) -> Placement<Frame> {
    let (at, from) = placement(checker, table.trampoline.as_ref());
    let Some(written) = &table.trampoline else { return Placement::Auto(from) };
    if arch == Arch::Aarch64 {
        checker.inapplicable("boot.trampoline", written.span, "aarch64 starts secondaries through firmware");
    }
    let Some(address) = at else { return Placement::Auto(from) };
    if address == 0 || address >= LOW_MEMORY_END || !address.is_multiple_of(PAGE_BYTES) {
        let claim = format!("boot.trampoline {address:#x} is no frame between 0x1000 and {LOW_MEMORY_END:#x}");
        checker.at(
            &codes::E0311,
            written.span,
            claim,
            "cannot be used",
            "0x8000 is a common choice, \"auto\" the simplest",
        );
        return Placement::Auto(from);
    }
    Placement::At(Frame::containing(PhysAddr::new(address)), from)
}

/// Fixmap slots through which the trampoline, or the word that a core polls, is written where processors start so.
pub(super) fn trampoline_slots(cpus: &Cpus) -> u64 {
    let written = matches!(cpus.enable.value, EnableMethod::Sipi | EnableMethod::SpinTable);
    u64::from(written && cpus.cores.len() > 1)
}

/// Checks `[layout]`; so many fixmap slots are in use for good, and so many for the trampoline.
pub(super) fn layout(
    checker: &mut Checker,
    layout: &Written<Layout>,
    arch: Arch,
    [fixed, trampoline]: [u64; 2],
) -> Option<model::Layout> {
    let table = &layout.value;
    let release = extents(checker, &table.image.value);
    let debug = debug_extents(checker, &release, table.image_debug.as_ref().map(|image| &image.value));
    let self_test = self_test_extents(checker, &release, table.image_self_test.as_ref().map(|image| &image.value));
    let stack_bytes = pages(checker, "layout.stack.size", &table.stack.value.size);
    let slots = [&table.fixmap.value.slots, &table.pmap.value.slots, &table.firmware.value.slots];
    few(
        checker,
        "layout.fixmap.slots",
        slots[0],
        u32::try_from(fixed + trampoline).unwrap_or(u32::MAX),
        match trampoline {
            0 => "one for each page mapped for good",
            _ => "one for each page mapped for good, one for the trampoline",
        },
    );
    few(checker, "layout.pmap.slots", slots[1], PMAP_LEAST, "one for each level of a walk");
    few(checker, "layout.firmware.slots", slots[2], 1, "one page of what firmware left");
    shared_table(checker, slots);
    let mapcache = &table.mapcache.value.slots_per_cpu;
    few(
        checker,
        "layout.mapcache.slots-per-cpu",
        mapcache,
        MAPCACHE_LEAST,
        "one for each level of a guest's tables and one to copy through, twice since interrupts nest",
    );
    private_table(checker, &table.stack.value.size, mapcache);
    let image_base = image_base(checker, &table.image.value, arch);
    let [fixmap, pmap, firmware] = slots.map(|slots| checker.sourced(slots));
    Some(model::Layout {
        release,
        debug,
        self_test,
        stack_bytes,
        fixmap_slots: fixmap,
        pmap_slots: pmap,
        firmware_slots: firmware,
        mapcache_slots: checker.sourced(mapcache),
        mapcache_retention: retention(checker, &table.mapcache.value),
        vmap_bytes: window(checker, "layout.vmap.size", table.vmap.as_ref(), Layout::VMAP_BYTES),
        heap_bytes: window(checker, "layout.heap.size", table.heap.as_ref(), Layout::HEAP_BYTES),
        headroom_min: headroom(checker, table.headroom_min.as_ref()),
        image_base,
    })
}

fn headroom(checker: &mut Checker, written: Option<&Written<u8>>) -> Sourced<u8> {
    let Some(written) = written else { return Sourced { value: Layout::HEADROOM_MIN, from: Origin::Default } };
    if written.value > Layout::HEADROOM_MOST {
        let claim = format!("layout.headroom-min is {} per cent, at most {}", written.value, Layout::HEADROOM_MOST);
        checker.at(&codes::E0110, written.span, claim, "out of range", "5 is the default, 0 never warns");
    }
    checker.sourced(written)
}

fn retention(checker: &Checker, mapcache: &Mapcache) -> Sourced<Retention> {
    let Some(written) = &mapcache.retention else {
        return Sourced { value: Retention::Strict, from: Origin::Default };
    };
    let value = match written.value {
        RetentionWord::Strict => Retention::Strict,
        RetentionWord::Lazy => Retention::Lazy,
    };
    Sourced { value, from: checker.origin(written.span) }
}

/// The length of a window of addresses, whole blocks.
fn window(checker: &mut Checker, key: &str, written: Option<&Written<AddressWindow>>, default: u64) -> Sourced<u64> {
    let Some(written) = written else { return Sourced { value: default, from: Origin::Default } };
    blocks(checker, key, &written.value.size)
}

/// A number of bytes that is whole 2 MiB blocks and not zero.
pub(super) fn blocks(checker: &mut Checker, key: &str, written: &Written<Size>) -> Sourced<u64> {
    let bytes = written.value.0;
    if bytes == 0 {
        checker.at(&codes::E0201, written.span, format!("{key} is zero"), "no room", "give it at least 2 MiB");
    } else {
        checker.aligned(key, bytes, written.span, Level::L2.entry_bytes());
    }
    Sourced { value: bytes, from: checker.origin(written.span) }
}

fn extents(checker: &mut Checker, image: &Image) -> Extents {
    Extents {
        text: pages(checker, "layout.image.text", &image.text),
        rodata: pages(checker, "layout.image.rodata", &image.rodata),
        data: pages(checker, "layout.image.data", &image.data),
    }
}

fn debug_extents(checker: &mut Checker, release: &Extents, image: Option<&ImageDebug>) -> Extents {
    let (text, rodata, data) =
        image.map_or((None, None, None), |image| (image.text.as_ref(), image.rodata.as_ref(), image.data.as_ref()));
    Extents {
        text: extent(checker, "layout.image-debug.text", text, &release.text, ImageDebug::TEXT_FACTOR),
        rodata: extent(checker, "layout.image-debug.rodata", rodata, &release.rodata, ImageDebug::RODATA_FACTOR),
        data: extent(checker, "layout.image-debug.data", data, &release.data, ImageDebug::DATA_FACTOR),
    }
}

fn self_test_extents(checker: &mut Checker, release: &Extents, image: Option<&ImageSelfTest>) -> Extents {
    let (text, rodata, data) =
        image.map_or((None, None, None), |image| (image.text.as_ref(), image.rodata.as_ref(), image.data.as_ref()));
    Extents {
        text: extent(checker, "layout.image-self-test.text", text, &release.text, ImageSelfTest::TEXT_FACTOR),
        rodata: extent(checker, "layout.image-self-test.rodata", rodata, &release.rodata, ImageSelfTest::RODATA_FACTOR),
        data: extent(checker, "layout.image-self-test.data", data, &release.data, ImageSelfTest::DATA_FACTOR),
    }
}

/// An extent as written, or `factor` times the release image's.
fn extent(
    checker: &mut Checker,
    key: &str,
    written: Option<&Written<Size>>,
    released: &Sourced<u64>,
    factor: u64,
) -> Sourced<u64> {
    match written {
        Some(written) => pages(checker, key, written),
        None => Sourced { value: released.value.saturating_mul(factor), from: released.from },
    }
}

/// A number of bytes that is whole pages and not zero.
fn pages(checker: &mut Checker, key: &str, written: &Written<Size>) -> Sourced<u64> {
    let bytes = written.value.0;
    if bytes == 0 {
        checker.at(&codes::E0201, written.span, format!("{key} is zero"), "no room", "give it at least 4 KiB");
    } else if !bytes.is_multiple_of(PAGE_BYTES) {
        let above = bytes.checked_next_multiple_of(PAGE_BYTES).unwrap_or(bytes);
        let claim = format!("{key} is {}, not whole pages", crate::diagnostic::human_bytes(bytes));
        let help = format!("{} is the next multiple of 4 KiB", crate::diagnostic::human_bytes(above));
        checker.at(&codes::E0401, written.span, claim, "not whole pages", &help);
    }
    Sourced { value: bytes, from: checker.origin(written.span) }
}

fn few(checker: &mut Checker, key: &str, written: &Written<u32>, least: u32, why: &str) {
    if written.value < least {
        let claim = format!("{key} is {}, at least {least} are needed: {why}", written.value);
        checker.at(&codes::E0402, written.span, claim, "too few", &format!("write {least} or more"));
    }
}

/// Fixmap, guard, PMAP, guard, firmware window, guard: one table.
fn shared_table(checker: &mut Checker, slots: [&Written<u32>; 3]) {
    let used: u64 = slots.iter().map(|slots| u64::from(slots.value) + 1).sum();
    if used > ENTRIES {
        let claim =
            format!("fixmap, PMAP and firmware window take {used} entries with their guards, a table has {ENTRIES}");
        let mut found = Diagnostic::new(&codes::E0403, claim);
        let largest = slots.iter().max_by_key(|slots| slots.value);
        for slots in slots {
            found = found.at(slots.span, format!("{} slots", slots.value));
        }
        let room = largest.map_or(0, |largest| u64::from(largest.value).saturating_sub(used - ENTRIES));
        checker.push(found.help(format!("the largest of them may have {room}")));
    }
}

fn private_table(checker: &mut Checker, stack: &Written<Size>, mapcache: &Written<u32>) {
    let scratch = model::Layout::scratch_pages(mapcache.value);
    let used = stack.value.0.div_ceil(PAGE_BYTES) + scratch + u64::from(mapcache.value) + PRIVATE_FIXED;
    if used > ENTRIES {
        let claim = format!("stack and map cache take {used} entries with their guards, a table has {ENTRIES}");
        let found = Diagnostic::new(&codes::E0403, claim).at(mapcache.span, "map cache").at(stack.span, "stack");
        checker.push(found.help("shrink one of them"));
    }
}

fn image_base(checker: &mut Checker, image: &Image, arch: Arch) -> Placement<VirtAddr> {
    match (placement(checker, image.base.as_ref()), &image.base) {
        ((Some(address), from), Some(written)) => {
            let canonical = match arch {
                Arch::Aarch64 => address >> 48 == 0,
                Arch::X86_64 => address >> 47 == (1 << 17) - 1,
            };
            if !canonical {
                let claim = format!("layout.image.base {address:#x} is no address of the hypervisor");
                checker.at(&codes::E0110, written.span, claim, "not canonical", "use \"auto\"");
                return Placement::Auto(from);
            }
            match checker.aligned("layout.image.base", address, written.span, Level::L2.entry_bytes()) {
                true => Placement::At(VirtAddr::new(address), from),
                false => Placement::Auto(from),
            }
        }
        ((_, from), _) => Placement::Auto(from),
    }
}
