//! The committed report against a run: it says what is true of the code beside it.
//!
//! Counts are the same to the digit. Instructions may differ by a little: another compiler, or other code in the image.

use super::text::{COLUMNS, cells, heading, tables_row};
use super::{Operation, Run};

/// Where it is committed.
pub const REPORT: &str = "docs/reports/memory.md";
/// Instructions may differ by one part in so many.
const PART: u64 = 20;

/// Whether the report's section of this board and policy holds this run's figures, and no others.
///
/// # Errors
/// The first row that does not.
pub fn agrees(report: &str, run: &Run) -> Result<(), String> {
    let heading = heading(run.board, run.policy);
    let (_, section) = report.split_once(&heading).ok_or_else(|| format!("it has no section `{}`", heading.trim()))?;
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).collect();
    // Two tables with two lines of heading each.
    let expected = run.operations.len() + run.tables.len() + 4;
    if rows.len() != expected {
        return Err(format!("its section `{}` has {} rows, not {expected}", heading.trim(), rows.len()));
    }
    run.operations.iter().try_for_each(|operation| row_agrees(&rows, operation))?;
    match run.tables.iter().map(tables_row).find(|row| !rows.contains(&row.as_str())) {
        None => Ok(()),
        Some(row) => Err(format!("it lacks the row `{row}`")),
    }
}

fn row_agrees(rows: &[&str], operation: &Operation) -> Result<(), String> {
    let name = format!("| {} | ", operation.name);
    let row = rows.iter().find_map(|row| row.strip_prefix(&name)?.strip_suffix(" |"));
    let row = row.ok_or_else(|| format!("it lacks `{}`", operation.name))?;
    let said: Result<Vec<u64>, _> = row.split(" | ").map(str::parse).collect();
    let said = said.ok().filter(|said| said.len() == COLUMNS.len());
    let said = said.ok_or_else(|| format!("`{}` has cells that are no figures: {row}", operation.name))?;
    for ((column, found), said) in COLUMNS.iter().zip(cells(operation)).zip(said) {
        let difference = if *column == COLUMNS[0] { found / PART } else { 0 };
        if said.abs_diff(found) > difference {
            return Err(format!("`{}`: {said} {column}, a run gives {found}", operation.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::agrees;
    use crate::bench::memory::{Memory, Operation, Run, Seen, Tables};

    fn run() -> Run {
        let seen = Seen { writes: 2, local_pages: 1, ..Seen::default() };
        let operation = Operation {
            name: "map and unmap, strict".to_owned(),
            instructions: 100,
            scrub: 0,
            barriers: 5,
            ipis: 0,
            invalidating: 1,
            maps: 1,
            seen,
        };
        Run {
            board: "a-board",
            policy: "none",
            machine: "a machine".to_owned(),
            mapped_kib: [("all".to_owned(), 4)].into(),
            tables: vec![Tables { how: "pooled".to_owned(), tables: 10, pages: 1024, left: 0 }],
            operations: vec![operation],
        }
    }

    fn report() -> String {
        Memory { compiler: String::new(), emulator: String::new(), runs: vec![run()] }.text()
    }

    #[test]
    fn a_report_agrees_with_the_run_that_it_was_written_of() {
        assert_eq!(agrees(&report(), &run()), Ok(()));
        let mut other = run();
        other.operations[0].instructions = 105;
        assert_eq!(agrees(&report(), &other), Ok(()), "a twentieth more is the compiler's");
    }

    #[test]
    fn whatever_has_changed_is_told() {
        let spoil: [fn(&mut Run); 7] = [
            |run| run.operations[0].instructions = 107,
            |run| run.operations[0].seen.writes = 3,
            |run| run.operations[0].maps = 0,
            |run| run.operations[0].name.push('!'),
            |run| run.tables[0].tables = 11,
            |run| drop(run.operations.pop()),
            |run| run.policy = "full",
        ];
        for (number, spoil) in spoil.into_iter().enumerate() {
            let mut run = run();
            spoil(&mut run);
            assert!(agrees(&report(), &run).is_err(), "case {number}");
        }
    }
}
