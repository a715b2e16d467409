//! What each operation may cost at most. A figure that is missing is over its budget.

use super::Run;

/// KiB of RAM that a release image with two CPUs may map after boot, policy `none`: 0.05 % of 1 GiB.
const MAPPED_MAX_KIB: u64 = 536;
/// An operation's budget.
struct Budget {
    operation: &'static str,
    policy: &'static str,
    instructions: u64,
    /// Invalidations that it must have, all of one page on this CPU; it may have no others.
    local_pages: u64,
}

const BUDGETS: [Budget; 3] = [
    Budget { operation: "map and unmap, retained, hit", policy: "none", instructions: 40, local_pages: 0 },
    Budget { operation: "map and unmap, strict", policy: "none", instructions: 120, local_pages: 1 },
    Budget { operation: "map and unmap, shown by the directmap", policy: "full", instructions: 12, local_pages: 0 },
];

/// Budgets that a run has broken, a sentence each.
pub fn broken(run: &Run) -> Vec<String> {
    let mut sentences = Vec::new();
    let operation = |name: &str| run.operations.iter().find(|operation| operation.name == name);
    for budget in BUDGETS.iter().filter(|budget| budget.policy == run.policy) {
        let Some(found) = operation(budget.operation) else {
            sentences.push(format!("{}: not measured", budget.operation));
            continue;
        };
        if found.instructions > budget.instructions {
            sentences
                .push(format!("{}: {} instructions, at most {}", found.name, found.instructions, budget.instructions));
        }
        if (found.seen.local_pages, found.invalidating) != (budget.local_pages, budget.local_pages) {
            sentences.push(format!(
                "{}: {} invalidations, {} of them local; {} local one(s) are needed",
                found.name, found.invalidating, found.seen.local_pages, budget.local_pages
            ));
        }
    }
    if run.policy == "none" && run.mapped_kib.get("all").is_none_or(|kib| *kib > MAPPED_MAX_KIB) {
        sentences.push(format!("RAM mapped after boot: {:?} KiB, at most {MAPPED_MAX_KIB}", run.mapped_kib.get("all")));
    }
    sentences
}
