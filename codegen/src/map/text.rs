//! The map as aligned text, and sizes that can be read.
//!
//! Never computes a range.

use std::fmt::Write as _;

use super::{Range, memory_map};
use crate::diagnostic::human_bytes;
use crate::plan::Plan;

/// The map as aligned text.
pub fn text(plan: &Plan) -> String {
    let map = memory_map(plan);
    let mut text = format!(
        "{} ({}): {} at {} ({}), directmap {}\n",
        map.board, map.model, map.footprint, map.load, map.load_from, map.policy
    );
    let range = |row: &Range| {
        [
            row.base.clone(),
            row.end.clone(),
            row.size.clone(),
            row.access.into(),
            row.name.clone(),
            row.shows.clone(),
            row.from.clone(),
        ]
    };
    for (title, rows) in [("physical", &map.physical), ("virtual", &map.regions), ("turn-on root", &map.turn_on)] {
        let rows: Vec<_> = rows.iter().map(range).collect();
        let columns = columns(&rows);
        text.push_str(&format!("\n{title}\n{columns}"));
    }
    text.push_str(&format!("\nimage: {} of extents, {} of its window left\n", map.extents, map.slack));
    map.hole_lists.iter().flatten().for_each(|hole| text.push_str(&format!("{hole}\n")));
    text
}

/// Rows with every column as wide as its widest cell; sizes to the right.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    const SIZE: usize = 2;
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let written = match column {
                SIZE => write!(line, "  {cell:>width$}"),
                _ => write!(line, "  {cell:<width$}"),
            };
            written.expect("strings take all text");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// An exact size, or a rounded one where the exact number would be unreadable.
pub(super) fn size(bytes: u64) -> String {
    let exact = human_bytes(bytes);
    if exact.len() <= "1023 KiB".len() {
        return exact;
    }
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20)];
    match units.into_iter().find(|(_, shift)| bytes >> shift != 0) {
        Some((unit, shift)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("≈{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => exact,
    }
}
