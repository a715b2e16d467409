//! `check`: everything that can be wrong with a board file, without compiling anything.

use std::time::Instant;

use codegen::diagnostic::{Colour, Diagnostics};
use codegen::plan::{Flavour, Plan};

use crate::boards::BoardFile;
use crate::cli::{Check, Format};
use crate::commands::Context;
use crate::failure::Failure;

pub(crate) fn execute(context: &Context, arguments: &Check) -> Result<(), Failure> {
    let mut refused = 0_usize;
    let mut documents = Vec::new();
    let began = Instant::now();
    let mut checked = 0_usize;
    for board in context.boards(&arguments.boards.words())? {
        let outcome = check(&board);
        refused += usize::from(outcome.is_err());
        checked += 1;
        match arguments.format {
            Format::Text => print_text(&board, &outcome),
            Format::Json => documents.push(json(&board, &outcome)?),
        }
    }
    match arguments.format {
        Format::Json => println!("{:#}", serde_json::Value::Array(documents)),
        Format::Text => {
            let good = checked - refused;
            eprintln!(
                "{checked} board files checked in {} ms: {good} ok, {refused} refused",
                began.elapsed().as_millis()
            );
        }
    }
    match refused {
        0 => Ok(()),
        1 => Err(Failure::Config("error: one board file has findings".into())),
        count => Err(Failure::Config(format!("error: {count} board files have findings"))),
    }
}

type Outcome = Result<(Plan, Diagnostics), Diagnostics>;

/// Every flavour: each has extents of its own. The plan is the release image's.
fn check(board: &BoardFile) -> Outcome {
    let (model, mut warnings) = codegen::load(&board.path)?;
    let release = codegen::plan(&model, Flavour::Release)?;
    warnings.append(codegen::headroom(&release));
    for flavour in Flavour::ALL {
        codegen::plan(&model, flavour)?;
    }
    Ok((release, warnings))
}

fn print_text(board: &BoardFile, outcome: &Outcome) {
    match outcome {
        Ok((plan, warnings)) => {
            eprint!("{}", warnings.text(Colour::Never));
            println!("{}: ok, {}, {} warnings", board.name, inspected(plan), warnings.len());
        }
        Err(found) => eprint!("{}", found.text(Colour::Never)),
    }
}

/// What was looked at: an empty check is not a good one.
fn inspected(plan: &Plan) -> String {
    let (physical, regions) = (plan.physical.len(), plan.regions.len());
    let (devices, ranges) = (plan.board.devices.len(), physical + regions);
    let pairs = ranges * ranges.saturating_sub(1) / 2;
    let pages: u64 = plan.mappings.iter().map(|mapping| mapping.frames.frames).sum();
    format!(
        "{} banks, {} CPUs, {devices} devices, {} domains; {physical} physical and {regions} virtual ranges, {pairs} pairs, \
         {pages} mapped pages, {} tables compared",
        plan.board.memory.banks.len(),
        plan.board.cpus.cores.len(),
        plan.domains.len(),
        plan.tables.len()
    )
}

fn json(board: &BoardFile, outcome: &Outcome) -> Result<serde_json::Value, Failure> {
    let (ok, found) = match outcome {
        Ok((_, warnings)) => (true, warnings),
        Err(found) => (false, found),
    };
    let list: serde_json::Value = serde_json::from_str(&found.json())
        .map_err(|error| Failure::Generate(format!("diagnostics are no JSON: {error}")))?;
    Ok(serde_json::json!({ "board": board.name, "file": board.path, "ok": ok, "diagnostics": list }))
}
