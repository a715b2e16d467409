//! Every device tree of Debian's arm64 kernel imports, checks and generates; the committed page says how many of each.
//!
//! The trees are fetched, see [`crate::corpus`]. Generating for all of them takes minutes: with `--long` only.

use super::{Bench, Length};
use crate::corpus::{self, Outcome, Trees};
use crate::failure::Failure;

/// Trees of the package that the figures are about.
const TREES: usize = 1023;
/// Boards that check once RAM, console and bring-up are answered: all but those without GIC virtualization.
const CHECKED_LEAST: usize = 987;
/// Boards that could run guests: 93.1 % in the study of these trees.
const BOOTABLE_LEAST: usize = 952;
/// The committed page.
const PAGE: &str = "docs/corpus.md";

pub(super) fn run(bench: &mut Bench<'_>) {
    let (trees, outcomes) = match examine(bench) {
        Ok(found) => found,
        Err(failure) => return bench.job("corpus", Err(failure)),
    };
    let count = |test: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|one| test(one)).count();
    let checked = count(&|one| one.plan.is_ok());
    let bootable = count(&|one| one.plan.is_ok() && one.class.is_bootable());
    bench.test("all trees are there", at_least(outcomes.len(), TREES));
    bench.test("all import to files that parse", at_least(count(&|one| one.parses), outcomes.len()));
    bench.test("enough check", at_least(checked, CHECKED_LEAST));
    bench.test("enough are bootable in principle", at_least(bootable, BOOTABLE_LEAST));
    let result = current(bench, &trees, &outcomes);
    bench.job("the committed page is current", result);
    if bench.length == Length::Long {
        let refused = outcomes.iter().filter_map(|one| Some((one, codegen::render(one.plan.as_ref().ok()?).err()?)));
        let refused: Vec<_> = refused.map(|(one, error)| format!("{}: {error}", one.tree)).collect();
        bench.test(
            "every board that checks generates",
            if refused.is_empty() { Ok(()) } else { Err(refused.join("\n")) },
        );
    }
}

fn examine(bench: &Bench<'_>) -> Result<(Trees, Vec<Outcome>), Failure> {
    let trees = corpus::fetch(bench.builder.project, bench.builder.host)?;
    let files = corpus::trees(&trees.folder)?;
    let outcomes = files.iter().map(|tree| corpus::examine(&trees.folder, tree)).collect::<Result<_, _>>()?;
    Ok((trees, outcomes))
}

fn at_least(found: usize, least: usize) -> Result<(), String> {
    if found >= least { Ok(()) } else { Err(format!("{found}, at least {least} are expected")) }
}

/// A newer package has other counts: then the page is written anew, by `cargo xtask corpus --write`.
fn current(bench: &Bench<'_>, trees: &Trees, outcomes: &[Outcome]) -> Result<(), Failure> {
    let file = bench.builder.project.root().join(PAGE);
    let page = std::fs::read_to_string(&file).map_err(|error| Failure::file("read", &file, &error))?;
    match page == corpus::markdown(trees, outcomes) {
        true => Ok(()),
        false => Err(Failure::Generate(format!("{PAGE} is not what `cargo xtask corpus --write` would write"))),
    }
}
