//! From what a PC's firmware told Linux to a board file: the memory map and ACPI's table of interrupt controllers.
//!
//! Never guesses: how such a machine is switched off and where its UART is, neither says. Layouts: ACPI Specification
//! 6.5, "Multiple APIC Description Table (MADT)".

use paging::PAGE_BYTES;

use super::memory::PA_BITS;
use super::page::{self, Page};
use super::{Answers, Banks, BringUp, Class, ImportError, Imported, Init, IrqClass, Source, emulator, windows};

/// What firmware told.
#[derive(Clone, Debug, Default)]
pub struct Firmware {
    /// The memory map, in any order.
    pub map: Vec<MapEntry>,
    /// The bytes of the MADT.
    pub madt: Vec<u8>,
}

/// A range of the memory map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// First byte.
    pub first: u64,
    /// Last byte.
    pub last: u64,
    /// What Linux calls it: only `System RAM` is RAM.
    pub kind: String,
}

/// What Linux calls RAM: Linux, "sysfs-firmware-memmap".
const RAM: &str = "System RAM";
/// "System Description Table Header", and two words.
const ENTRIES_AT: usize = 44;
/// Ports of COM1 to COM4 and their like are below this one.
const PORT_BYTES: usize = 8;

/// Highest identifier of an xAPIC. Intel SDM vol. 3, "Local APIC ID"; 255 stands for all.
const XAPIC_MOST: u32 = 254;

/// What the MADT lists.
#[derive(Debug, Default)]
struct Madt {
    lapic: u64,
    /// Identifiers of enabled processors; the one that boots comes first.
    processors: Vec<u32>,
    /// Enabled processors whose identifiers an xAPIC cannot address.
    wide: usize,
    ioapics: Vec<u32>,
}

impl Madt {
    fn read(bytes: &[u8]) -> Result<Self, ImportError> {
        let wrong = |what: String| ImportError(format!("MADT: {what}"));
        if bytes.get(..4) != Some(b"APIC") {
            return Err(wrong("it does not begin with APIC".into()));
        }
        let length = word(bytes, 4).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let table = bytes.get(..length).filter(|_| length >= ENTRIES_AT);
        let table = table.ok_or_else(|| wrong(format!("it says {length} bytes, {} are there", bytes.len())))?;
        if table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
            return Err(wrong("its sum is not 0".into()));
        }
        let mut madt = Self { lapic: word(table, 36).unwrap_or(0).into(), ..Self::default() };
        let mut at = ENTRIES_AT;
        while at < length {
            let entry_bytes = table.get(at + 1).map_or(0, |bytes| usize::from(*bytes));
            let entry = table.get(at..at + entry_bytes).filter(|entry| entry.len() >= 2);
            let entry = entry.ok_or_else(|| wrong(format!("the entry at byte {at} has no length")))?;
            madt.entry(entry).ok_or_else(|| wrong(format!("the entry at byte {at} is too short")))?;
            at += entry_bytes;
        }
        Ok(madt)
    }

    /// "Interrupt Controller Structure Types"; nothing where the entry is shorter than its type.
    fn entry(&mut self, entry: &[u8]) -> Option<()> {
        const ENABLED: u32 = 1;
        match entry[0] {
            0 if word(entry, 4)? & ENABLED != 0 => self.processors.push(u32::from(*entry.get(3)?)),
            9 if word(entry, 8)? & ENABLED != 0 => match word(entry, 4)? {
                id @ 0..=XAPIC_MOST => self.processors.push(id),
                _ => self.wide += 1,
            },
            1 => self.ioapics.push(word(entry, 4)?),
            5 => self.lapic = u64::from(word(entry, 8)?) << 32 | u64::from(word(entry, 4)?),
            // Disabled processors, and interrupts that the hypervisor does not route.
            _ => {}
        }
        Some(())
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Imports what was saved of a PC.
///
/// # Errors
/// A MADT that contradicts itself.
pub fn import_pc(firmware: &Firmware, source: &Source, answers: &Answers) -> Result<Imported, ImportError> {
    let madt = Madt::read(&firmware.madt)?;
    let mut page = Page::default();
    platform(source, answers, &mut page);
    memory(firmware, &madt, answers, &mut page);
    processors(&madt, &mut page);
    let console = console(answers, &mut page)?;
    hypervisor(answers, &mut page);
    let bring_up = match madt.processors.len() {
        0 => None,
        1 => Some(BringUp::Single),
        _ => Some(BringUp::Sipi),
    };
    let (text, holes) = page.finish();
    Ok(Imported { text, holes, class: Class { irq: IrqClass::Apic, bring_up, console } })
}

fn platform(source: &Source, answers: &Answers, page: &mut Page) {
    let Source { name, file, sha256 } = source;
    page.comment(&format!("A PC, imported from {file}."));
    page.line("schema = 1");
    page.header("[platform]");
    page.key("name", &page::quoted(name), "the file's name");
    page.key("model", &page::quoted(name), "no table saved here has one");
    page.key("arch", "\"x86_64\"", "");
    let from = format!("{{ file = {}, sha256 = {} }}", page::quoted(file), page::quoted(sha256));
    page.key("imported-from", &from, "");
    match &answers.power_off {
        Some(value) => page.key("power-off", value, "given"),
        None => page.hole(
            "platform.power-off",
            "neither table says how the machine is switched off; give it with --power-off '{ port = …, width = …, value = … }'",
        ),
    }
}

/// Whole pages of RAM, ascending, touching ranges joined.
fn banks(firmware: &Firmware, answers: &Answers) -> Vec<(u64, u64)> {
    let mapped = firmware.map.iter().filter(|entry| entry.kind == RAM).filter_map(|entry| {
        let first = entry.first.checked_next_multiple_of(PAGE_BYTES)?;
        let end = entry.last.checked_add(1)? / PAGE_BYTES * PAGE_BYTES;
        (first < end).then_some((first, end))
    });
    let mut ranges: Vec<(u64, u64)> = match answers.memory.is_empty() {
        true => mapped.collect(),
        false => answers.memory.iter().filter_map(|(base, bytes)| Some((*base, base.checked_add(*bytes)?))).collect(),
    };
    ranges.sort_unstable();
    let mut banks: Vec<(u64, u64)> = Vec::new();
    for (first, end) in ranges {
        match banks.last_mut() {
            Some(last) if first <= last.1 => last.1 = last.1.max(end),
            _ => banks.push((first, end)),
        }
    }
    banks
}

fn memory(firmware: &Firmware, madt: &Madt, answers: &Answers, page: &mut Page) {
    let banks = banks(firmware, answers);
    let pages = madt.ioapics.iter().map(|base| u64::from(*base)).chain([madt.lapic]);
    let ends = pages.map(|base| base.saturating_add(PAGE_BYTES)).chain(banks.iter().map(|bank| bank.1));
    let highest = ends.max().unwrap_or(0);
    let need = u64::BITS - highest.saturating_sub(1).leading_zeros();
    let bits = PA_BITS.into_iter().find(|bits| u32::from(*bits) >= need).unwrap_or(52);
    page.header("[memory]");
    match answers.banks {
        Banks::All => page.key("banks-from", "\"static\"", ""),
        Banks::AtMost => page.key("banks-from", "\"e820\"", "RAM may be in these banks; how much is known at boot"),
    }
    page.key("pa-bits-min", &bits.to_string(), &format!("RAM and registers end at {}", page::hex(highest)));
    if banks.is_empty() {
        page.hole("memory.bank", format!("the memory map has no {RAM}; give it with --memory BASE+SIZE"));
    }
    for (first, end) in banks {
        page.header("[[memory.bank]]");
        page.key("base", &page::hex(first), if answers.memory.is_empty() { RAM } else { "given" });
        page.key("size", &page::size(end - first), "");
    }
}

fn processors(madt: &Madt, page: &mut Page) {
    page.header("[cpu]");
    let method = if madt.processors.len() > 1 { "\"sipi\"" } else { "\"none\"" };
    page.key("enable-method", method, "");
    if madt.processors.is_empty() {
        page.hole("cpu.core", "the MADT has no enabled processor");
    }
    for id in &madt.processors {
        page.header("[[cpu.core]]");
        page.key("apic-id", &id.to_string(), "MADT");
    }
    if madt.wide > 0 {
        page.comment(&format!("left out: {} processors with identifiers that need x2APIC", madt.wide));
    }
    let registers = |base: u64| format!("{{ base = {}, size = 0x1000 }}", page::hex(base));
    page.header("[irq]");
    page.key("kind", "\"apic\"", "");
    page.key("lapic", &registers(madt.lapic), "MADT");
    let ioapics: Vec<_> = madt.ioapics.iter().map(|base| registers(u64::from(*base))).collect();
    page.key("ioapic", &format!("[{}]", ioapics.join(", ")), "MADT");
    page.header("[timer]");
    page.key("kind", "\"tsc\"", "");
}

/// `--console 0x3f8`, or `none`.
fn console(answers: &Answers, page: &mut Page) -> Result<Option<&'static str>, ImportError> {
    page.header("[console]");
    let Some(given) = &answers.console else {
        page.hole("console", "neither table has a UART; give its port with --console 0x3f8, or none");
        return Ok(None);
    };
    if given == "none" {
        page.key("kind", "\"none\"", "given");
        return Ok(Some("none"));
    }
    let digits = given.strip_prefix("0x").and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let port = digits.filter(|port| usize::from(*port) + PORT_BYTES <= 1 << 16);
    let port = port.ok_or_else(|| ImportError(format!("--console {given:?} is no port of a PC, such as 0x3f8")))?;
    page.key("kind", "\"ns16550\"", "");
    page.key("io-port", &format!("{port:#x}"), "given");
    let init = match answers.console_init {
        Init::Driver => "\"driver\"",
        Init::Firmware => "\"firmware\"",
    };
    page.key("init", init, "");
    Ok(Some("ns16550"))
}

/// What firmware cannot know: sizes of the hypervisor's own, the loader's protocol.
fn hypervisor(answers: &Answers, page: &mut Page) {
    page.header("[boot]");
    page.key("entry", "\"pvh\"", "multiboot2 is taken too");
    page.header("[layout]");
    page.key("image", "{ text = \"96 KiB\", rodata = \"16 KiB\", data = \"16 KiB\" }", "");
    page.key("stack", "{ size = \"32 KiB\" }", "");
    page.key("fixmap", "{ slots = 16 }", "a page each for what is mapped for good");
    page.key("pmap", "{ slots = 8 }", "");
    page.key("firmware", "{ slots = 272 }", "1 MiB of boot information and a block's edge");
    windows(page);
    emulator(answers, page);
}
