//! `matrix`: a job for each board that has a file, as the systems that run jobs read it.

use codegen::model::Arch;
use serde_json::{Value, json};

use crate::boards;
use crate::cli::{Matrix, MatrixFormat, Profile};
use crate::commands::Context;
use crate::failure::Failure;
use crate::planned::Planned;

/// One board's job.
struct Job {
    board: String,
    arch: &'static str,
    /// `run` where an emulator knows the board, else `build`, which verifies too.
    command: &'static str,
}

pub(crate) fn execute(context: &Context, arguments: &Matrix) -> Result<(), Failure> {
    let jobs = boards::all(&context.project)?.iter().map(job).collect::<Result<Vec<_>, _>>()?;
    match arguments.format {
        MatrixFormat::Github => println!("{}", json!({ "include": list(&jobs) })),
        MatrixFormat::Json => println!("{:#}", Value::Array(list(&jobs))),
        MatrixFormat::Gitlab => jobs.iter().for_each(|job| print!("{}", gitlab(job))),
    }
    Ok(())
}

fn job(board: &boards::BoardFile) -> Result<Job, Failure> {
    let plan = Planned::new(board, Profile::Release)?.plan;
    let arch = match plan.board.arch {
        Arch::Aarch64 => "aarch64",
        Arch::X86_64 => "x86_64",
    };
    let command = if plan.board.emulator.is_some() { "run" } else { "build" };
    Ok(Job { board: board.name.clone(), arch, command })
}

fn list(jobs: &[Job]) -> Vec<Value> {
    let value = |job: &Job| json!({ "board": job.board, "arch": job.arch, "command": job.command });
    jobs.iter().map(value).collect()
}

/// A job of a child pipeline.
fn gitlab(Job { board, command, .. }: &Job) -> String {
    format!("{board}:\n  script:\n    - cargo xtask {command} --platform {board} --toolchain distro\n\n")
}
