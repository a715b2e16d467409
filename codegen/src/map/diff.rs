//! What changed between two plans: ranges that came, went, moved, grew, or changed hands.
//!
//! Ranges are known by their name and, where several have one, by their order. Judges nothing.

use std::collections::BTreeMap;

use super::rows::{self, Colour, Row};
use crate::diagnostic::Radix;
use crate::plan::Plan;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// `physical` or `virtual`.
    pub space: &'static str,
    /// The range.
    pub name: String,
    /// What happened to it, in words.
    pub what: String,
}

/// All changes from one plan to another, and how many ranges were compared.
pub fn diff(old: &Plan, new: &Plan) -> (Vec<Change>, usize) {
    let mut changes = Vec::new();
    let mut compared = 0;
    type Rows = fn(&Plan) -> Vec<Row>;
    let spaces: [(&'static str, Rows); 2] = [("physical", rows::physical), ("virtual", rows::virtual_ranges)];
    for (space, rows) in spaces {
        let (old, new) = (named(rows(old)), named(rows(new)));
        let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
        compared += names.len();
        for key in names {
            let what = match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) => changed(old, new),
                (None, Some(new)) => Some(format!("is new: {}", new.shown())),
                (Some(old), None) => Some(format!("is gone; it was {}", old.shown())),
                (None, None) => None,
            };
            changes.extend(what.map(|what| Change { space, name: shown(key), what }));
        }
    }
    (changes, compared)
}

type Key = (String, usize);

/// Ranges by name and number; what is free or leads nowhere follows from the others.
fn named(rows: Vec<Row>) -> BTreeMap<Key, Row> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let owned = rows.into_iter().filter(|row| !matches!(row.colour, Colour::Free | Colour::Gap));
    let keyed = owned.map(|row| {
        let number = seen.entry(row.name.clone()).and_modify(|number| *number += 1).or_insert(0);
        ((row.name.clone(), *number), row)
    });
    keyed.collect()
}

fn shown((name, number): &Key) -> String {
    if *number == 0 { name.clone() } else { format!("{name} (number {})", number + 1) }
}

fn changed(old: &Row, new: &Row) -> Option<String> {
    let mut words = Vec::new();
    if old.base != new.base {
        let (from, to) = (Radix::Hex.show(old.base.into()), Radix::Hex.show(new.base.into()));
        words.push(format!("moved from {from} to {to}"));
    }
    if old.bytes != new.bytes {
        let how = if new.bytes > old.bytes { "grew" } else { "shrank" };
        words.push(format!("{how} from {} to {}", super::size(old.bytes), super::size(new.bytes)));
    }
    if old.access != new.access {
        words.push(format!("is {} instead of {}", new.access, old.access));
    }
    if old.colour != new.colour {
        words.push(format!("belongs to {} instead of {}", new.colour.word(), old.colour.word()));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// For people.
pub fn text(changes: &[Change], compared: usize) -> String {
    let lines = changes.iter().map(|Change { space, name, what }| format!("{space}: {name} {what}\n"));
    let body: String = lines.collect();
    format!("{body}{compared} ranges compared, {} differ\n", changes.len())
}

/// For a review's comment.
pub fn markdown(changes: &[Change], compared: usize) -> String {
    let head = "| space | range | change |\n| --- | --- | --- |\n";
    let rows = changes.iter().map(|Change { space, name, what }| format!("| {space} | {name} | {what} |\n"));
    let body: String = rows.collect();
    let table = if changes.is_empty() { String::new() } else { format!("{head}{body}\n") };
    format!("{table}{compared} ranges compared, {} differ.\n", changes.len())
}
