//! From a device tree to a machine that boots, with nothing typed by hand: import, build, boot.
//!
//! Real trees on the emulators that know their machine, and trees that emulators make. The trees are fetched, see
//! [`crate::corpus`]; all of them with `--long`, a handful otherwise.

use std::path::{Path, PathBuf};

use codegen::import::{Answers, Conduit, EmulatedBy, Guest, Init, Method, Source};
use sha2::{Digest, Sha256};

use super::{Bench, Length, boots};
use crate::boards::{BoardFile, Place};
use crate::cli::{Given, Profile};
use crate::corpus::{self, Trees};
use crate::failure::Failure;
use crate::import;

/// Boards of the corpus that build and verify with `--long`, chosen by hash.
const SAMPLE: usize = 40;

/// GICR_TYPER.VLPIS: a redistributor of a GICv4 has four frames of 64 KiB. Arm IHI 0069, "Redistributor register map".
const GICV4_STRIDE: u64 = 0x4_0000;

/// One tree on its way to a running machine.
struct Trip {
    name: String,
    bytes: Vec<u8>,
    answers: Answers,
}

pub(super) fn run(bench: &mut Bench<'_>) {
    for machine in emulated(bench.length) {
        let result = machine.trip(bench).and_then(|trip| boot(bench, &trip));
        bench.job(format!("import and boot -M {}, {} CPUs, {}", machine.machine, machine.cpus, machine.ram), result);
    }
    match corpus::fetch(bench.builder.project, bench.builder.host) {
        Err(failure) => bench.job("import real trees", Err(failure)),
        Ok(trees) => real(bench, &trees),
    }
}

/// A machine that QEMU makes a tree for.
struct Machine {
    machine: &'static str,
    cpu: Option<&'static str>,
    cpus: u32,
    ram: &'static str,
    /// `-smp` where QEMU wants more processors than the tree has.
    extra: &'static [&'static str],
}

const fn virt(machine: &'static str, cpu: &'static str, cpus: u32, ram: &'static str) -> Machine {
    Machine { machine, cpu: Some(cpu), cpus, ram, extra: &[] }
}

fn emulated(length: Length) -> Vec<Machine> {
    const V2: &str = "virt,virtualization=on,gic-version=2";
    const V3: &str = "virt,virtualization=on,gic-version=3";
    const V4: &str = "virt,virtualization=on,gic-version=4";
    let versal = Machine { machine: "xlnx-versal-virt", cpu: None, cpus: 4, ram: "1G", extra: &["-smp", "4"] };
    let mut list = vec![virt(V2, "cortex-a57", 2, "512M"), virt(V3, "cortex-a57", 8, "1G"), versal];
    if length == Length::Long {
        for cpus in 1..=8 {
            list.extend([virt(V2, "cortex-a57", cpus, "1G"), virt(V3, "cortex-a57", cpus, "2G")]);
        }
        list.extend([
            virt(V3, "cortex-a72", 4, "4G"),
            virt(V4, "max", 1, "1G"),
            virt(V4, "max", 4, "1G"),
            virt(V4, "max", 8, "2G"),
        ]);
    }
    list
}

impl Machine {
    fn name(&self) -> String {
        let version = self.machine.split(['=', ',']).next_back().unwrap_or_default();
        format!("made-{version}-{}cpu-{}", self.cpus, self.ram)
    }

    fn trip(&self, bench: &Bench<'_>) -> Result<Trip, Failure> {
        let given = Given {
            cpu: self.cpu.map(str::to_owned),
            smp: Some(self.cpus),
            ram: Some(self.ram.to_owned()),
            ..Given::default()
        };
        let folder = bench.builder.project.target().join("import");
        let origin = import::qemu(bench.builder.host, self.machine, &given, &folder)?;
        let emulator = EmulatedBy {
            machine: self.machine.to_owned(),
            cpu: given.cpu,
            extra: self.extra.iter().map(|word| (*word).to_owned()).collect(),
            ..EmulatedBy::default()
        };
        // QEMU puts the node of its firmware interface into the tree that it boots with, not always into the one it dumps.
        let open = import::open_keys(&origin)?.contains(&"cpu.enable-method");
        let answers = Answers {
            emulator: Some(emulator),
            guest: Guest::Payload,
            enable_method: open.then_some(Method::Psci),
            conduit: open.then_some(Conduit::Smc),
            gicr_stride: self.machine.contains("gic-version=4").then_some(GICV4_STRIDE),
            ..Answers::default()
        };
        Ok(Trip { name: self.name(), bytes: origin.bytes, answers })
    }
}

/// The trees of boards that an emulator knows.
fn real(bench: &mut Bench<'_>, trees: &Trees) {
    let all = match corpus::trees(&trees.folder) {
        Ok(all) => all,
        Err(failure) => return bench.job("import real trees", Err(failure)),
    };
    let named = |part: &str| all.iter().filter(|tree| tree.to_string_lossy().contains(part)).cloned().collect();
    let (mut xilinx, mut raspberry): (Vec<PathBuf>, Vec<PathBuf>) = (named("xilinx/"), named("/bcm2837-"));
    if bench.length == Length::Short {
        xilinx.retain(|tree| ["zcu102-rev1.0", "ultra96"].iter().any(|part| tree.to_string_lossy().contains(part)));
        raspberry.truncate(1);
    }
    for tree in xilinx.iter().filter(|tree| !tree.to_string_lossy().contains("versal")) {
        let result = zynqmp(tree).and_then(|trip| boot(bench, &trip));
        bench.job(format!("import and boot {}", stem(tree)), result);
    }
    for tree in &raspberry {
        let result = raspi(tree).and_then(|trip| boot(bench, &trip));
        bench.job(format!("import and boot {}", stem(tree)), result);
    }
    if bench.length == Length::Long {
        sample(bench, trees, all);
    }
}

/// No firmware sets the UART up under `-kernel`; which of the two it is, the tree says.
fn zynqmp(tree: &Path) -> Result<Trip, Failure> {
    const UART1: &str = "base = 0xff01_0000";
    let bytes = import::file(tree)?;
    let answers = |serial| Answers {
        memory: vec![(0, 1 << 30)],
        console_init: Init::Driver,
        guest: Guest::Payload,
        emulator: Some(EmulatedBy {
            machine: "xlnx-zcu102,virtualization=on".into(),
            serial,
            extra: with_tree(tree),
            ..EmulatedBy::default()
        }),
        ..Answers::default()
    };
    let first = text(tree, &bytes, &answers(0))?;
    Ok(Trip { name: stem(tree), answers: answers(u32::from(first.contains(UART1))), bytes })
}

/// The emulator's RAM ends where the video processor's begins; powering off is a reset through the watchdog. Broadcom
/// "BCM2835 ARM Peripherals", PM_RSTC, as Linux' `bcm2835_wdt.c` writes it.
fn raspi(tree: &Path) -> Result<Trip, Failure> {
    const MINI_UART: &str = "base = 0x3f21_5040";
    let bytes = import::file(tree)?;
    let (machine, installed) = match stem(tree).contains("3-a") {
        true => ("raspi3ap", 512_u64 << 20),
        false => ("raspi3b", 1 << 30),
    };
    let answers = |serial| Answers {
        memory: vec![(0, installed - (64 << 20))],
        power_off: Some("{ address = 0x3f10_001c, width = 4, value = 0x5a00_0020 }".into()),
        emulator: Some(EmulatedBy {
            machine: machine.into(),
            memory_bytes: Some(installed),
            serial,
            extra: with_tree(tree),
            ..EmulatedBy::default()
        }),
        ..Answers::default()
    };
    let first = text(tree, &bytes, &answers(0))?;
    Ok(Trip { name: stem(tree), answers: answers(u32::from(first.contains(MINI_UART))), bytes })
}

fn with_tree(tree: &Path) -> Vec<String> {
    vec!["-dtb".into(), tree.display().to_string()]
}

fn stem(tree: &Path) -> String {
    tree.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn text(tree: &Path, bytes: &[u8], answers: &Answers) -> Result<String, Failure> {
    let source = Source { name: stem(tree), file: stem(tree), sha256: "0".repeat(64) };
    let imported = codegen::import::import(bytes, &source, answers);
    imported.map(|imported| imported.text).map_err(|error| Failure::Run(error.to_string()))
}

/// Imports into a file of its own, builds it, and boots it to the lines that its plan promises.
fn boot(bench: &Bench<'_>, trip: &Trip) -> Result<(), Failure> {
    let source = Source { name: trip.name.clone(), file: format!("{}.dtb", trip.name), sha256: "0".repeat(64) };
    let imported = codegen::import::import(&trip.bytes, &source, &trip.answers)
        .map_err(|error| Failure::Run(error.to_string()))?;
    if let Some(hole) = imported.holes.first() {
        return Err(Failure::Run(format!("TODO({}): {}", hole.key, hole.reason)));
    }
    let board = write(bench, &trip.name, &imported.text)?;
    boots::boot(bench, &board, Profile::Release, &[]).map(drop)
}

fn write(bench: &Bench<'_>, name: &str, text: &str) -> Result<BoardFile, Failure> {
    let project = bench.builder.project;
    let folder = project.target().join("import");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    let path = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
    let path = path.strip_prefix(project.root()).map_or(path.clone(), Path::to_path_buf);
    Ok(BoardFile { name: name.to_owned(), path, place: Place::Elsewhere })
}

/// Boards that check also build and verify: a sample by the hash of their paths, so that it stays the same.
fn sample(bench: &mut Bench<'_>, trees: &Trees, mut all: Vec<PathBuf>) {
    all.sort_by_key(|tree| Sha256::digest(stem(tree).as_bytes()));
    for tree in all.iter().take(SAMPLE) {
        let built = corpus::examine(&trees.folder, tree).and_then(|outcome| {
            let board = write(bench, &stem(tree), &outcome.text)?;
            bench.builder.build(&board, Profile::Release).map(drop)
        });
        bench.job(format!("import and build {}", stem(tree)), built);
    }
}
