//! From a device tree to a board file as a person would have written it, each value with the node it came from.
//!
//! Never guesses: what the tree does not say becomes a line `# TODO(key): reason` and an entry of [`Imported::holes`],
//! and what a person adds on the command line ([`Answers`]) fills it. Bytes may be hostile: the worst they cause is an
//! [`ImportError`] that names the node.

mod address;
mod blob;
mod console;
mod cores;
mod gic;
mod memory;
mod page;
mod pc;
mod timer;
mod tree;

use std::fmt;

use page::Page;
pub use pc::{Firmware, MapEntry, import_pc};
use tree::Tree;

/// What a person adds to what the tree says.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// RAM, first byte and length; replaces what the tree says.
    pub memory: Vec<(u64, u64)>,
    /// What those ranges stand for.
    pub banks: Banks,
    /// The UART to print on: a path, an alias, or `none`.
    pub console: Option<String>,
    /// Who sets the UART up; without an answer firmware has.
    pub console_init: Init,
    /// How secondaries start.
    pub enable_method: Option<Method>,
    /// The PSCI conduit, where the tree has no node for it.
    pub conduit: Option<Conduit>,
    /// Where cores that spin look for their address, in their order, the boot core left out.
    pub release_addresses: Vec<u64>,
    /// Bytes from one redistributor to the next: those of a GICv4 lie 256 KiB apart, which few trees say.
    pub gicr_stride: Option<u64>,
    /// The maintenance interrupt.
    pub maintenance_intid: Option<u32>,
    /// Four timer interrupts: secure, EL1, virtual, EL2.
    pub timer_intids: Option<[u32; 4]>,
    /// How the machine is switched off, as the value of `platform.power-off`.
    pub power_off: Option<String>,
    /// The machine that emulates it.
    pub emulator: Option<EmulatedBy>,
    /// Whether the built-in test guest is added.
    pub guest: Guest,
}

/// What banks stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Banks {
    /// All the RAM that is used.
    #[default]
    All,
    /// Where RAM may be: firmware says at boot how much of it there is.
    AtMost,
}

/// How secondaries start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// PSCI CPU_ON.
    Psci,
    /// A word in memory.
    SpinTable,
    /// Not at all.
    None,
}

/// How the firmware is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// SMC #0.
    Smc,
    /// HVC #0.
    Hvc,
}

/// Who sets the console's UART up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Init {
    /// Firmware has.
    #[default]
    Firmware,
    /// The hypervisor does.
    Driver,
}

/// Whether the board gets a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guest {
    /// No.
    #[default]
    None,
    /// The built-in payload, where the interrupt controller is virtualized.
    Payload,
}

/// `[emulator]` as it will be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmulatedBy {
    /// QEMU's `-M`.
    pub machine: String,
    /// QEMU's `-cpu`.
    pub cpu: Option<String>,
    /// QEMU's `-m` in bytes, where it is not the sum of the banks.
    pub memory_bytes: Option<u64>,
    /// Which serial port carries the console.
    pub serial: u32,
    /// Further arguments.
    pub extra: Vec<String>,
}

/// Where the bytes come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The board's name: the stem of its file.
    pub name: String,
    /// The tree's file, as a person typed it.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Something that the tree does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The key that lacks it.
    pub key: &'static str,
    /// Why, with the node, and the option that answers it.
    pub reason: String,
}

/// A board file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its text; TOML even where something is missing.
    pub text: String,
    /// What is missing.
    pub holes: Vec<Hole>,
    /// What kind of board it is.
    pub class: Class,
}

/// A board as statistics count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// The interrupt controller.
    pub irq: IrqClass,
    /// How secondaries start.
    pub bring_up: Option<BringUp>,
    /// The kind of console; `none` where there is none, nothing where it is a hole.
    pub console: Option<&'static str>,
}

/// An interrupt controller, and whether guests can have their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrqClass {
    /// GICv2 with its virtual interface.
    GicV2,
    /// GICv2 without.
    GicV2Plain,
    /// GICv3 or v4.
    GicV3,
    /// The Raspberry Pi's own.
    Bcm2836,
    /// A PC's.
    Apic,
    /// None that is known.
    Unknown,
}

/// How secondaries start, as far as statistics tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BringUp {
    /// One core.
    Single,
    /// PSCI 0.2 or later.
    Psci,
    /// PSCI 0.1 with its own numbers.
    Psci01,
    /// Spin tables.
    SpinTable,
    /// INIT-SIPI-SIPI.
    Sipi,
}

impl Class {
    /// Whether it could run guests: a controller that can be virtualized, cores that start, and lines that are seen.
    pub fn is_bootable(self) -> bool {
        let console = matches!(self.console, Some(kind) if kind != "none");
        self.is_bootable_without_console() && console
    }

    /// The same where lines may go to memory.
    pub fn is_bootable_without_console(self) -> bool {
        matches!(self.irq, IrqClass::GicV2 | IrqClass::GicV3) && self.bring_up.is_some() && self.console.is_some()
    }
}

/// Why nothing was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError(String);

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ImportError {}

/// Paths of UARTs that `--console` could mean; which of them is one, the tree does not say.
///
/// # Errors
/// Bytes that are no device tree.
pub fn consoles(bytes: &[u8]) -> Result<Vec<String>, ImportError> {
    let tree = Tree::read(bytes).map_err(|malformed| ImportError(malformed.to_string()))?;
    Ok(console::candidates(&tree))
}

/// Imports a flattened device tree.
///
/// # Errors
/// Bytes that are no device tree (the node that was open is named), overlays, and machines that are not AArch64.
pub fn import(bytes: &[u8], source: &Source, answers: &Answers) -> Result<Imported, ImportError> {
    let tree = Tree::read(bytes).map_err(|malformed| ImportError(malformed.to_string()))?;
    suits(&tree)?;
    let mut page = Page::default();
    platform(&tree, source, answers, &mut page);
    let memory = memory::Memory::read(&tree, answers);
    let gic = gic::read(&tree, answers);
    let console = console::read(&tree, answers, gic.node);
    memory.write(&console.claims(), &gic.regions(), answers, &mut page);
    let bring_up = cores::write(&tree, answers, &mut page);
    gic.write(&mut page);
    timer::write(&tree, answers, gic.node, &mut page);
    console.write(answers.console_init, &mut page);
    hypervisor(&console, &gic, answers, &mut page);
    let class = Class { irq: gic.class, bring_up, console: console.class() };
    let (text, holes) = page.finish();
    Ok(Imported { text, holes, class })
}

fn suits(tree: &Tree) -> Result<(), ImportError> {
    let root = tree.root();
    let is_overlay = tree.children(root).any(|id| tree.child(id, "__overlay__").is_some())
        || tree.child(root, "__fixups__").is_some() && tree.child(root, "cpus").is_none();
    if is_overlay {
        return Err(ImportError("/: this is an overlay, a change to another tree; apply it to its base first".into()));
    }
    if tree.find("/cpus").is_none() {
        return Err(ImportError("/: no /cpus, so this is no whole machine".into()));
    }
    Ok(())
}

fn platform(tree: &Tree, source: &Source, answers: &Answers, page: &mut Page) {
    let root = tree.root();
    let Source { name, file, sha256 } = source;
    let model = tree.text(root, "model").unwrap_or(name);
    page.comment(&format!("{model}, imported from {file}."));
    page.line("schema = 1");
    page.header("[platform]");
    page.key("name", &page::quoted(name), "the file's name");
    page.key("model", &page::quoted(model), if tree.text(root, "model").is_some() { "/ model" } else { "no model" });
    page.key("arch", "\"aarch64\"", "");
    let names: Vec<_> = tree.texts(root, "compatible").into_iter().map(page::quoted).collect();
    page.key("compatible", &format!("[{}]", names.join(", ")), "/ compatible");
    let from = format!("{{ file = {}, sha256 = {} }}", page::quoted(file), page::quoted(sha256));
    page.key("imported-from", &from, "");
    if let Some(value) = &answers.power_off {
        page.key("power-off", value, "given");
    }
}

/// What the tree cannot know: sizes of the hypervisor's own, the loader's protocol.
fn hypervisor(console: &console::Console, gic: &gic::Gic, answers: &Answers, page: &mut Page) {
    page.header("[boot]");
    page.key("entry", "\"linux-image\"", "what boot loaders for AArch64 take");
    page.header("[layout]");
    page.key("image", "{ text = \"192 KiB\", rodata = \"48 KiB\", data = \"48 KiB\" }", "");
    page.key("stack", "{ size = \"16 KiB\" }", "");
    page.key("fixmap", &format!("{{ slots = {} }}", 16 + console.pages()), "a page each for what is mapped for good");
    page.key("pmap", "{ slots = 8 }", "");
    page.key("firmware", "{ slots = 272 }", "a device tree of up to 1 MiB and a block's edge");
    windows(page);
    if answers.guest == Guest::Payload && matches!(gic.class, IrqClass::GicV2 | IrqClass::GicV3) {
        page.header("[[domain]]");
        page.key("name", "\"payload\"", "");
        page.key("vcpus", "1", "");
        page.key("memory", "{ base = 0x4000_0000, size = \"16 MiB\" }", "");
        page.key("kernel", "\"payload\"", "");
        page.key("kernel-max", "\"64 KiB\"", "");
        page.key("console", "\"hypercall\"", "");
    }
    emulator(answers, page);
}

/// The map cache and the directmap, the same on every machine.
fn windows(page: &mut Page) {
    page.key("mapcache", "{ slots-per-cpu = 64 }", "");
    page.header("[directmap]");
    page.key("policy", "\"none\"", "");
    page.key("boot-option", "false", "");
}

fn emulator(answers: &Answers, page: &mut Page) {
    if let Some(EmulatedBy { machine, cpu, memory_bytes, serial, extra }) = &answers.emulator {
        page.header("[emulator]");
        page.key("machine", &page::quoted(machine), "");
        cpu.iter().for_each(|cpu| page.key("cpu", &page::quoted(cpu), ""));
        memory_bytes.iter().for_each(|bytes| page.key("memory", &page::size(*bytes), ""));
        page.key("serial", &serial.to_string(), "");
        let extra: Vec<_> = extra.iter().map(|text| page::quoted(text)).collect();
        page.key("extra", &format!("[{}]", extra.join(", ")), "");
    }
}
