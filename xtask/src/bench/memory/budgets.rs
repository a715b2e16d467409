//! What each operation may cost at most. A figure that is missing is over its budget.

use super::{Run, Tables};

/// KiB of RAM that a release image with two CPUs may map after boot, policy `none`: 0.05 % of 1 GiB.
const MAPPED_MAX_KIB: u64 = 536;
/// Heap pages that one table may serve, pooled, and tables on top.
const PAGES_PER_TABLE: u64 = paging::ENTRIES as u64;
const TABLES_MORE: u64 = 8;

/// An operation's budget.
struct Budget {
    operation: &'static str,
    policy: &'static str,
    /// At most, on either board.
    instructions: u64,
    /// Invalidations that it must have, all of one page on this CPU; it may have no others.
    local_pages: u64,
}

const BUDGETS: [Budget; 3] = [
    Budget { operation: "map and unmap, retained, hit", policy: "none", instructions: 40, local_pages: 0 },
    Budget { operation: "map and unmap, strict", policy: "none", instructions: 120, local_pages: 1 },
    Budget { operation: "map and unmap, shown by the directmap", policy: "full", instructions: 12, local_pages: 0 },
];

/// Maps of a walk of four levels by how the domain's tables, four levels too, are reached: each table on the way, and the
/// guest's four own; or these alone.
const WALKS: [(&str, u64); 3] = [("by map cache", 20), ("resident", 4), ("in a pool window", 4)];

/// One budget, and whether it holds.
pub type Verdict = (String, Result<(), String>);

/// Every budget that a run has.
pub fn judge(run: &Run) -> Vec<Verdict> {
    let budgets = BUDGETS.iter().filter(|budget| budget.policy == run.policy);
    let mut verdicts: Vec<Verdict> =
        budgets.map(|budget| (budget.operation.to_owned(), operation(run, budget))).collect();
    verdicts.push(("tables of pooled heap pages".to_owned(), pooled(&run.tables)));
    if run.policy != "full" {
        verdicts.extend(WALKS.map(|(how, maps)| (format!("maps of a walk, tables {how}"), walk(run, how, maps))));
    }
    if run.policy == "none" {
        verdicts.push(("RAM mapped after boot".to_owned(), mapped(run)));
    }
    verdicts
}

fn operation(run: &Run, budget: &Budget) -> Result<(), String> {
    let found = run.operations.iter().find(|operation| operation.name == budget.operation);
    let found = found.ok_or("not measured")?;
    let most = budget.instructions;
    if found.instructions > most {
        return Err(format!("{} instructions, at most {most}", found.instructions));
    }
    match (found.seen.local_pages, found.invalidating) == (budget.local_pages, budget.local_pages) {
        true => Ok(()),
        false => Err(format!("{} invalidations, {} of a page here", found.invalidating, found.seen.local_pages)),
    }
}

fn walk(run: &Run, how: &str, maps: u64) -> Result<(), String> {
    let is_walk = |name: &str| name.starts_with("walk of four levels") && name.contains(how);
    let found: Vec<u64> = run.operations.iter().filter(|found| is_walk(&found.name)).map(|found| found.maps).collect();
    match found.iter().all(|found| *found == maps) && !found.is_empty() {
        true => Ok(()),
        false => Err(format!("{found:?} maps, not {maps}")),
    }
}

fn pooled(tables: &[Tables]) -> Result<(), String> {
    let found = tables.iter().find(|tables| tables.how == "pooled").ok_or("not counted")?;
    let most = found.pages / PAGES_PER_TABLE + TABLES_MORE;
    match (found.tables <= most, found.left) {
        (true, 0) => Ok(()),
        (true, left) => Err(format!("{left} tables are left once the pages are free")),
        (false, _) => Err(format!("{} tables for {} pages, at most {most}", found.tables, found.pages)),
    }
}

fn mapped(run: &Run) -> Result<(), String> {
    match run.mapped_kib.get("all") {
        Some(kib) if *kib <= MAPPED_MAX_KIB => Ok(()),
        Some(kib) => Err(format!("{kib} KiB, at most {MAPPED_MAX_KIB}")),
        None => Err("not measured".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::BASES;
    use super::{BUDGETS, MAPPED_MAX_KIB, WALKS, judge};
    use crate::bench::memory::{Operation, Run, Seen, Tables};

    /// A run that uses every budget of `none` up.
    fn run() -> Run {
        let operations = BUDGETS.iter().map(|budget| Operation {
            name: budget.operation.to_owned(),
            instructions: budget.instructions,
            scrub: 0,
            barriers: 0,
            ipis: 0,
            invalidating: budget.local_pages,
            maps: 0,
            seen: Seen { local_pages: budget.local_pages, ..Seen::default() },
        });
        let walks = WALKS.map(|(how, maps)| Operation {
            name: format!("walk of four levels, the domain's tables {how}, strict"),
            instructions: 1000,
            scrub: 0,
            barriers: 0,
            ipis: 0,
            invalidating: 0,
            maps,
            seen: Seen::default(),
        });
        Run {
            board: BASES[0],
            policy: "none",
            machine: String::new(),
            mapped_kib: [("all".to_owned(), MAPPED_MAX_KIB)].into(),
            tables: vec![Tables { how: "pooled".to_owned(), tables: 10, pages: 1024, left: 0 }],
            operations: operations.chain(walks).collect(),
        }
    }

    fn failures(run: &Run) -> usize {
        judge(run).iter().filter(|(_, result)| result.is_err()).count()
    }

    #[test]
    fn what_uses_its_budget_up_is_within_it() {
        assert_eq!(failures(&run()), 0);
    }

    #[test]
    fn one_more_of_anything_is_too_much() {
        let spoil: [fn(&mut Run); 9] = [
            |run| run.operations[0].instructions += 1,
            |run| run.operations[1].invalidating += 1,
            |run| run.operations[1].seen.local_pages = 0,
            |run| run.tables[0].tables += 1,
            |run| run.tables[0].left += 1,
            |run| *run.mapped_kib.entry("all".to_owned()).or_default() += 4,
            |run| drop(run.operations.remove(0)),
            |run| run.operations.iter_mut().for_each(|found| found.maps -= found.maps / 20),
            |run| drop(run.operations.pop()),
        ];
        for (number, spoil) in spoil.into_iter().enumerate() {
            let mut run = run();
            spoil(&mut run);
            assert_eq!(failures(&run), 1, "case {number}");
        }
    }
}
