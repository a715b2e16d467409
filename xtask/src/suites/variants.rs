//! Boards made on the fly from a shipped one: TOML only, nothing else changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::LIMIT;
use crate::boards::{self, BoardFile, Place};
use crate::build::{Builder, names};
use crate::cli::Profile;
use crate::emulator::{self, Outcome, Show};
use crate::failure::Failure;
use crate::guests::{self, PAYLOAD};
use crate::packages::{self, GRUB, GRUB_BIOS_FOLDER, GRUB_BIOS_PACKAGE, MTOOLS, XORRISO};
use crate::planned::Planned;
use crate::process;
use crate::project::Project;

/// The board that variants inherit from.
const BASE: &str = "qemu-arm64";

/// A board file to be.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    /// What differs, in a phrase.
    pub(super) what: &'static str,
    name: String,
    base: &'static str,
    text: String,
}

/// A machine that is not its board file.
pub(super) struct Mismatch {
    /// The board file.
    pub(super) variant: Variant,
    /// What makes the machine another one.
    pub(super) arguments: Vec<String>,
    /// The key that the hypervisor must name.
    pub(super) key: &'static str,
}

impl Variant {
    /// A variant of the board that is tried first.
    pub(super) fn new(name: &str, what: &'static str, text: &str) -> Self {
        Self::of(BASE, name, what, text)
    }

    /// A variant of a shipped board.
    pub(super) fn of(base: &'static str, name: &str, what: &'static str, text: &str) -> Self {
        let text = format!("schema = 1\nbase = \"{base}.toml\"\n\n[platform]\nname = \"{name}\"\n\n{text}");
        Self { what, name: name.to_owned(), base, text }
    }

    /// Writes it under the build folder, and the board it inherits from with the built-in guest alone.
    pub(super) fn write(&self, project: &Project) -> Result<BoardFile, Failure> {
        let folder = folder(project)?;
        let base = guests::replaced(project, self.base, PAYLOAD)?;
        let path = folder.join(format!("{}.toml", self.name));
        for (path, text) in [(&folder.join(format!("{}.toml", self.base)), &base), (&path, &self.text)] {
            std::fs::write(path, text).map_err(|error| Failure::file("write", path, &error))?;
        }
        Ok(elsewhere(project, &self.name, &path))
    }
}

/// A shipped board, whole, with other guests than its own.
pub(super) fn with_guests(project: &Project, base: &str, name: &str, guests: &str) -> Result<BoardFile, Failure> {
    let text = guests::replaced(project, base, guests)?;
    let text = text.replace(&format!("name = \"{base}\""), &format!("name = \"{name}\""));
    let folder = folder(project)?;
    let path = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(elsewhere(project, name, &path))
}

/// A shipped board with the built-in guest alone; one that runs no guests as it is.
pub(super) fn with_payload(project: &Project, base: &str) -> Result<BoardFile, Failure> {
    let shipped = boards::resolve_one(project, project.root(), base)?;
    match Planned::new(&shipped, Profile::Release)?.plan.domains.is_empty() {
        true => Ok(shipped),
        false => with_guests(project, base, &format!("{base}-payload"), PAYLOAD),
    }
}

/// Where variants are written.
fn folder(project: &Project) -> Result<PathBuf, Failure> {
    let folder = project.target().join("variants");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    Ok(folder)
}

fn elsewhere(project: &Project, name: &str, path: &Path) -> BoardFile {
    let path = path.strip_prefix(project.root()).unwrap_or(path).to_path_buf();
    BoardFile { name: name.to_owned(), path, place: Place::Elsewhere }
}

/// Cores 0 to `count`.
pub(super) fn cores(count: u32) -> String {
    (0..count).map(|core| format!("[[cpu.core]]\nmpidr = {core:#x}\n\n")).collect()
}

/// Boards that nobody has seen: other RAM, other CPU counts, other places.
pub(super) fn unseen(long: bool) -> Vec<Variant> {
    let bank = |size: &str| format!("[[memory.bank]]\nbase = 0x4000_0000\nsize = \"{size}\"\n\n");
    let mut list = vec![
        Variant::new("unseen-3cpu", "3 CPUs, 768 MiB", &(cores(3) + &bank("768 MiB"))),
        Variant::new("unseen-load", "loaded at 0x4600_0000, 2 CPUs", &(cores(2) + "[boot]\nload = 0x4600_0000\n")),
    ];
    if long {
        list.push(Variant::new("unseen-1cpu", "1 CPU, 512 MiB", &(cores(1) + &bank("512 MiB"))));
        list.push(Variant::new("unseen-8cpu", "8 CPUs, 2 GiB", &(cores(8) + &bank("2 GiB"))));
    }
    list
}

/// Boards that leave it to firmware how much RAM there is, up to 4 GiB, and machines that have less.
pub(super) fn ram_of_firmware() -> Vec<(Variant, [&'static str; 2])> {
    let text = "[memory]\nbanks-from = \"firmware-dtb\"\n\n[[memory.bank]]\nbase = 0x4000_0000\nsize = \"4 GiB\"\n";
    let arm = |what| Variant::new("ram-of-firmware", what, text);
    vec![
        (arm("512 MiB, the device tree says"), ["-m", "512M"]),
        (arm("3 GiB, the device tree says"), ["-m", "3G"]),
        (arm("6 GiB of which 4 are planned for"), ["-m", "6G"]),
    ]
}

/// Machines that have less than their board file says.
pub(super) fn mismatches() -> Vec<Mismatch> {
    let less = |name, what, key, arguments: [&str; 2]| Mismatch {
        variant: Variant::new(name, what, ""),
        arguments: arguments.map(str::to_owned).to_vec(),
        key,
    };
    vec![
        less("mismatch-cpus", "2 CPUs where the file lists 4", "cpu.core", ["-smp", "2"]),
        less("mismatch-ram", "512 MiB where the file lists 1 GiB", "memory.bank", ["-m", "512M"]),
        Mismatch {
            variant: Variant::new(
                "ram-below-a-domain",
                "512 MiB of which firmware knows, and a domain above",
                "[memory]\nbanks-from = \"firmware-dtb\"\n\n[[domain]]\nname = \"payload\"\n\
                 memory = { base = 0x4000_0000, size = \"16 MiB\", at = 0x6000_0000 }\n",
            ),
            arguments: ["-m", "512M"].map(str::to_owned).to_vec(),
            key: "payload (",
        },
    ]
}

/// The q35 board from a GRUB disc.
pub(super) fn grub(builder: Builder<'_>) -> Result<Outcome, Failure> {
    for tool in [GRUB, XORRISO, MTOOLS] {
        packages::ensure(builder.host, tool)?;
    }
    if !Path::new(GRUB_BIOS_FOLDER).is_dir() {
        packages::install(builder.host, &[GRUB_BIOS_PACKAGE], "GRUB's BIOS modules for the multiboot2 boot test")?;
    }
    let board = boards::resolve_one(builder.project, builder.project.root(), "qemu-x86_64")?;
    let built = builder.build(&board, Profile::Release)?;
    let disc = built.folder.join("disc");
    let grub = disc.join("boot/grub");
    std::fs::create_dir_all(&grub).map_err(|error| Failure::file("create", &grub, &error))?;
    for (from, to) in [(names::ELF, disc.join("boot").join(names::ELF)), ("grub.cfg", grub.join("grub.cfg"))] {
        let from = built.folder.join(from);
        std::fs::copy(&from, &to).map_err(|error| Failure::file("copy", &from, &error))?;
    }
    let iso = built.folder.join("disc.iso");
    let mut command = process::command("grub-mkrescue");
    command.args(["-d", GRUB_BIOS_FOLDER, "-o"]).arg(&iso).arg(&disc);
    let output = process::output(&mut command)?;
    if !output.status.success() {
        return Err(Failure::Environment(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let mut run = without_kernel(&emulator::command(builder.host, &built, &[])?);
    emulator::run(run.arg("-cdrom").arg(&iso), LIMIT, Show::Quiet)
}

/// The same machine, started from its disc.
fn without_kernel(command: &Command) -> Command {
    let mut plain = process::command(command.get_program());
    let mut arguments = command.get_args();
    while let Some(argument) = arguments.next() {
        if argument == "-kernel" {
            arguments.next();
        } else {
            plain.arg(argument);
        }
    }
    plain
}
