//! Ranges of both address spaces as numbers, in order, with what lies between them: what pictures and comparisons are
//! made of.
//!
//! Shows a plan and adds nothing to it.

use crate::diagnostic::Radix;
use crate::model::Arch;
use crate::plan::{Access, Plan};

use super::{gaps, letters, place};

/// What a range is, as far as colours tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// RAM that nobody owns.
    Free,
    /// Addresses that lead nowhere.
    Gap,
    /// The hypervisor's own memory.
    Hypervisor,
    /// Memory of a domain.
    Domain,
    /// Device registers.
    Device,
    /// Kept from everybody by the board file.
    Reserved,
    /// Mapped at run time only.
    Window,
    /// Never mapped.
    Guard,
}

impl Colour {
    /// The word in pictures' style sheets.
    pub const fn word(self) -> &'static str {
        match self {
            Colour::Free => "free",
            Colour::Gap => "gap",
            Colour::Hypervisor => "hypervisor",
            Colour::Domain => "domain",
            Colour::Device => "device",
            Colour::Reserved => "reserved",
            Colour::Window => "window",
            Colour::Guard => "guard",
        }
    }
}

/// One range.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// First byte.
    pub base: u64,
    /// Length.
    pub bytes: u64,
    /// Owner.
    pub name: String,
    /// What it is.
    pub colour: Colour,
    /// Permissions; empty where none apply.
    pub access: &'static str,
    /// File and line.
    pub from: String,
}

impl Row {
    /// The first byte behind it.
    pub const fn end(&self) -> u64 {
        self.base.wrapping_add(self.bytes)
    }

    /// Both ends and the length.
    pub fn shown(&self) -> String {
        let end = u128::from(self.base) + u128::from(self.bytes);
        let (base, end) = (Radix::Hex.show(self.base.into()), Radix::Hex.show(end));
        format!("[{base}..{end}) {}", super::size(self.bytes))
    }
}

/// Physical ranges: owners, and the free parts of each bank.
pub fn physical(plan: &Plan) -> Vec<Row> {
    let row = |base: u64, bytes: u64, name: &str, colour, from| Row {
        base,
        bytes,
        name: name.to_owned(),
        colour,
        access: "",
        from: place(plan, from),
    };
    let owners = plan.physical.iter();
    let mut rows: Vec<Row> = owners
        .map(|region| row(region.base.get(), region.bytes, &region.name, owner(plan, region), region.from))
        .collect();
    for bank in &plan.board.memory.banks {
        let (mut at, end) = (bank.frames.first.address().get(), bank.frames.end().address().get());
        for region in plan.physical.iter().filter(|region| region.base.get() < end) {
            let base = region.base.get();
            if base > at {
                rows.push(row(at, base - at, "free RAM", Colour::Free, bank.from));
            }
            at = at.max(base.saturating_add(region.bytes));
        }
        if at < end {
            rows.push(row(at, end - at, "free RAM", Colour::Free, bank.from));
        }
    }
    rows.sort_by_key(|row| row.base);
    rows
}

/// What kind of owner has a physical range.
fn owner(plan: &Plan, region: &crate::plan::PhysicalRegion) -> Colour {
    let base = region.base.get();
    let inside = |first: u64, bytes: u64| base >= first && base - first < bytes;
    let frames = |range: paging::FrameRange| inside(range.first.address().get(), range.bytes());
    if frames(plan.footprint) || plan.trampoline.is_some_and(|frame| frame.address().get() == base) {
        Colour::Hypervisor
    } else if plan.domains.iter().any(|domain| frames(domain.memory)) {
        Colour::Domain
    } else if plan.board.memory.reserved.iter().any(|reserved| frames(reserved.frames)) {
        Colour::Reserved
    } else {
        Colour::Device
    }
}

/// Virtual ranges of a CPU's root, and what lies between them.
pub fn virtual_ranges(plan: &Plan) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut at = 0;
    let nothing = |(from, to): (u64, u64)| Row {
        base: from,
        bytes: to - from,
        name: "nothing".into(),
        colour: Colour::Gap,
        access: "",
        from: String::new(),
    };
    for region in &plan.regions {
        let base = region.base.get();
        rows.extend(gaps(plan.board.arch, at, base).into_iter().map(nothing));
        at = base.wrapping_add(region.bytes);
        rows.push(Row {
            base,
            bytes: region.bytes,
            name: region.name.clone(),
            colour: match region.access {
                Access::Execute | Access::Read | Access::ReadWrite => Colour::Hypervisor,
                Access::Device => Colour::Device,
                Access::Guard => Colour::Guard,
                Access::Window => Colour::Window,
            },
            access: letters(region.access),
            from: place(plan, region.from),
        });
    }
    rows
}

/// How much is used, free and lost, in whole per cent of what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Shares {
    /// RAM of all banks, bytes.
    pub ram_bytes: u64,
    /// RAM that nobody owns, per cent.
    pub free: u64,
    /// Free RAM in pieces smaller than a block of 2 MiB, or outside whole blocks, per cent.
    pub waste: u64,
    /// Room that the image's extents leave in their window, per cent.
    pub headroom: u64,
}

/// Bytes of the image's window: what one table of pages maps.
pub const WINDOW_BYTES: u64 = paging::Level::L2.entry_bytes();

/// The shares of a plan.
pub fn shares(plan: &Plan) -> Shares {
    const BLOCK: u64 = paging::Level::L2.entry_bytes();
    let ram_bytes: u64 = plan.board.memory.banks.iter().map(|bank| bank.frames.bytes()).sum();
    let free: Vec<Row> = physical(plan).into_iter().filter(|row| row.colour == Colour::Free).collect();
    let whole = |row: &Row| (row.end() / BLOCK * BLOCK).saturating_sub(row.base.next_multiple_of(BLOCK));
    let free_bytes: u64 = free.iter().map(|row| row.bytes).sum();
    let block_bytes: u64 = free.iter().map(whole).sum();
    let extents: u64 = plan.sections.iter().map(|section| section.bytes).sum();
    let share = |part: u64, all: u64| {
        let hundredth = u128::from(part) * 100 / u128::from(all.max(1));
        u64::try_from(hundredth).unwrap_or(100)
    };
    Shares {
        ram_bytes,
        free: share(free_bytes, ram_bytes),
        waste: share(free_bytes - block_bytes, ram_bytes),
        headroom: share(WINDOW_BYTES.saturating_sub(extents), WINDOW_BYTES),
    }
}

/// Highest address that an architecture's pictures show; nothing lies behind the last range.
pub(super) const fn space(arch: Arch) -> &'static str {
    match arch {
        Arch::Aarch64 => "EL2 virtual",
        Arch::X86_64 => "hypervisor virtual",
    }
}
