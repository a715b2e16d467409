//! Images of guests: where each kernel and each initial RAM disk comes from.
//!
//! Loaded before anything is compiled, so that what is missing is said at once. Never decides where one lies: the plan
//! reserves places and sizes, whatever the files turn out to be.

mod debian;
mod image;
mod initramfs;
mod replaced;

use std::path::Path;

use clap::ValueEnum;
use codegen::model::{InitrdSource, Kernel};
use codegen::plan::{Blob, BlobKind, Plan};

use crate::failure::Failure;
use crate::host::Host;
use crate::planned::Planned;
use crate::project::Project;
use debian::Debian;

pub use replaced::{PAYLOAD, replaced, tables};

/// Which guests are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Guest {
    /// Those that the board file names.
    Described,
    /// The built-in one, for every domain.
    Payload,
}

/// What is packed as one blob.
#[derive(Debug)]
pub enum Image {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The built-in guest, still to be compiled.
    Payload,
    /// The device tree, made when the others are known.
    DeviceTree,
}

/// Everything that can be had without a compiler, blob by blob, checked against the room that the plan reserves.
pub fn images(project: &Project, host: &Host, planned: &Planned, guest: Guest) -> Result<Vec<Image>, Failure> {
    let plan = &planned.plan;
    let debian = Debian::new(project, host);
    plan.blobs.iter().map(|blob| image(&debian, planned, blob, guest)).collect()
}

fn image(debian: &Debian<'_>, planned: &Planned, blob: &Blob, guest: Guest) -> Result<Image, Failure> {
    let plan = &planned.plan;
    let domain = &plan.board.domains[blob.domain];
    let bytes = match (blob.kind, guest) {
        (BlobKind::DeviceTree, Guest::Described | Guest::Payload) => return Ok(Image::DeviceTree),
        (BlobKind::Kernel, Guest::Payload) => return Ok(Image::Payload),
        (BlobKind::Initrd, Guest::Payload) => initramfs::empty()?,
        (BlobKind::Kernel, Guest::Described) => match &domain.kernel.value {
            Kernel::Payload => return Ok(Image::Payload),
            Kernel::DebianCloud => debian.kernel().map_err(|failure| did_not_run(plan, blob, failure))?,
            Kernel::File(path) => file(planned, blob, path)?,
        },
        (BlobKind::Initrd, Guest::Described) => match domain.initrd.as_ref().map(|initrd| &initrd.source.value) {
            Some(InitrdSource::Busybox) => {
                initramfs::around(&debian.busybox().map_err(|failure| did_not_run(plan, blob, failure))?)?
            }
            Some(InitrdSource::File(path)) => file(planned, blob, path)?,
            None => return Err(Failure::Generate(format!("{} has a place and no source", blob.name))),
        },
    };
    image::check(blob, &bytes).map_err(|what| refused(planned, blob, &what))?;
    Ok(Image::Bytes(bytes))
}

/// A file named by the board file, relative to it.
fn file(planned: &Planned, blob: &Blob, path: &str) -> Result<Vec<u8>, Failure> {
    let path = planned.folder().join(path);
    std::fs::read(&path).map_err(|error| refused(planned, blob, &format!("cannot read {}: {error}", path.display())))
}

/// A finding about an image, at the line that asks for it.
fn refused(planned: &Planned, blob: &Blob, what: &str) -> Failure {
    let place = codegen::map::place(&planned.plan, blob.from);
    Failure::Config(format!("error: {}: {what}\n  --> {place}", blob.name))
}

/// What could not be fetched, and last of all what did not run for it.
fn did_not_run(plan: &Plan, blob: &Blob, failure: Failure) -> Failure {
    let (domain, board) = (&plan.domains[blob.domain].name, &plan.board.name);
    Failure::Environment(format!(
        "{}\n  = help: domain {domain} of {board} did not run: go online once, or pass `--guest payload`",
        failure.text()
    ))
}

/// What is kept of Debian's, a line each: the file, its package, version and sum.
pub fn debian(project: &Project, host: &Host) -> Result<Vec<String>, Failure> {
    Debian::new(project, host).described()
}

/// The place of something below the build folder where guests are kept.
fn cache(project: &Project) -> std::path::PathBuf {
    project.target().join("guests")
}

/// Writes a file whose folder exists.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::file("write", path, &error))
}
