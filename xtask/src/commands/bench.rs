//! `bench`: instruction counts; fails when two ways of counting disagree, or over budget.

use serde::Serialize;

use crate::bench::{self, boards, linux, memory};
use crate::cli::{Bench, Format, What};
use crate::commands::Context;
use crate::failure::Failure;
use crate::guests::Guest;

/// The report of `bench boards`.
const REPORT: &str = "docs/reports/boards.md";

pub(crate) fn execute(context: &Context, arguments: &Bench) -> Result<(), Failure> {
    match &arguments.what {
        What::Boot { format } => {
            let boot = bench::boot(&context.builder(Guest::Payload))?;
            print(*format, &boot, bench::Boot::text);
            boot.agree()
        }
        What::Boards { write } => {
            let boards = boards::boards(&context.builder(Guest::Described))?;
            print!("{}", boards.markdown());
            if *write {
                let file = context.project.root().join(REPORT);
                std::fs::write(&file, boards.markdown()).map_err(|error| Failure::file("write", &file, &error))?;
            }
            boards.judge()
        }
        What::Calls { format } => {
            let calls = bench::calls(&context.builder(Guest::Payload))?;
            print(*format, &calls, bench::Calls::text);
            over(calls.judge())
        }
        What::Linux { format } => {
            let linux = linux::linux(&context.builder(Guest::Described))?;
            print(*format, &linux, linux::Linux::text);
            over(linux.judge())
        }
        What::Memory { platform, policy, format } => {
            let memory = memory::memory(&context.builder(Guest::Payload), platform.as_deref(), policy.as_deref())?;
            print(*format, &memory, memory::Memory::text);
            let over = |run: &memory::Run| {
                let (board, policy) = (run.board, run.policy);
                let verdicts = memory::judge(run).into_iter();
                let over = verdicts.filter_map(move |(what, result)| Some((what, result.err()?)));
                over.map(move |(what, why)| format!("{board} with policy {policy}: {what}: {why}")).collect::<Vec<_>>()
            };
            let over: Vec<String> = memory.runs.iter().flat_map(over).collect();
            if over.is_empty() { Ok(()) } else { Err(Failure::Run(over.join("\n"))) }
        }
    }
}

/// What is over its budget, if anything is.
fn over(verdicts: Vec<(String, Result<(), String>)>) -> Result<(), Failure> {
    let over: Vec<String> =
        verdicts.into_iter().filter_map(|(what, result)| Some(format!("{what}: {}", result.err()?))).collect();
    if over.is_empty() { Ok(()) } else { Err(Failure::Run(over.join("\n"))) }
}

fn print<T: Serialize>(format: Format, figures: &T, text: impl Fn(&T) -> String) {
    match format {
        Format::Text => print!("{}", text(figures)),
        Format::Json => println!("{:#}", serde_json::json!(figures)),
    }
}
