//! Every linked section lies in its planned extent, at both of its addresses, with its permissions.
//!
//! Sections are recognised by where they are, not by what they are called; those without bytes that end where an extent
//! or the footprint ends hold nothing, and only keep loaders away.

use codegen::plan::{Access, Plan, PlannedSection};
use serde::Serialize;

use super::Report;
use super::elf::{LinkedImage, LinkedSection, Segment};

/// How full a planned extent is.
#[derive(Debug, Clone, Serialize)]
pub struct SectionUse {
    /// `text`, `rodata`, `tables` or `data`.
    pub name: &'static str,
    /// Planned length.
    pub extent_bytes: u64,
    /// Bytes up to the last one linked.
    pub used_bytes: u64,
    /// What is left.
    pub slack_bytes: u64,
}

/// Compares sections and segments with the planned extents.
pub(super) fn check(plan: &Plan, image: &LinkedImage<'_>, report: &mut Report) {
    for section in &image.sections {
        report.sections_checked += 1;
        match home(plan, section) {
            Some(planned) if keeps_clear(plan, section) => check_load(planned, section, report),
            Some(planned) => check_place(planned, section, report),
            None => report.find(format!(
                "section {} at {:#x}..{:#x} lies in no planned extent",
                section.name,
                section.link,
                section.link.saturating_add(section.bytes)
            )),
        }
    }
    for segment in &image.segments {
        check_permissions(plan, segment, report);
    }
    for planned in &plan.sections {
        let used = used_bytes(plan, planned, image);
        if used == 0 {
            report.find(format!("planned section {} is empty", planned.name));
        }
        report.sections.push(SectionUse {
            name: planned.name,
            extent_bytes: planned.bytes,
            used_bytes: used,
            slack_bytes: planned.bytes.saturating_sub(used),
        });
    }
}

/// The extent in which a section begins.
fn home<'p>(plan: &'p Plan, section: &LinkedSection) -> Option<&'p PlannedSection> {
    plan.sections
        .iter()
        .find(|planned| section.link.checked_sub(planned.link.get()).is_some_and(|skip| skip < planned.bytes))
}

fn check_place(planned: &PlannedSection, section: &LinkedSection, report: &mut Report) {
    let skip = section.link - planned.link.get();
    let over = skip.saturating_add(section.bytes).saturating_sub(planned.bytes);
    if over > 0 {
        report.find(format!(
            "section {} outgrows the extent of {} by {over} bytes of {}",
            section.name, planned.name, planned.bytes
        ));
    }
    check_load(planned, section, report);
}

/// Physical and virtual addresses run in parallel over the whole image.
fn check_load(planned: &PlannedSection, section: &LinkedSection, report: &mut Report) {
    let expected = planned.base.get().saturating_add(section.link - planned.link.get());
    match section.load {
        Some(load) if load == expected => {}
        Some(load) => report.find(format!("section {} loads at {load:#x}, planned at {expected:#x}", section.name)),
        None => report.find(format!("section {} is in no loadable segment", section.name)),
    }
}

fn check_permissions(plan: &Plan, segment: &Segment, report: &mut Report) {
    if segment.writable && segment.executable {
        report.find(format!("segment at {:#x} is writable and executable", segment.link));
    }
    let planned = plan
        .sections
        .iter()
        .find(|planned| segment.link.checked_sub(planned.link.get()).is_some_and(|skip| skip < planned.bytes));
    let Some(planned) = planned else {
        report.find(format!("segment at {:#x} lies in no planned extent", segment.link));
        return;
    };
    let executable = planned.access == Access::Execute;
    if segment.executable != executable {
        let word = if segment.executable { "executable" } else { "not executable" };
        report.find(format!("segment of {} is {word}", planned.name));
    }
}

/// Whether a section is the rest of text's or rodata's extent, or of the footprint.
fn keeps_clear(plan: &Plan, section: &LinkedSection) -> bool {
    let extents = plan.sections.iter().filter(|planned| matches!(planned.access, Access::Execute | Access::Read));
    let mut ends: Vec<_> = extents.map(|planned| planned.link.get() + planned.bytes).collect();
    ends.extend(plan.sections.first().map(|text| text.link.get() + plan.footprint.bytes()));
    section.data.is_empty() && ends.contains(&section.link.saturating_add(section.bytes))
}

fn used_bytes(plan: &Plan, planned: &PlannedSection, image: &LinkedImage<'_>) -> u64 {
    let holding = image.sections.iter().filter(|section| !keeps_clear(plan, section));
    let ends = holding.filter_map(|section| {
        let skip = section.link.checked_sub(planned.link.get())?;
        (skip < planned.bytes).then(|| skip.saturating_add(section.bytes))
    });
    ends.max().unwrap_or(0)
}
