//! The boards that are measured, made from shipped ones with the built-in guest alone: TOML only.
//!
//! Eight CPUs, so that the image can measure with fewer of them running, and a map cache that retains, so that both
//! retentions are in one image: a context of no domain is strict in any.

use std::path::Path;

use crate::boards::{BoardFile, Place};
use crate::failure::Failure;
use crate::guests::{self, PAYLOAD};
use crate::project::Project;

/// The shipped boards that they are made of, one of each architecture.
pub const BASES: [&str; 2] = ["qemu-arm64", "qemu-x86_64"];
/// Directmap policies as files spell them.
pub const POLICIES: [&str; 3] = ["none", "on-demand", "full"];

/// CPUs of a board whose operations are measured.
const MEASURED_CPUS: u32 = 8;
/// CPUs of a board of which only its boot is looked at.
const SHIPPED_CPUS: u32 = 2;

/// The board whose operations are measured. Its image holds what it measures with, so it has larger extents.
pub(super) fn measured(project: &Project, base: &str, policy: &str) -> Result<BoardFile, Failure> {
    let own = "image = { text = \"192 KiB\", rodata = \"64 KiB\", data = \"64 KiB\" }\n\
               image-debug = { data = \"512 KiB\" }\n\
               mapcache = { slots-per-cpu = 64, retention = \"lazy\" }\n";
    write(project, base, policy, "measured", MEASURED_CPUS, own)
}

/// The board as it ships, but for its guests, its policy and two CPUs.
pub(super) fn shipped(project: &Project, base: &str, policy: &str) -> Result<BoardFile, Failure> {
    write(project, base, policy, "shipped", SHIPPED_CPUS, "")
}

fn write(
    project: &Project,
    base: &str,
    policy: &str,
    what: &str,
    cpus: u32,
    layout: &str,
) -> Result<BoardFile, Failure> {
    let text = guests::replaced(project, base, PAYLOAD)?;
    let id = if text.contains("mpidr") { "mpidr" } else { "apic-id" };
    let cores: String = (0..cpus).map(|core| format!("[[cpu.core]]\n{id} = {core:#x}\n\n")).collect();
    let name = format!("bench-{base}-{policy}-{what}");
    let own = format!(
        "schema = 1\nbase = \"{base}.toml\"\n\n[platform]\nname = \"{name}\"\n\n{cores}[layout]\n{layout}\n\
         [directmap]\npolicy = \"{policy}\"\nboot-option = false\n"
    );
    let folder = project.target().join("bench");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("create", &folder, &error))?;
    let path = folder.join(format!("{name}.toml"));
    for (path, text) in [(&folder.join(format!("{base}.toml")), &text), (&path, &own)] {
        std::fs::write(path, text).map_err(|error| Failure::file("write", path, &error))?;
    }
    let path = path.strip_prefix(project.root()).map_or(path.clone(), Path::to_path_buf);
    Ok(BoardFile { name, path, place: Place::Elsewhere })
}
