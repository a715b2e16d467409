//! The static tables, walked as the hardware would walk them, from the bytes in the file.
//!
//! Knows the plan's mappings but not how tables are built from them: what a walk finds is compared page by
//! page, and the properties that matter (nothing writable and executable, no domain's memory, nothing beyond
//! the plan) are looked for on their own as well.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use codegen::model::Arch;
use codegen::plan::{Plan, RootKind};
use paging::{
    El2, Entry, Format, Frame, HostAccess, HostAttributes, Index, Leaf, Level, LongMode, PAGE_BYTES, Root, TableAccess,
    VirtAddr, Visit, for_each_entry,
};

use super::Report;
use super::elf::LinkedImage;

/// Pages by virtual page number.
type Pages = BTreeMap<u64, (Frame, HostAttributes)>;

/// Most pages that a comparison prints one by one.
const PRINTED: usize = 8;

/// The static tables of an image: read-only, and every frame outside them reads as unreachable.
struct ImageTables<'a> {
    first: Frame,
    bytes: &'a [u8],
    outside: Option<Frame>,
}

impl TableAccess for ImageTables<'_> {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        let entry = table.number().checked_sub(self.first.number()).and_then(|number| {
            let offset = usize::try_from(number * PAGE_BYTES).ok()?.checked_add(index.get() * size_of::<u64>())?;
            let bytes = self.bytes.get(offset..offset + size_of::<u64>())?;
            Some(Entry::new(u64::from_le_bytes(bytes.try_into().ok()?)))
        });
        entry.unwrap_or_else(|| {
            self.outside = Some(table);
            Entry::INVALID
        })
    }

    fn write(&mut self, _table: Frame, _index: Index, _entry: Entry) {
        // A file that is being checked is never changed: the walker has no reason to write.
    }
}

/// Compares what both static roots translate with the plan.
pub(super) fn check(plan: &Plan, image: &LinkedImage<'_>, report: &mut Report) {
    match plan.board.arch {
        Arch::Aarch64 => check_format::<El2>(plan, image, report),
        Arch::X86_64 => check_format::<LongMode>(plan, image, report),
    }
}

fn check_format<F>(plan: &Plan, image: &LinkedImage<'_>, report: &mut Report)
where
    F: Format<Input = VirtAddr, Attributes = HostAttributes>,
{
    let Some(section) = plan.sections.iter().find(|section| section.name == "tables") else {
        report.find("the plan has no section for tables");
        return;
    };
    let length = plan.tables.len() * usize::try_from(PAGE_BYTES).unwrap_or(usize::MAX);
    let Some(bytes) = image.at_physical(section.base.get(), length) else {
        report.find(format!("the file does not hold the {} static tables at {}", plan.tables.len(), section.base));
        return;
    };
    let mut tables = ImageTables { first: Frame::containing(section.base), bytes, outside: None };
    let mut all = Vec::new();
    for (kind, index) in [(RootKind::TurnOn, plan.turn_on_root), (RootKind::BootCpu, plan.boot_root)] {
        let root = Root::new(plan.tables[index].frame, Level::L0);
        let pages = walk_root::<F>(kind, root, &mut tables, report);
        compare(kind, &planned_pages(plan, kind), &pages, report);
        check_domains(plan, kind, &pages, report);
        report.pages_checked += pages.len();
        all.push(pages);
    }
    check_write_xor_execute(&all, report);
}

fn walk_root<F>(kind: RootKind, root: Root, tables: &mut ImageTables<'_>, report: &mut Report) -> Pages
where
    F: Format<Input = VirtAddr, Attributes = HostAttributes>,
{
    let mut pages = Pages::new();
    report.tables_reached += 1;
    let _: ControlFlow<()> = for_each_entry::<F, ()>(tables, root, |visit| {
        match visit {
            Visit::Table { .. } => report.tables_reached += 1,
            Visit::Leaf(leaf) => insert_leaf(leaf, &mut pages),
            Visit::Unknown(unknown) => report.find(format!(
                "{}: entry {:?} for {} is none the format writes",
                name(kind),
                unknown.entry,
                unknown.at
            )),
        }
        ControlFlow::Continue(())
    });
    if let Some(frame) = tables.outside.take() {
        report.find(format!("{}: a table lies at {}, outside the static tables", name(kind), frame.address()));
    }
    pages
}

fn insert_leaf<F>(leaf: Leaf<F>, pages: &mut Pages)
where
    F: Format<Input = VirtAddr, Attributes = HostAttributes>,
{
    let first = leaf.at.get() / PAGE_BYTES;
    for page in 0..leaf.level.entry_frames() {
        pages.insert(first + page, (leaf.frame.add(page), leaf.attributes));
    }
}

fn planned_pages(plan: &Plan, kind: RootKind) -> Pages {
    let mut pages = Pages::new();
    // The turn-on root shares the hypervisor slot's tables with every other root.
    let shared = plan.sections.first().map(|text| text.link.index(Level::L0));
    let reached =
        |at: VirtAddr, root: RootKind| root == kind || kind == RootKind::TurnOn && Some(at.index(Level::L0)) == shared;
    for mapping in plan.mappings.iter().filter(|mapping| reached(mapping.at, mapping.root)) {
        let first = mapping.at.get() / PAGE_BYTES;
        for page in 0..mapping.frames.frames {
            pages.insert(first + page, (mapping.frames.first.add(page), mapping.attributes));
        }
    }
    pages
}

fn compare(kind: RootKind, planned: &Pages, found: &Pages, report: &mut Report) {
    let mut differences = Vec::new();
    for (page, fact) in found {
        match planned.get(page) {
            Some(wanted) if wanted == fact => {}
            Some(wanted) => differences.push(format!("{} is {}, planned {}", at(*page), show(fact), show(wanted))),
            None => differences.push(format!("{} is {}, planned unmapped", at(*page), show(fact))),
        }
    }
    for (page, wanted) in planned.iter().filter(|(page, _)| !found.contains_key(page)) {
        differences.push(format!("{} is unmapped, planned {}", at(*page), show(wanted)));
    }
    let more = differences.len().saturating_sub(PRINTED);
    for difference in differences.into_iter().take(PRINTED) {
        report.find(format!("{}: {difference}", name(kind)));
    }
    if more > 0 {
        report.find(format!("{}: {more} pages more differ", name(kind)));
    }
}

/// No root may translate to a domain's memory before that domain is loaded.
fn check_domains(plan: &Plan, kind: RootKind, pages: &Pages, report: &mut Report) {
    if plan.board.directmap.value == codegen::model::DirectmapPolicy::Full {
        return;
    }
    for domain in &plan.domains {
        let reached = pages.iter().find(|(_, (frame, _))| domain.memory.contains(*frame));
        if let Some((page, (frame, _))) = reached {
            report.find(format!(
                "{}: {} reaches {}, which is memory of domain {}",
                name(kind),
                at(*page),
                frame.address(),
                domain.name
            ));
        }
    }
}

/// No frame may be writable through one translation and executable through another.
fn check_write_xor_execute(roots: &[Pages], report: &mut Report) {
    let mut by_frame: BTreeMap<Frame, (Option<u64>, Option<u64>)> = BTreeMap::new();
    for (page, (frame, attributes)) in roots.iter().flatten() {
        let seen = by_frame.entry(*frame).or_default();
        match attributes.access {
            HostAccess::Execute => seen.0 = Some(*page),
            HostAccess::ReadWrite => seen.1 = Some(*page),
            HostAccess::Read => {}
        }
    }
    for (frame, seen) in by_frame {
        if let (Some(execute), Some(write)) = seen {
            report.find(format!("{} is executable at {} and writable at {}", frame.address(), at(execute), at(write)));
        }
    }
}

fn name(kind: RootKind) -> &'static str {
    match kind {
        RootKind::TurnOn => "turn-on root",
        RootKind::BootCpu => "boot CPU's root",
    }
}

fn at(page: u64) -> VirtAddr {
    VirtAddr::new(page * PAGE_BYTES)
}

fn show((frame, attributes): &(Frame, HostAttributes)) -> String {
    format!("{} {:?} {:?}", frame.address(), attributes.access, attributes.memory)
}
