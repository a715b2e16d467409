//! Where everything lies, for people and programs: both address spaces with owners, permissions and gaps.
//!
//! Shows a plan and adds nothing to it.

pub mod address;
pub mod diff;
mod picture;
pub mod rows;
mod text;

#[cfg(test)]
mod tests;

use paging::{PhysAddr, VirtAddr};
use serde::Serialize;

use crate::model::{Arch, DirectmapPolicy, Origin};
use crate::plan::{Access, Flavour, Plan, RootKind};

pub use picture::{html, svg};
pub use text::text;

use text::size;

/// Everything a memory map says, as text.
#[derive(Clone, Debug, Serialize)]
pub struct MemoryMap {
    /// Board name.
    pub board: String,
    /// `platform.model`.
    pub model: String,
    /// Which image.
    pub flavour: Flavour,
    /// Load address.
    pub load: String,
    /// Where the load address was written.
    pub load_from: String,
    /// Size of the footprint.
    pub footprint: String,
    /// `directmap.policy`.
    pub policy: &'static str,
    /// Physical ranges and free RAM.
    pub physical: Vec<Range>,
    /// Virtual ranges and what lies between them.
    pub regions: Vec<Range>,
    /// What only the turn-on root maps.
    pub turn_on: Vec<Range>,
    /// Sections of the image.
    pub sections: Vec<Section>,
    /// Static tables.
    pub tables: Vec<Table>,
    /// Sum of the extents.
    pub extents: String,
    /// What the image window has left.
    pub slack: String,
    /// Domains and their files; empty on a board without domains.
    pub domain_tables: Vec<DomainTables>,
    /// Devices that can reach all memory; one list, or none on a board without them.
    pub hole_lists: Vec<Vec<Hole>>,
}

/// One device that can reach all memory.
#[derive(Clone, Debug, Serialize)]
pub struct Hole {
    /// Name.
    pub device: String,
    /// The domain that has it, or `none`.
    pub owner: String,
    /// File and line.
    pub from: String,
}

/// One row of an address space.
#[derive(Clone, Debug, Serialize)]
pub struct Range {
    /// First byte.
    pub base: String,
    /// First byte behind it.
    pub end: String,
    /// Length.
    pub size: String,
    /// `r-x`, `r--`, `rw-`, `guard`, `window`, `free`.
    pub access: &'static str,
    /// Owner.
    pub name: String,
    /// Virtual: the physical range behind it.
    pub shows: String,
    /// File and line.
    pub from: String,
}

/// One section of the image.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// Name.
    pub name: &'static str,
    /// Virtual address.
    pub link: String,
    /// Physical address.
    pub load: String,
    /// Extent.
    pub size: String,
    /// Permissions.
    pub access: &'static str,
    /// File and line.
    pub from: String,
}

/// One static table.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// Its number.
    pub number: usize,
    /// Its address.
    pub frame: String,
    /// Its level.
    pub level: String,
    /// Valid entries.
    pub entries: usize,
    /// What it is for.
    pub name: String,
}

/// All domains and all their files.
#[derive(Clone, Debug, Serialize)]
pub struct DomainTables {
    /// One row a domain.
    pub domains: Vec<Domain>,
    /// One row a file.
    pub blobs: Vec<Blob>,
}

/// One domain.
#[derive(Clone, Debug, Serialize)]
pub struct Domain {
    /// Name.
    pub name: String,
    /// Where the guest sees its memory.
    pub ipa: String,
    /// Where it lies.
    pub memory: String,
    /// Length.
    pub size: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Its stage-2 tables.
    pub tables: String,
}

/// One file that the loader places.
#[derive(Clone, Debug, Serialize)]
pub struct Blob {
    /// Name.
    pub name: String,
    /// Where the guest sees it.
    pub ipa: String,
    /// Where it lies.
    pub base: String,
    /// Bytes reserved.
    pub size: String,
    /// File and line.
    pub from: String,
}

/// Builds the map of a plan.
pub fn memory_map(plan: &Plan) -> MemoryMap {
    let extents: u64 = plan.sections.iter().map(|section| section.bytes).sum();
    MemoryMap {
        board: plan.board.name.clone(),
        model: plan.board.model.clone(),
        flavour: plan.flavour,
        load: plan.load.to_string(),
        load_from: place(plan, plan.load_from),
        footprint: size(plan.footprint.bytes()),
        policy: match plan.board.directmap.value {
            DirectmapPolicy::Full => "full",
            DirectmapPolicy::OnDemand => "on-demand",
            DirectmapPolicy::None => "none",
        },
        physical: physical(plan),
        regions: regions(plan),
        turn_on: turn_on(plan),
        sections: sections(plan),
        tables: tables(plan),
        extents: size(extents),
        slack: size(paging::Level::L2.entry_bytes().saturating_sub(extents)),
        domain_tables: domain_tables(plan),
        hole_lists: if plan.holes.is_empty() { Vec::new() } else { vec![holes(plan)] },
    }
}

/// Devices that can reach all memory.
pub fn holes(plan: &Plan) -> Vec<Hole> {
    let hole = |hole: &crate::plan::Hole| Hole {
        device: hole.device.clone(),
        owner: hole.domain.clone().unwrap_or_else(|| "none".into()),
        from: place(plan, hole.from),
    };
    plan.holes.iter().map(hole).collect()
}

impl std::fmt::Display for Hole {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { device, owner, from } = self;
        write!(out, "hole: device {device} can reach all memory, owner {owner} ({from})")
    }
}

/// The map as JSON, without a line feed behind it.
pub fn json(plan: &Plan) -> String {
    let map = serde_json::to_string_pretty(&memory_map(plan));
    map.expect("a map is strings and numbers")
}

/// An origin as editors open it.
pub fn place(plan: &Plan, from: Origin) -> String {
    let board = &plan.board;
    match from {
        Origin::Line(line) => format!("{}:{line}", board.file),
        Origin::BaseLine(line) => format!("{}:{line}", board.base_file.as_deref().unwrap_or(&board.file)),
        Origin::Default => "planned".into(),
    }
}

fn letters(access: Access) -> &'static str {
    match access {
        Access::Execute => "r-x",
        Access::Read => "r--",
        Access::ReadWrite => "rw-",
        Access::Device => "rw- device",
        Access::Guard => "guard",
        Access::Window => "window",
    }
}

/// Owners and the free parts of each bank, sorted.
fn physical(plan: &Plan) -> Vec<Range> {
    let mut rows: Vec<(u64, Range)> = Vec::new();
    let mut push = |base: u64, bytes: u64, access, name: &str, from| {
        let row = Range {
            base: PhysAddr::new(base).to_string(),
            end: PhysAddr::new(base + bytes).to_string(),
            size: size(bytes),
            access,
            name: name.into(),
            shows: String::new(),
            from: place(plan, from),
        };
        rows.push((base, row));
    };
    for region in &plan.physical {
        push(region.base.get(), region.bytes, "", &region.name, region.from);
    }
    for bank in &plan.board.memory.banks {
        let (mut at, end) = (bank.frames.first.address().get(), bank.frames.end().address().get());
        for region in plan.physical.iter().filter(|region| region.base.get() < end) {
            if region.base.get() > at {
                push(at, region.base.get() - at, "free", "free RAM", bank.from);
            }
            at = at.max(region.base.get() + region.bytes);
        }
        if at < end {
            push(at, end - at, "free", "free RAM", bank.from);
        }
    }
    rows.sort_by_key(|(base, _)| *base);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Regions and what lies between them.
fn regions(plan: &Plan) -> Vec<Range> {
    let mut rows = Vec::new();
    let mut at = 0;
    for region in &plan.regions {
        let base = region.base.get();
        rows.extend(gaps(plan.board.arch, at, base).into_iter().map(|(from, to)| Range {
            base: VirtAddr::new(from).to_string(),
            end: VirtAddr::new(to).to_string(),
            size: size(to - from),
            access: "free",
            name: "nothing".into(),
            shows: String::new(),
            from: String::new(),
        }));
        at = base + region.bytes;
        rows.push(Range {
            base: region.base.to_string(),
            end: VirtAddr::new(at).to_string(),
            size: size(region.bytes),
            access: letters(region.access),
            name: region.name.clone(),
            shows: shows(plan, region.base),
            from: place(plan, region.from),
        });
    }
    rows
}

/// What lies between two regions, without the addresses that x86-64 does not have (Intel SDM vol. 1, "Canonical Addressing").
fn gaps(arch: Arch, from: u64, to: u64) -> Vec<(u64, u64)> {
    const LOW_END: u64 = 1 << 47;
    let gaps = match arch {
        Arch::X86_64 if from < LOW_END && to > LOW_END => vec![(from, LOW_END), (LOW_END.wrapping_neg(), to)],
        Arch::Aarch64 | Arch::X86_64 => vec![(from, to)],
    };
    gaps.into_iter().filter(|(from, to)| from < to).collect()
}

/// The frames that the boot CPU's root maps at an address.
fn shows(plan: &Plan, at: VirtAddr) -> String {
    let found = plan.mappings.iter().find(|mapping| mapping.root == RootKind::BootCpu && mapping.at == at);
    found.map_or(String::new(), |mapping| {
        format!("{}..{}", mapping.frames.first.address(), mapping.frames.end().address())
    })
}

fn turn_on(plan: &Plan) -> Vec<Range> {
    let own = plan.mappings.iter().filter(|mapping| mapping.root == RootKind::TurnOn);
    own.map(|mapping| {
        let bytes = mapping.frames.bytes();
        Range {
            base: mapping.at.to_string(),
            end: VirtAddr::new(mapping.at.get() + bytes).to_string(),
            size: size(bytes),
            access: letters(Access::Execute),
            name: mapping.region.clone(),
            shows: format!("{}..{}", mapping.frames.first.address(), mapping.frames.end().address()),
            from: String::new(),
        }
    })
    .collect()
}

fn sections(plan: &Plan) -> Vec<Section> {
    let row = |section: &crate::plan::PlannedSection| Section {
        name: section.name,
        link: section.link.to_string(),
        load: section.base.to_string(),
        size: size(section.bytes),
        access: letters(section.access),
        from: place(plan, section.from),
    };
    plan.sections.iter().map(row).collect()
}

fn tables(plan: &Plan) -> Vec<Table> {
    let row = |(number, table): (usize, &crate::plan::PlannedTable)| Table {
        number,
        frame: table.frame.address().to_string(),
        level: format!("{:?}", table.level),
        entries: table.entries.len(),
        name: table.name.clone(),
    };
    plan.tables.iter().enumerate().map(row).collect()
}

fn domain_tables(plan: &Plan) -> Vec<DomainTables> {
    if plan.domains.is_empty() {
        return Vec::new();
    }
    let domains = plan.domains.iter().map(|domain| Domain {
        name: domain.name.clone(),
        ipa: domain.ipa.to_string(),
        memory: domain.memory.first.address().to_string(),
        size: size(domain.memory.bytes()),
        vcpus: domain.vcpus,
        tables: format!("{} bits, at most {} tables", domain.ipa_bits, domain.tables_limit_frames),
    });
    let blobs = plan.blobs.iter().map(|blob| Blob {
        name: blob.name.clone(),
        ipa: blob.ipa.to_string(),
        base: blob.base.to_string(),
        size: size(blob.max_bytes),
        from: place(plan, blob.from),
    });
    vec![DomainTables { domains: domains.collect(), blobs: blobs.collect() }]
}
