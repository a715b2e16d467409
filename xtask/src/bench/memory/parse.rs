//! Figures from what the image says and what the plugin writes.
//!
//! Whatever does not fit together is a failure: a figure that may be another one's is none.

use std::collections::BTreeMap;

use super::super::counter::count;
use super::{Operation, Seen, Tables};
use crate::failure::Failure;

const NAME: &str = "tabula: measure: ";
/// The same, where handing in a value was part of what was measured.
const NAME_WITH_VALUE: &str = "tabula: measure with a value: ";
/// The name of what costs as much as the marks do, of either kind.
const NOTHING: &str = "nothing";
const COUNTED: &str = "tabula: counted: ";
const MAPS: &str = "tabula: maps: ";
const TABLES: &str = "tabula: tables: ";
const MAPPED: &str = "tabula: mapped on each CPU: ";

/// Kinds of instructions that the plugin tells apart.
const BARRIERS: [&str; 2] = ["barriers", "synchronizations"];
const INVALIDATIONS: [&str; 4] =
    ["page-invalidations", "invalidations", "broadcast-page-invalidations", "broadcast-invalidations"];

/// What the plugin found between two marks.
#[derive(Clone, Copy)]
struct Lap {
    text: u64,
    scrub: u64,
    barriers: u64,
    ipis: u64,
    invalidating: u64,
}

impl Lap {
    fn at(line: &str) -> Option<Self> {
        let sum = |names: &[&str]| names.iter().map(|name| count(line, name)).sum::<Option<u64>>();
        Some(Self {
            text: count(line, "text")?,
            scrub: count(line, "scrub")?,
            barriers: sum(&BARRIERS)?,
            ipis: count(line, "ipis").unwrap_or(0),
            invalidating: sum(&INVALIDATIONS)?,
        })
    }

    fn since(self, before: Self) -> Self {
        Self {
            text: self.text - before.text,
            scrub: self.scrub - before.scrub,
            barriers: self.barriers - before.barriers,
            ipis: self.ipis - before.ipis,
            invalidating: self.invalidating - before.invalidating,
        }
    }
}

/// The operations: named by the image that was counted, their entry writes by the one with checks.
pub(super) fn operations(lines: &[String], laps: &str, checked: &[String]) -> Result<Vec<Operation>, Failure> {
    let wrong = |why: String| Failure::Run(format!("bench memory: {why}"));
    let (names, same) = (named(lines), named(checked));
    if names != same {
        return Err(wrong("the image with checks measured something else".into()));
    }
    let laps: Option<Vec<Lap>> = laps.lines().filter(|line| line.starts_with("lap ")).map(Lap::at).collect();
    let laps = laps.ok_or_else(|| wrong("the plugin's file has a line without all figures".into()))?;
    let seen: Option<Vec<Seen>> = checked.iter().filter_map(|line| line.strip_prefix(COUNTED)).map(seen).collect();
    let seen = seen.ok_or_else(|| wrong("the checker's line lacks a figure".into()))?;
    let maps = mapped_by(lines).ok_or_else(|| wrong("a count of maps is none".into()))?;
    if laps.len() != 2 * names.len() || [seen.len(), maps.len()].iter().any(|counts| *counts != names.len()) {
        let (marks, counts) = (laps.len(), seen.len());
        let maps = maps.len();
        return Err(wrong(format!("{} operations, {marks} marks, {counts} counts, {maps} of maps", names.len())));
    }
    if Some(&maps) != mapped_by(checked).as_ref() {
        return Err(Failure::Mismatch("the image with checks maps another number of pages".into()));
    }
    let between: Vec<Lap> = laps.chunks_exact(2).map(|pair| pair[1].since(pair[0])).collect();
    let marks = |values| {
        let nothing = names.iter().position(|name| *name == Name { values, name: NOTHING });
        nothing.map(|at| between[at].text).ok_or_else(|| wrong("what the marks cost was not measured".into()))
    };
    let marks = [marks(Values::None)?, marks(Values::InAndOut)?];
    let all = names.iter().zip(&between).zip(seen.iter().zip(&maps));
    all.filter(|((name, _), _)| name.name != NOTHING)
        .map(|((name, lap), (seen, maps))| operation(name.name, lap, marks[name.values as usize], *maps, *seen))
        .collect()
}

/// Maps of each operation, as an image says.
fn mapped_by(lines: &[String]) -> Option<Vec<u64>> {
    lines.iter().filter_map(|line| line.strip_prefix(MAPS)).map(|count| count.parse().ok()).collect()
}

fn operation(name: &str, lap: &Lap, marks: u64, maps: u64, seen: Seen) -> Result<Operation, Failure> {
    if lap.invalidating != seen.invalidations() {
        return Err(Failure::Mismatch(format!(
            "{name}: {} instructions invalidate, the checker has seen {}",
            lap.invalidating,
            seen.invalidations()
        )));
    }
    let instructions = lap.text.checked_sub(marks);
    Ok(Operation {
        name: name.to_owned(),
        instructions: instructions.ok_or_else(|| Failure::Run(format!("{name}: cheaper than nothing")))?,
        scrub: lap.scrub,
        barriers: lap.barriers,
        ipis: lap.ipis,
        invalidating: lap.invalidating,
        maps,
        seen,
    })
}

/// What an operation's marks hand over besides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    None,
    InAndOut,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Name<'l> {
    values: Values,
    name: &'l str,
}

fn named(lines: &[String]) -> Vec<Name<'_>> {
    let name = |line: &'_ String| -> Option<(Values, usize)> {
        let kinds = [(Values::None, NAME), (Values::InAndOut, NAME_WITH_VALUE)];
        kinds.into_iter().find_map(|(values, prefix)| line.starts_with(prefix).then_some((values, prefix.len())))
    };
    lines.iter().filter_map(|line| name(line).map(|(values, from)| Name { values, name: &line[from..] })).collect()
}

fn seen(line: &str) -> Option<Seen> {
    Some(Seen {
        writes: count(line, "writes")?,
        local_pages: count(line, "local-pages")?,
        local: count(line, "local")?,
        pages: count(line, "pages")?,
        everywhere: count(line, "everywhere")?,
    })
}

/// What the image says of tables: `N for N pages, HOW, N once they are free`.
pub(super) fn tables(lines: &[String]) -> Result<Vec<Tables>, Failure> {
    let parsed = |line: &str| {
        let (counts, rest) = line.split_once(" pages, ")?;
        let (tables, pages) = counts.split_once(" for ")?;
        let (how, left) = rest.split_once(", ")?;
        let left = left.split(' ').next()?;
        let (tables, pages, left) = (tables.parse().ok()?, pages.parse().ok()?, left.parse().ok()?);
        Some(Tables { how: how.to_owned(), tables, pages, left })
    };
    let lines = lines.iter().filter_map(|line| line.strip_prefix(TABLES));
    lines.map(|line| parsed(line).ok_or_else(|| Failure::Run(format!("no count of tables: {line}")))).collect()
}

/// KiB by class, from the line of a boot log; `all` is their sum.
pub(super) fn mapped(lines: &[String]) -> Result<BTreeMap<String, u64>, Failure> {
    let line = lines.iter().find_map(|line| line.strip_prefix(MAPPED));
    let parsed = line.and_then(|line| {
        let (all, classes) = line.split_once(" KiB: ")?;
        let class = |class: &str| {
            let (name, kib) = class.rsplit_once(' ')?;
            Some((name.to_owned(), kib.parse().ok()?))
        };
        let mut map: BTreeMap<String, u64> = classes.split(", ").map(class).collect::<Option<_>>()?;
        map.insert("all".to_owned(), all.parse().ok()?);
        Some(map)
    });
    parsed.ok_or_else(|| Failure::Run(format!("no line `{MAPPED}N KiB: CLASS N, …`")))
}

#[cfg(test)]
mod tests {
    use super::{mapped, operations, tables};

    const CHECKED: [&str; 9] = [
        "tabula: measure: nothing",
        "tabula: maps: 0",
        "tabula: counted: writes=0 publishes=0 local-pages=0 local=0 pages=0 everywhere=0 guests=0",
        "tabula: measure with a value: nothing",
        "tabula: maps: 0",
        "tabula: counted: writes=0 publishes=0 local-pages=0 local=0 pages=0 everywhere=0 guests=0",
        "tabula: measure with a value: a page",
        "tabula: maps: 1",
        "tabula: counted: writes=2 publishes=1 local-pages=1 local=0 pages=0 everywhere=0 guests=0",
    ];

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn lap(text: u64, pages: u64) -> String {
        format!(
            "lap scrub=0 text={text} barriers={pages} synchronizations=0 page-invalidations={pages} invalidations=0 \
             broadcast-page-invalidations=0 broadcast-invalidations=0 other=0\n"
        )
    }

    fn counted(laps: &[(u64, u64)]) -> Result<u64, crate::failure::Failure> {
        let laps = [(0, 0), (2, 0)].iter().chain(laps);
        let laps: String = laps.map(|(text, pages)| lap(*text, *pages)).collect();
        let lines = lines(&CHECKED);
        operations(&lines, &laps, &lines).map(|operations| operations[0].instructions)
    }

    #[test]
    fn what_the_marks_cost_is_taken_off() {
        assert_eq!(counted(&[(100, 0), (107, 0), (200, 0), (300, 1)]), Ok(93));
    }

    #[test]
    fn figures_that_do_not_fit_together_are_none() {
        assert!(counted(&[(100, 0), (107, 0), (200, 0), (300, 2)]).is_err(), "another number of invalidations");
        assert!(counted(&[(100, 0), (107, 0), (200, 0)]).is_err(), "a mark is missing");
        assert!(counted(&[(100, 0), (107, 0), (200, 0), (203, 1)]).is_err(), "cheaper than nothing");
    }

    #[test]
    fn tables_are_counted_by_how_pages_lie() {
        let said = ["tabula: tables: 17 for 16 pages, scattered, 0 once they are unmapped"];
        let tables = tables(&lines(&said)).expect("the line is complete");
        assert_eq!(
            (tables[0].how.as_str(), tables[0].tables, tables[0].pages, tables[0].left),
            ("scattered", 17, 16, 0)
        );
    }

    #[test]
    fn a_boot_log_tells_what_is_mapped() {
        let log = ["tabula: mapped on each CPU: 184 KiB: image 64, private area 32, vmap and heap 88"];
        let mapped = mapped(&lines(&log)).expect("the line is complete");
        assert_eq!(mapped.get("all"), Some(&184));
        assert_eq!(mapped.get("vmap and heap"), Some(&88));
    }
}
