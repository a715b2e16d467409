//! `cargo xtask`: reads the command line, runs one command, turns its failure into an exit code.

use std::process::ExitCode;

use clap::Parser;
use xtask::cli::Cli;

fn main() -> ExitCode {
    match xtask::commands::execute(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            eprintln!("{}", text.trim_end());
            ExitCode::from(failure.code())
        }
    }
}
