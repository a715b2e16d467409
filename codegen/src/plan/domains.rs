//! Domains: how many bits their stage 2 translates and how many tables it may take, where their memory and files lie.
//!
//! An image is packed where its guest runs it, or in the store of a guest that may start anew.
//! Never places two domains' memory in one range, nor any of it where the hypervisor is.

use paging::{Frame, FrameRange, Ipa, Level, PAGE_BYTES, PhysAddr, Stage2};

use super::domain_area::{POOL_CHUNKS, POOL_FRAMES};
use super::guest::{self, GuestMap};
use super::images;
use super::interval::Owner;
use super::parts::{Blob, BlobKind, Hole, PlannedDomain};
use super::physical::{Physical, span};
use super::refusal::Refusal;
use crate::codes;
use crate::diagnostic::human_bytes;
use crate::model::{Arch, Board, Device, Dma, Domain, Placement, Sourced};

/// Where a kernel starts in its domain's memory: Linux Documentation/arch/arm64/booting asks for a 2 MiB
/// aligned base with `text_offset` 0; the block below stays free for what a loader puts there.
const KERNEL_OFFSET_BYTES: u64 = 2 << 20;

/// The device tree's place at the end of a domain's memory.
pub(crate) const DEVICE_TREE_BYTES: u64 = 64 << 10;

/// What stage-2 leaves map, and so the alignment of a domain's memory.
const BLOCK_BYTES: u64 = Level::L2.entry_bytes();

/// Tables that a domain may have beside those of its memory and its devices: for pages that are mapped singly.
const TABLES_BESIDE: u64 = 8;

/// How a domain's stage 2 is shaped.
#[derive(Clone, Copy)]
struct Stage2Shape {
    ipa_bits: u8,
    root: Level,
}

impl Stage2Shape {
    /// What one level-1 root translates, or what the machine has, or what the memory needs.
    fn of(board: &Board, domain: &Domain) -> Stage2Shape {
        let last = domain.ipa.get().saturating_add(domain.memory_bytes.saturating_sub(1));
        // Devices passed through appear at their own addresses.
        let devices = domain.devices.iter().flat_map(|index| &board.devices[*index].mmio);
        let top = devices.map(|mmio| mmio.base.get() + (mmio.bytes - 1)).fold(last, u64::max);
        let needed = (u64::BITS - top.leading_zeros()) as u8;
        // Nested paging walks from the same level as the host (AMD APM volume 2, "Nested Paging").
        let (ipa_bits, root) = match board.arch {
            Arch::X86_64 => (48, Level::L0),
            Arch::Aarch64 => {
                let bits = board.memory.pa_bits.value.clamp(31, 39).max(needed);
                (bits, Stage2::start_level(bits))
            }
        };
        Stage2Shape { ipa_bits, root }
    }

    /// Tables below the root on the way to each entry at `leaf` of a range.
    fn tables(self, ipa: u64, bytes: u64, leaf: Level) -> u64 {
        let last = ipa.saturating_add(bytes.saturating_sub(1));
        let above = Level::ALL.into_iter().filter(|level| *level >= self.root && *level < leaf);
        above.map(|level| last / level.entry_bytes() - ipa / level.entry_bytes() + 1).sum()
    }

    /// Frames of tables that a domain may have: as many as it takes to map all of it by pages, or what a pool holds; whole
    /// chunks of the pool. `None` where not even its memory, by the largest leaves, fits a pool.
    fn limit_frames(self, board: &Board, domain: &Domain) -> Option<u64> {
        let (ipa, bytes) = (domain.ipa.get(), domain.memory_bytes);
        if 1 + self.tables(ipa, bytes, Level::L2) > POOL_FRAMES {
            return None;
        }
        let devices = domain.devices.iter().flat_map(|index| &board.devices[*index].mmio);
        let devices: u64 = devices.map(|mmio| self.tables(mmio.base.get(), mmio.bytes, Level::L3)).sum();
        let all = 1 + self.tables(ipa, bytes, Level::L3) + devices + TABLES_BESIDE;
        let chunk = all.div_ceil(POOL_CHUNKS).next_power_of_two();
        Some(all.next_multiple_of(chunk).min(POOL_FRAMES))
    }
}

/// The devices that are trusted with all memory.
pub(super) fn holes(board: &Board) -> Vec<Hole> {
    let trusted = board.devices.iter().enumerate().filter(|(_, device)| device.dma.value == Dma::Trusted);
    let hole = |(index, device): (usize, &Device)| {
        let owner = board.domains.iter().find(|domain| domain.devices.contains(&index));
        Hole { device: device.name.clone(), domain: owner.map(|domain| domain.name.clone()), from: device.dma.from }
    };
    trusted.map(hole).collect()
}

/// Frames of tables that each domain may have.
pub(super) fn table_limits(board: &Board, refusals: &mut Vec<Refusal>) -> Vec<u64> {
    let limit = |domain: &Domain| {
        Stage2Shape::of(board, domain).limit_frames(board, domain).unwrap_or_else(|| {
            let message = format!(
                "the tables of the {} of domain {} are more than the {POOL_FRAMES} that one domain may have",
                human_bytes(domain.memory_bytes),
                domain.name
            );
            let refusal = Refusal::new(&codes::E0608, message, domain.memory_from, "memory");
            refusals.push(refusal.help("give it at most 1 TiB"));
            POOL_FRAMES
        })
    };
    board.domains.iter().map(limit).collect()
}

/// What each domain sees besides its memory.
pub(super) fn guests(board: &Board, refusals: &mut Vec<Refusal>) -> Vec<GuestMap> {
    let place = |domain: &Domain| match guest::place(board, domain, Stage2Shape::of(board, domain).ipa_bits) {
        Ok(map) => Some(map),
        Err(refusal) => {
            refusals.push(refusal);
            None
        }
    };
    board.domains.iter().filter_map(place).collect()
}

/// Claims the memory of the domains whose place is given.
pub(super) fn place_given(
    board: &Board,
    physical: &mut Physical<'_>,
    refusals: &mut Vec<Refusal>,
) -> Vec<Option<PhysAddr>> {
    let place = |domain: &Domain| match domain.memory_at {
        Placement::Auto(_) => None,
        Placement::At(base, from) => {
            let range = span(base, domain.memory_bytes);
            let name = format!("memory of domain {}", domain.name);
            if !physical.is_ram(&range) {
                let refusal = physical.outside(&codes::E0601, &name, &range, from, "memory");
                refusals.push(refusal.help(free_place(domain, physical)));
                return None;
            }
            match physical.claim(range, Owner::new(name, from), &codes::E0602) {
                Ok(()) => Some(base),
                Err(refusal) => {
                    refusals.push(refusal.help(free_place(domain, physical)));
                    None
                }
            }
        }
    };
    board.domains.iter().map(place).collect()
}

/// Claims the lowest holes for the others.
pub(super) fn place_auto(
    board: &Board,
    given: Vec<Option<PhysAddr>>,
    physical: &mut Physical<'_>,
    refusals: &mut Vec<Refusal>,
) -> Vec<PhysAddr> {
    let mut places = Vec::new();
    for (domain, given) in board.domains.iter().zip(given) {
        let from = match domain.memory_at {
            Placement::At(..) => {
                places.extend(given);
                continue;
            }
            Placement::Auto(_) => domain.memory_from,
        };
        match hole(domain, physical) {
            Some(base) => {
                let owner = Owner::new(format!("memory of domain {}", domain.name), from);
                let range = span(base, domain.memory_bytes);
                physical.claim(range, owner, &codes::E0602).expect("a hole is free");
                places.push(base);
            }
            None => refusals.push(no_hole(domain, physical)),
        }
    }
    places
}

fn hole(domain: &Domain, physical: &Physical<'_>) -> Option<PhysAddr> {
    let end = PhysAddr::new(u64::MAX);
    physical.lowest_hole(physical.floor(), end, BLOCK_BYTES, |_| domain.memory_bytes)
}

/// Domains and their blobs, once each has its memory and its tables.
pub(super) fn assemble(
    board: &Board,
    places: &[PhysAddr],
    stores: &[Option<PhysAddr>],
    limits: &[u64],
    guests: Vec<GuestMap>,
) -> (Vec<PlannedDomain>, Vec<Blob>) {
    let mut blobs = Vec::new();
    let mut domains = Vec::new();
    let rows = board.domains.iter().zip(places).zip(stores).zip(limits).zip(guests);
    for (number, ((((domain, base), store), limit), map)) in rows.enumerate() {
        let mut stored = *store;
        let mut blob = |suffix: &str, offset: u64, max_bytes, kind, from| {
            blobs.push(Blob {
                name: format!("{}.{suffix}", domain.name),
                base: stored.unwrap_or_else(|| PhysAddr::new(base.get() + offset)),
                ipa: Ipa::new(domain.ipa.get() + offset),
                max_bytes,
                domain: number,
                kind,
                from,
            });
            stored = stored.map(|at| PhysAddr::new(at.get() + images::room(max_bytes)));
            blobs.len() - 1
        };
        let tree_offset = domain.memory_bytes - DEVICE_TREE_BYTES;
        let max = &domain.kernel_max;
        let kernel = blob("kernel", KERNEL_OFFSET_BYTES, max.value, BlobKind::Kernel, max.from);
        let initrd = domain.initrd.as_ref().map(|initrd| {
            let Sourced { value: max, from } = initrd.max;
            blob("initrd", tree_offset - max.next_multiple_of(PAGE_BYTES), max, BlobKind::Initrd, from)
        });
        let device_tree = blob("device-tree", tree_offset, DEVICE_TREE_BYTES, BlobKind::DeviceTree, domain.from);
        domains.push(PlannedDomain {
            name: domain.name.clone(),
            vmid: u16::try_from(number + 1).expect("domains are fewer than VMIDs"),
            vcpus: domain.vcpus.value,
            pins: domain.pins.clone(),
            ipa: domain.ipa,
            memory: FrameRange::new(Frame::containing(*base), domain.memory_bytes / PAGE_BYTES),
            ipa_bits: Stage2Shape::of(board, domain).ipa_bits,
            tables_limit_frames: *limit,
            kernel,
            initrd,
            device_tree,
            console: domain.console.value,
            on_reboot: domain.on_reboot.value,
            map,
            from: domain.from,
        });
    }
    (domains, blobs)
}

fn free_place(domain: &Domain, physical: &Physical<'_>) -> String {
    match hole(domain, physical) {
        Some(base) => format!("place it at {base}, or leave the place to the planner"),
        None => match physical.largest_hole(BLOCK_BYTES) {
            Some(gap) => format!(
                "no hole is large enough: {} are free at {}",
                human_bytes(gap.end.get() - gap.start.get()),
                gap.start
            ),
            None => "no RAM is free".into(),
        },
    }
}

fn no_hole(domain: &Domain, physical: &Physical<'_>) -> Refusal {
    let message = format!(
        "no free 2 MiB aligned range of RAM holds the {} of domain {}",
        human_bytes(domain.memory_bytes),
        domain.name
    );
    let help = match physical.largest_hole(BLOCK_BYTES) {
        Some(gap) => {
            let bytes = (gap.end.get() - gap.start.get()) / BLOCK_BYTES * BLOCK_BYTES;
            format!("give it at most {}: the largest hole starts at {}", human_bytes(bytes), gap.start)
        }
        None => "free some RAM".into(),
    };
    Refusal::new(&codes::E0603, message, domain.memory_from, "memory").help(help)
}
