//! What one address is: in each space where it means something, with owner, line, and the walk down the planned tables.
//!
//! Walks static tables; what is mapped at run time only is named as such.

use std::fmt::Write as _;

use paging::{Ipa, Level, PhysAddr, VirtAddr};

use super::rows::{self, Row};
use crate::diagnostic::Radix;
use crate::plan::{Plan, PlannedEntry, PlannedTable};

/// Everything that the plan says of a number taken as an address.
pub fn explain(plan: &Plan, address: u64) -> String {
    let mut text = format!("{}\n", Radix::Hex.show(address.into()));
    put(&mut text, "physical", holder(&rows::physical(plan), address));
    put(&mut text, "virtual", holder(&rows::virtual_ranges(plan), address));
    for root in [("boot CPU's root", plan.boot_root), ("turn-on root", plan.turn_on_root)] {
        walk(plan, root, VirtAddr::new(address), &mut text);
    }
    for domain in &plan.domains {
        if let Some(offset) = inside(domain.ipa, domain.memory.bytes(), address) {
            let at = PhysAddr::new(domain.memory.first.address().get() + offset);
            let place = super::place(plan, domain.from);
            line(&mut text, format_args!("  guest-physical in {}: RAM, lies at {at} ({place})", domain.name));
        }
    }
    text
}

fn inside(base: Ipa, bytes: u64, address: u64) -> Option<u64> {
    address.checked_sub(base.get()).filter(|offset| *offset < bytes)
}

/// The range that holds an address.
fn holder(rows: &[Row], address: u64) -> Option<String> {
    let row = rows.iter().find(|row| address.checked_sub(row.base).is_some_and(|offset| offset < row.bytes))?;
    let access = if row.access.is_empty() { String::new() } else { format!(" {}", row.access) };
    let from = if row.from.is_empty() { String::new() } else { format!(" ({})", row.from) };
    Some(format!("{} {}{access}{from}", row.name, row.shown()))
}

fn put(text: &mut String, space: &str, found: Option<String>) {
    let found = found.unwrap_or_else(|| "nothing that the plan knows".into());
    line(text, format_args!("  {space}: {found}"));
}

fn walk(plan: &Plan, (name, root): (&str, usize), at: VirtAddr, text: &mut String) {
    line(text, format_args!("  {name}:"));
    let mut table: &PlannedTable = &plan.tables[root];
    for level in Level::ALL {
        let index = at.index(level);
        let number = index.get();
        let entry = table.entries.iter().find(|(known, _)| *known == index);
        match entry {
            None => {
                let what = "empty in the image; what is there at run time was mapped at run time";
                return line(text, format_args!("    {level:?} {} entry {number}: {what}", table.name));
            }
            Some((_, PlannedEntry::Leaf { frame, attributes })) => {
                let offset = at.get() & (level.entry_bytes() - 1);
                let shows = PhysAddr::new(frame.address().get() + offset);
                let access = format!("{:?} {:?}", attributes.access, attributes.memory);
                let size = super::size(level.entry_bytes());
                return line(
                    text,
                    format_args!("    {level:?} {} entry {number}: {size} of {access}, shows {shows}", table.name),
                );
            }
            Some((_, PlannedEntry::Table(next))) => {
                let below = &plan.tables[*next];
                line(text, format_args!("    {level:?} {} entry {number}: table {}", table.name, below.name));
                table = below;
            }
        }
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("strings take all text");
    text.push('\n');
}
