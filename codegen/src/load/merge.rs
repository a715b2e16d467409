//! Inheritance: one document over another, each value keeping the place it was written at.
//!
//! Never goes deeper than one level and never looks at what a value means, `kind` and `name` apart.

use std::collections::HashSet;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use crate::diagnostic::{Sources, Span};

type Key<'i> = Spanned<DeString<'i>>;
type Value<'i> = Spanned<DeValue<'i>>;

/// The same document with every span moved up by the offset of its file.
pub(super) fn shift(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let moved = table.into_iter().map(|(key, value)| {
        let span = key.span();
        let key = Spanned::new(span.start + by..span.end + by, key.into_inner());
        (key, shift_value(value, by))
    });
    moved.collect()
}

fn shift_value(value: Value<'_>, by: usize) -> Value<'_> {
    let span = value.span();
    let moved = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift(table, by)),
        DeValue::Array(mut array) => {
            for item in array.iter_mut() {
                let taken = std::mem::replace(item, Spanned::new(0..0, DeValue::Boolean(false)));
                *item = shift_value(taken, by);
            }
            DeValue::Array(array)
        }
        other => other,
    };
    Spanned::new(span.start + by..span.end + by, moved)
}

/// `own` over `base`: keys in the order of the base, then the new ones. `base = ` itself stays.
pub(super) fn merge<'i>(own: DeTable<'i>, base: DeTable<'i>, sources: &Sources) -> DeTable<'i> {
    let mut merged: Vec<(Key<'i>, Value<'i>)> = base.into_iter().collect();
    for (key, value) in own {
        let known = merged.iter_mut().find(|(old, _)| old.get_ref() == key.get_ref());
        match known {
            Some(slot) => {
                let empty = Spanned::new(0..0, DeValue::Boolean(false));
                let old = std::mem::replace(&mut slot.1, empty);
                *slot = (key, merge_value(value, old, sources));
            }
            None => merged.push((key, value)),
        }
    }
    merged.into_iter().collect()
}

fn merge_value<'i>(own: Value<'i>, base: Value<'i>, sources: &Sources) -> Value<'i> {
    let span = own.span();
    let headed = is_headed(&own, sources) && is_headed(&base, sources);
    let merged = match (own.into_inner(), base.into_inner()) {
        (DeValue::Table(own), DeValue::Table(base)) if headed && same_kind(&own, &base) => {
            DeValue::Table(merge(own, base, sources))
        }
        (DeValue::Array(own), DeValue::Array(base)) if headed && all_named(&own) && all_named(&base) => {
            DeValue::Array(merge_entries(own, base, sources))
        }
        (own, _) => own,
    };
    Spanned::new(span, merged)
}

/// Whether it is written under a `[header]` (or with dotted keys), not in braces or brackets on one line.
pub(super) fn is_headed(value: &Value<'_>, sources: &Sources) -> bool {
    let starts = |span: std::ops::Range<usize>, with: char| sources.slice(Span::from(span)).starts_with(with);
    match value.get_ref() {
        DeValue::Table(_) => !starts(value.span(), '{'),
        DeValue::Array(array) => {
            array.iter().next().is_some_and(|first| first.get_ref().is_table() && starts(first.span(), '['))
        }
        _ => false,
    }
}

/// A table whose `kind` is given anew and differs describes another thing.
fn same_kind(own: &DeTable<'_>, base: &DeTable<'_>) -> bool {
    let kind = |table: &DeTable<'_>| {
        let value = table.get("kind")?;
        value.get_ref().as_str().map(str::to_owned)
    };
    match (kind(own), kind(base)) {
        (Some(own), Some(base)) => own == base,
        _ => true,
    }
}

fn name<'a>(entry: &'a Value<'_>) -> Option<&'a str> {
    let table = entry.get_ref().as_table()?;
    table.get("name")?.get_ref().as_str()
}

/// Whether every entry has a name of its own, so that entries can be found by it.
fn all_named(array: &DeArray<'_>) -> bool {
    let mut seen = HashSet::new();
    array.iter().all(|entry| name(entry).is_some_and(|name| seen.insert(name.to_owned())))
}

fn merge_entries<'i>(own: DeArray<'i>, base: DeArray<'i>, sources: &Sources) -> DeArray<'i> {
    let mut merged: Vec<Value<'i>> = base.into_iter().collect();
    for entry in own {
        let known = merged.iter_mut().find(|old| name(old) == name(&entry));
        match known {
            Some(slot) => {
                let empty = Spanned::new(0..0, DeValue::Boolean(false));
                let old = std::mem::replace(slot, empty);
                *slot = merge_value(entry, old, sources);
            }
            None => merged.push(entry),
        }
    }
    merged.into_iter().collect()
}
