//! Where a device tree comes from: a file, QEMU, a folder copied from a running machine.
//!
//! Never looks into one; `codegen::import` does.

pub mod pc;

use std::path::Path;
use std::process::Command;

use codegen::import::{Answers, Banks, Conduit, EmulatedBy, Guest, Init, Method, Source};
use codegen::schema::Size;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use sha2::{Digest, Sha256};

use crate::cli::{self, Given};
use crate::failure::Failure;
use crate::host::Host;
use crate::packages::{self, QEMU_ARM};
use crate::process;

/// Deepest folder of a saved tree.
const DEPTH_MOST: usize = 64;

/// A tree and the name that says where it is from.
pub struct Origin {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// As a person would name it.
    pub shown: String,
}

impl Origin {
    /// SHA-256 in hexadecimal.
    pub fn sha256(&self) -> String {
        Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads a file.
pub fn file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

/// Asks QEMU for the tree of a machine; it starts nothing.
pub fn qemu(host: &Host, machine: &str, given: &Given, folder: &Path) -> Result<Origin, Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    let dump = folder.join("dump.dtb");
    let mut command: Command = process::command(packages::ensure(host, QEMU_ARM)?);
    command.args(["-display", "none", "-M", &format!("{machine},dumpdtb={}", dump.display())]);
    for (option, value) in [("-cpu", &given.cpu), ("-m", &given.ram)] {
        if let Some(value) = value {
            command.args([option, value]);
        }
    }
    if let Some(smp) = given.smp {
        command.args(["-smp", &smp.to_string()]);
    }
    let output = process::output(&mut command)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::Usage(format!("QEMU gives no tree of {machine}: {}", said.trim())));
    }
    let bytes = std::fs::read(&dump).map_err(|error| Failure::file("read", &dump, &error))?;
    Ok(Origin { bytes, shown: format!("QEMU, -M {machine}") })
}

/// Keys that a tree leaves open.
pub fn open_keys(origin: &Origin) -> Result<Vec<&'static str>, Failure> {
    let source = Source { name: "board".into(), file: origin.shown.clone(), sha256: origin.sha256() };
    let imported = codegen::import::import(&origin.bytes, &source, &Answers::default())
        .map_err(|error| Failure::Config(format!("error: {}: {error}", origin.shown)))?;
    Ok(imported.holes.iter().map(|hole| hole.key).collect())
}

/// Flattens a copy of /proc/device-tree: a folder a node, a file a property.
pub fn live(folder: &Path) -> Result<Origin, Failure> {
    let mut tree = DeviceTree::new();
    tree.root = node("", folder, 0)?;
    Ok(Origin { bytes: tree.to_dtb(), shown: folder.display().to_string() })
}

fn node(name: &str, folder: &Path, depth: usize) -> Result<DeviceTreeNode, Failure> {
    let unreadable = |error: &std::io::Error| Failure::Usage(format!("cannot read {}: {error}", folder.display()));
    if depth > DEPTH_MOST {
        return Err(Failure::Usage(format!("{} is nested deeper than any device tree", folder.display())));
    }
    let mut entries: Vec<_> =
        folder.read_dir().map_err(|error| unreadable(&error))?.collect::<Result<_, _>>().map_err(|e| unreadable(&e))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut built = DeviceTreeNode::new_unchecked(name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            built.add_child(node(&name, &path, depth + 1)?);
        } else if name != "name" {
            // The kernel adds `name` to every node.
            let bytes = std::fs::read(&path).map_err(|error| unreadable(&error))?;
            built.add_property(DeviceTreeProperty::new_unchecked(name, bytes));
        }
    }
    Ok(built)
}

/// What the command line adds.
pub fn answers(given: &Given, qemu: Option<&str>) -> Result<Answers, Failure> {
    let memory_bytes = given.emulator_memory.as_deref().map(number).transpose()?;
    let emulator = qemu.or(given.emulator.as_deref()).map(|machine| EmulatedBy {
        machine: machine.to_owned(),
        cpu: given.cpu.clone(),
        memory_bytes,
        serial: given.serial,
        extra: given.emulator_arg.clone(),
    });
    let timer_intids = match given.timer_intids.as_slice() {
        [] => None,
        [secure, physical, virt, hyp] => Some([*secure, *physical, *virt, *hyp]),
        other => return Err(Failure::Usage(format!("--timer-intids takes four numbers, {} are given", other.len()))),
    };
    Ok(Answers {
        memory: given.memory.iter().map(|text| memory(text)).collect::<Result<_, _>>()?,
        banks: if given.banks_from_firmware { Banks::AtMost } else { Banks::All },
        console: given.console.clone(),
        console_init: if given.console_driver { Init::Driver } else { Init::Firmware },
        enable_method: given.enable_method.map(|method| match method {
            cli::EnableMethod::Psci => Method::Psci,
            cli::EnableMethod::SpinTable => Method::SpinTable,
            cli::EnableMethod::None => Method::None,
        }),
        conduit: given.conduit.map(|conduit| match conduit {
            cli::Conduit::Smc => Conduit::Smc,
            cli::Conduit::Hvc => Conduit::Hvc,
        }),
        release_addresses: given.release_address.iter().map(|text| number(text)).collect::<Result<_, _>>()?,
        gicr_stride: given.gicr_stride.as_deref().map(number).transpose()?,
        maintenance_intid: given.maintenance_intid,
        timer_intids,
        power_off: given.power_off.clone(),
        emulator,
        guest: if given.payload { Guest::Payload } else { Guest::None },
    })
}

fn number(text: &str) -> Result<u64, Failure> {
    let size = text.parse::<Size>();
    size.map(|size| size.0).map_err(|accepted| Failure::Usage(format!("{text:?} is not {accepted}")))
}

/// `BASE+SIZE`.
fn memory(text: &str) -> Result<(u64, u64), Failure> {
    let Some((base, size)) = text.split_once('+') else {
        return Err(Failure::Usage(format!("--memory {text:?} is not BASE+SIZE, such as 0x4000_0000+2GiB")));
    };
    let (base, size) = (number(base)?, number(size)?);
    match base.checked_add(size) {
        Some(_) if size > 0 => Ok((base, size)),
        Some(_) | None => Err(Failure::Usage(format!("--memory {text:?} is empty, or ends beyond 2^64"))),
    }
}
