//! What is not Rust: linker script, memory map page, emulator arguments. Views in, templates out.
//!
//! A view holds finished text only; templates place it and decide nothing.

use handlebars::{Handlebars, no_escape};
use serde::Serialize;

use super::{GeneratedFile, RenderError, header, rust};
use crate::diagnostic::human_bytes;
use crate::map;
use crate::model::{Arch, ConsolePlace, Emulator};
use crate::plan::{Plan, PlannedSection};

const LINK_AARCH64: &str = include_str!("../../../templates/link-aarch64.ld.hbs");
const LINK_X86_64: &str = include_str!("../../../templates/link-x86_64.ld.hbs");
const MEMORY_MAP: &str = include_str!("../../../templates/memory-map.md.hbs");
const EMULATOR: &str = include_str!("../../../templates/emulator.args.hbs");

/// All of them; emulator arguments only where the board names an emulator.
pub(super) fn files(plan: &Plan) -> Result<Vec<GeneratedFile>, RenderError> {
    let link = match plan.board.arch {
        Arch::Aarch64 => LINK_AARCH64,
        Arch::X86_64 => LINK_X86_64,
    };
    let mut files = vec![file("link.ld", link, &Link::new(plan))?, file("memory-map.md", MEMORY_MAP, &page(plan))?];
    if let Some(emulator) = &plan.board.emulator {
        files.push(file("emulator.args", EMULATOR, &Arguments::new(plan, emulator))?);
    }
    Ok(files)
}

fn file(name: &'static str, template: &str, view: &impl Serialize) -> Result<GeneratedFile, RenderError> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(no_escape);
    let text = engine.render_template(template, view);
    let text = text.map_err(|error| RenderError::Template { file: name, error: Box::new(error) })?;
    Ok(GeneratedFile { name: name.into(), text })
}

/// The map, and the line that says where it comes from.
fn page(plan: &Plan) -> serde_json::Value {
    let mut page = serde_json::json!(map::memory_map(plan));
    page["header"] = header(plan).into();
    page
}

/// What the linker script says.
#[derive(Serialize)]
struct Link {
    header: String,
    text: Extent,
    rodata: Extent,
    tables: Extent,
    data: Extent,
    footprint: String,
    page: String,
}

/// One section of it.
#[derive(Serialize)]
struct Extent {
    link: String,
    base: String,
    bytes: String,
    size: String,
    from: String,
}

/// A number as linker scripts read it: no grouping.
fn plain(value: u64) -> String {
    format!("{value:#x}")
}

impl Link {
    fn new(plan: &Plan) -> Link {
        let extent = |section: &PlannedSection| Extent {
            link: plain(section.link.get()),
            base: plain(section.base.get()),
            bytes: plain(section.bytes),
            size: human_bytes(section.bytes),
            from: rust::place(plan, section.from),
        };
        let [text, rodata, tables, data] = &plan.sections[..] else {
            unreachable!("a plan has four sections");
        };
        Link {
            header: header(plan),
            text: extent(text),
            rodata: extent(rodata),
            tables: extent(tables),
            data: extent(data),
            footprint: plain(plan.footprint.bytes()),
            page: plain(paging::PAGE_BYTES),
        }
    }
}

/// What the emulator is started with, one argument a line.
#[derive(Serialize)]
struct Arguments {
    arguments: Vec<String>,
}

impl Arguments {
    fn new(plan: &Plan, emulator: &Emulator) -> Arguments {
        let mut list: Vec<String> = ["-M", &emulator.machine].map(String::from).into();
        let mut push = |words: &[&str]| list.extend(words.iter().map(|word| (*word).to_owned()));
        if let Some(cpu) = &emulator.cpu {
            push(&["-cpu", cpu]);
        }
        push(&["-smp", &plan.board.cpus.cores.len().to_string()]);
        push(&["-m", &memory(emulator.memory_bytes)]);
        push(&["-accel", "tcg"]);
        // Nothing that the board file does not name: no network, no video, no monitor.
        push(&["-nodefaults", "-display", "none", "-no-reboot"]);
        for _ in 0..emulator.serial {
            push(&["-serial", "null"]);
        }
        match plan.board.console.place {
            ConsolePlace::Mmio(_) | ConsolePlace::Port(_) => push(&["-serial", "stdio"]),
            ConsolePlace::None => push(&["-serial", "null"]),
        }
        list.extend(emulator.extra.iter().cloned());
        Arguments { arguments: list }
    }
}

/// `-m` in the largest unit that QEMU knows and that divides it.
fn memory(bytes: u64) -> String {
    let units = [("G", 30), ("M", 20), ("K", 10)];
    match units.into_iter().find(|(_, shift)| bytes.trailing_zeros() >= *shift) {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}
