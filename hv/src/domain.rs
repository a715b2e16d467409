//! Guests: made by the builder, loaded into the domain slot, run by all CPUs, and taken apart again.
//!
//! Holds no pointer into a guest, and nothing of a vCPU: that lies in its pages behind the domain slot.

use core::fmt;

use arrayvec::ArrayVec;
use paging::{Frame, FrameRange, Ipa, Level, PAGE_BYTES};

use crate::arch::this::{self, GuestFormat};
use crate::board::types::{Domain, GuestGic};
use crate::board::{BLOBS, DOMAIN_AREA, DOMAINS, GUEST_TABLES, IMAGE_CARE};
use crate::mm::domain_area::DomainId;
use crate::mm::frames::{Node, Owner};
use crate::mm::guest_tables::TablesPlan;
use crate::mm::mapcache::Ready;
use crate::say;

pub mod builder;
pub mod loaded;
pub mod manifest;
pub mod world;
pub mod guests;
pub mod events;
pub mod console_ring;
pub mod grants;
pub mod hypercall;
#[cfg(test)]
pub(crate) mod rig;
pub mod inbox;
pub mod output;
pub mod here;
pub mod psci;
pub mod run;
mod spaces;

pub use manifest::ManifestError;

use builder::{BuildError, DomainPlan, IMAGES, Image, Part};
use manifest::Manifest;
use spaces::Made;

/// Proof that every domain is ready.
#[derive(Debug)]
pub struct Domains(());

/// Why a domain of the plan is not ready.
#[derive(Debug)]
pub enum DomainError {
    /// The blobs in RAM are not the ones that were built.
    Manifest(ManifestError),
    /// It could not be made.
    Build(&'static Domain, BuildError<GuestFormat>),
}

/// How a domain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It switched itself off.
    PoweredOff,
    /// It asked to be restarted.
    Reset,
    /// It said that it cannot go on.
    Crashed,
    /// It did what it may not; the line before says what.
    Stopped,
    /// This architecture does not run guests.
    Unsupported,
}

/// Where a vCPU begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Whose it is.
    pub domain: &'static Domain,
    /// Its number in the domain.
    pub vcpu: u32,
    /// The root of the domain's tables.
    pub root: Frame,
    /// Its first instruction, and what it is told there.
    pub entry: psci::Entry,
}

/// Makes every domain of the plan; its images lie where the plan put them.
///
/// # Errors
/// Those before the one that is named stay.
pub fn build(_cache: &Ready) -> Result<Domains, DomainError> {
    if !DOMAINS.is_empty() {
        let manifest = manifest::read().map_err(DomainError::Manifest)?;
        for domain in &DOMAINS {
            make(domain, &manifest)?;
        }
    }
    Ok(Domains(()))
}

/// Makes a domain of the plan once more, after its end.
///
/// # Errors
/// There is none.
fn make_again(domain: &'static Domain) -> Result<(), DomainError> {
    make(domain, &manifest::read().map_err(DomainError::Manifest)?)
}

fn make(domain: &'static Domain, manifest: &Manifest) -> Result<(), DomainError> {
    let before = this::cpu::ticks();
    let memory = FrameRange::new(Frame::containing(domain.memory), domain.memory_bytes / PAGE_BYTES);
    let blobs = [Some(domain.kernel), domain.initrd, Some(domain.device_tree)];
    let image = |blob: usize| {
        let (planned, record) = (&BLOBS[blob], &manifest[blob]);
        Image { first: Frame::containing(planned.base), bytes: record.bytes, at: planned.ipa }
    };
    let images: ArrayVec<_, IMAGES> = blobs.into_iter().flatten().map(image).collect();
    let parts = parts(domain, memory);
    let plan = DomainPlan {
        id: id(domain),
        layout: DOMAIN_AREA,
        tables: TablesPlan {
            root_level: this::guest::root_level(domain),
            largest_leaf: Level::L1,
            retention: GUEST_TABLES,
            limit_frames: domain.tables_limit_frames,
        },
        vcpus: domain.vcpus,
        memory: &parts,
        images: &images,
        care: IMAGE_CARE,
    };
    let Made { placed, tables } = spaces::make(domain, &plan).map_err(|error| DomainError::Build(domain, error))?;
    if let Some((_, blob)) = placed
        .iter()
        .zip(blobs.into_iter().flatten())
        .find(|(placed, blob)| placed.sum.is_some_and(|sum| sum != manifest[*blob].sum))
    {
        return Err(DomainError::Manifest(ManifestError::Sum { blob: &BLOBS[blob] }));
    }
    here::start(domain);
    let images: u64 = images.iter().map(Image::pages).sum();
    let scrubbed_kib = ((memory.frames - images) * PAGE_BYTES) >> 10;
    let ticks = this::cpu::ticks() - before;
    let Domain { name, ipa, tables_limit_frames, .. } = domain;
    say!(
        "domain {name}: {ipa} is {memory}, {tables} of {tables_limit_frames} tables, scrubbed {scrubbed_kib} KiB, made in {ticks} ticks"
    );
    Ok(())
}

/// Parts of a domain's address space: its memory, the pages of its virtual CPU interface, its devices', its window's.
const PARTS: usize = 16;

fn parts(domain: &Domain, memory: FrameRange) -> ArrayVec<Part, PARTS> {
    let interface = match domain.map.gic {
        GuestGic::V2 { gicc, gicv, .. } => {
            let page = |number: u64| Ipa::new(gicc.base.get() + number * PAGE_BYTES);
            [0, 1].map(|number| Some((page(number as u64), FrameRange::new(gicv[number], 1))))
        }
        GuestGic::V3 { .. } | GuestGic::None => [None; 2],
    };
    let devices = domain.map.passed.iter().flat_map(|device| device.registers);
    let devices = devices.map(|frames| (Ipa::new(frames.first.address().get()), *frames));
    let registers = interface.into_iter().flatten().chain(devices).map(|(at, frames)| Part::Device { at, frames });
    let window = here::window(domain).into_iter().map(|(at, pages)| Part::Heap { at, pages });
    core::iter::once(Part::Planned { at: domain.ipa, frames: memory }).chain(registers).chain(window).collect()
}

fn id(domain: &Domain) -> DomainId {
    DomainId { vmid: domain.vmid, owner: Owner::domain(number(domain)), node: Node(0) }
}

/// A domain's place in the board file: VMIDs begin at 1.
fn number(domain: &Domain) -> usize {
    usize::from(domain.vmid) - 1
}

impl fmt::Display for DomainError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(error) => error.fmt(out),
            Self::Build(domain, error) => {
                write!(out, "domain {} ({}): {error}", domain.name, crate::board::Place(domain.from))
            }
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::PoweredOff => "powered off",
            Self::Reset => "asked for a reset; it stays off",
            Self::Crashed => "crashed, by its own account",
            Self::Stopped => "stopped",
            Self::Unsupported => "not started: guests do not run on this architecture",
        })
    }
}
