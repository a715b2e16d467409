//! From a board file to a folder with everything a loader needs, verified.
//!
//! Check, generate, compile, link, verify, pack, in this order; a step that fails leaves the last good folder alone.

use std::path::{Path, PathBuf};

use codegen::model::Arch;
use codegen::plan::{Blob, Plan};
use codegen::render::GeneratedFile;

use crate::boards::BoardFile;
use crate::cli::Profile;
use crate::failure::Failure;
use crate::guests::{self, Guest, Image};
use crate::host::Host;
use crate::manifest::{self, Manifest};
use crate::planned::Planned;
use crate::project::Project;
use crate::toolchain::{self, Source, Target, Toolchain};
use crate::verify::{self, Report};
use crate::{boot_script, compile, flat, generate};

/// Names inside the folder that `build` leaves.
pub mod names {
    /// For debuggers, and what x86-64 loaders take.
    pub const ELF: &str = "tabula.elf";
    /// The arm64 `Image`.
    pub const FLAT: &str = "tabula.bin";
    /// The page that the hypervisor reads.
    pub const PAGE: &str = "manifest.bin";
    /// The same for people and scripts.
    pub const MANIFEST: &str = "manifest.json";
    /// Where everything lies.
    pub const MAP: &str = "map.txt";
    /// The generator's emulator arguments.
    pub const EMULATOR: &str = "emulator.args";
}

/// Who builds, with what.
#[derive(Debug, Clone, Copy)]
pub struct Builder<'a> {
    /// The project.
    pub project: &'a Project,
    /// The machine.
    pub host: &'a Host,
    /// `--toolchain`.
    pub toolchain: Option<Source>,
    /// `--guest`.
    pub guest: Guest,
}

/// What a build left.
#[derive(Debug)]
pub struct Built {
    /// The board and its plan.
    pub planned: Planned,
    /// The folder.
    pub folder: PathBuf,
    /// What is in it and where it goes.
    pub manifest: Manifest,
    /// What `verify` found.
    pub report: Report,
}

impl Built {
    /// The file that an emulator loads as its kernel.
    pub fn image(&self) -> PathBuf {
        self.folder.join(&self.manifest.image.file)
    }
}

impl Builder<'_> {
    /// Builds one board.
    pub fn build(&self, board: &BoardFile, profile: Profile) -> Result<Built, Failure> {
        self.build_planned(Planned::new(board, profile)?, profile)
    }

    /// Builds from a plan.
    pub fn build_planned(&self, planned: Planned, profile: Profile) -> Result<Built, Failure> {
        let images = guests::images(self.project, self.host, &planned, self.guest)?;
        let files = generate::files(&planned)?;
        let generated = generate::folder(self.project, &planned, profile);
        let changed = generate::write(&generated, &files)?;
        if changed > 0 && planned.is_ours() {
            eprintln!("xtask: {changed} generated files of {} were stale and are new now", planned.plan.board.name);
        }
        let arch = planned.plan.board.arch;
        let toolchain = toolchain::obtain(self.project, self.host, self.toolchain, Target::of(arch))?;
        let linked = compile::hypervisor(self.project, &toolchain, &planned, profile, &generated)?;
        let elf = std::fs::read(&linked).map_err(|error| Failure::file("read", &linked, &error))?;
        let report = verify::image(&planned.plan, &elf);
        if !report.is_good() {
            return Err(Failure::Mismatch(report.text()));
        }
        let folder = self.project.output(&planned.plan.board.name, profile.word());
        let parts = Parts { elf: &elf, images, files: &files };
        let manifest = self.pack(&planned.plan, profile, &toolchain, parts, &folder)?;
        Ok(Built { planned, folder, manifest, report })
    }

    fn pack(
        &self,
        plan: &Plan,
        profile: Profile,
        toolchain: &Toolchain,
        Parts { elf, images, files }: Parts<'_>,
        folder: &Path,
    ) -> Result<Manifest, Failure> {
        let load = plan.load.get();
        let mut out = Folder::new(folder)?;
        out.put(names::ELF, elf)?;
        let image = match plan.board.arch {
            Arch::Aarch64 => {
                let flat = flat::image(elf, load)?;
                out.put(names::FLAT, &flat)?;
                manifest::entry("image", names::FLAT, load, &flat)
            }
            Arch::X86_64 => manifest::entry("image", names::ELF, load, elf),
        };
        let mut blobs: Vec<manifest::Entry> = Vec::new();
        for (blob, image) in plan.blobs.iter().zip(images) {
            let data = self.blob(plan, (blob, image), &blobs, toolchain)?;
            manifest::check_size(plan, blob, &data)?;
            let file = format!("{}.bin", blob.name);
            out.put(&file, &data)?;
            blobs.push(manifest::entry(&blob.name, &file, blob.base.get(), &data));
        }
        let page = manifest::page(&blobs)?;
        out.put(names::PAGE, &page)?;
        let page = manifest::entry("manifest", names::PAGE, plan.manifest.address().get(), &page);
        let (board, profile) = (plan.board.name.clone(), profile.word().to_owned());
        let manifest = Manifest { board, profile, image, page, blobs };
        let json = serde_json::to_string_pretty(&manifest).map_err(|error| Failure::Generate(error.to_string()))?;
        out.put(names::MANIFEST, json.as_bytes())?;
        out.put(names::MAP, codegen::map::text(plan).as_bytes())?;
        let script = boot_script::of(plan.board.arch, &manifest);
        out.put(script.name, script.text.as_bytes())?;
        if let Some(file) = files.iter().find(|file| file.name == names::EMULATOR) {
            out.put(names::EMULATOR, file.text.as_bytes())?;
        }
        Ok(manifest)
    }

    /// The bytes of one blob; a device tree tells the length of the initial RAM disk, which is packed before it.
    fn blob(
        &self,
        plan: &Plan,
        (blob, image): (&Blob, Image),
        packed: &[manifest::Entry],
        toolchain: &Toolchain,
    ) -> Result<Vec<u8>, Failure> {
        match image {
            Image::Bytes(bytes) => Ok(bytes),
            Image::Payload => {
                let linked = compile::payload(self.project, toolchain, blob.ipa)?;
                let elf = std::fs::read(&linked).map_err(|error| Failure::file("read", &linked, &error))?;
                flat::image(&elf, blob.ipa.get())
            }
            Image::DeviceTree => {
                let initrd = plan.domains[blob.domain].initrd.map(|index| packed[index].bytes);
                Ok(codegen::guest_tree(plan, blob.domain, initrd))
            }
        }
    }
}

/// What a build folder is made of.
struct Parts<'a> {
    elf: &'a [u8],
    images: Vec<Image>,
    files: &'a [GeneratedFile],
}

/// A folder being filled; a file that is already right is left as it is.
struct Folder<'a> {
    path: &'a Path,
}

impl<'a> Folder<'a> {
    fn new(path: &'a Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(path).map_err(|error| Failure::file("create", path, &error))?;
        Ok(Self { path })
    }

    fn put(&mut self, name: &str, data: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(name);
        if std::fs::read(&path).is_ok_and(|old| old == data) {
            return Ok(());
        }
        std::fs::write(&path, data).map_err(|error| Failure::file("write", &path, &error))
    }
}
