//! One small file per command: reads its arguments, calls jobs, prints their result.

mod run;
mod build;
mod check;
mod generate;
mod expand;
mod import;
mod corpus;
mod map;
mod verify;
mod explain;
mod diff;
mod new;
mod matrix;
mod schema;
mod list;
mod doctor;
mod tidy;
mod audit;
mod bench;
mod test;

use std::path::{Path, PathBuf};

use crate::boards::{self, BoardFile};
use crate::build::Builder;
use crate::cli::{Cli, Command};
use crate::failure::Failure;
use crate::guests::Guest;
use crate::host::Host;
use crate::project::Project;
use crate::toolchain::Source;

/// What every command starts with.
pub(crate) struct Context {
    /// The project.
    pub(crate) project: Project,
    /// The machine.
    pub(crate) host: Host,
    /// `--toolchain`.
    pub(crate) toolchain: Option<Source>,
    /// The folder that paths on the command line start at.
    pub(crate) from: PathBuf,
}

impl Context {
    /// The boards that words mean.
    pub(crate) fn boards(&self, words: &[String]) -> Result<Vec<BoardFile>, Failure> {
        boards::resolve(&self.project, &self.from, words)
    }

    /// The board that a word means.
    pub(crate) fn board(&self, word: &str) -> Result<BoardFile, Failure> {
        boards::resolve_one(&self.project, &self.from, word)
    }

    /// Builds with this machine's toolchain.
    pub(crate) fn builder(&self, guest: Guest) -> Builder<'_> {
        Builder { project: &self.project, host: &self.host, toolchain: self.toolchain, guest }
    }

    /// A file of a folder as a person would type it from the project's root.
    pub(crate) fn shown(&self, folder: &Path, file: &str) -> String {
        self.project.display(&folder.join(file)).to_string()
    }
}

/// Runs one command.
pub fn execute(cli: Cli) -> Result<(), Failure> {
    let from = std::env::current_dir()
        .map_err(|error| Failure::Environment(format!("there is no working directory: {error}")))?;
    let project = Project::enter()?;
    let context = Context { project, host: Host::current(), toolchain: cli.toolchain, from };
    match cli.command {
        Command::Run(arguments) => run::execute(&context, &arguments),
        Command::Build(arguments) => build::execute(&context, &arguments),
        Command::Check(arguments) => check::execute(&context, &arguments),
        Command::Gen(arguments) => generate::execute(&context, &arguments),
        Command::Expand(arguments) => expand::execute(&context, &arguments),
        Command::Import(arguments) => import::execute(&context, &arguments),
        Command::Corpus(arguments) => corpus::execute(&context, &arguments),
        Command::Map(arguments) => map::execute(&context, &arguments),
        Command::Verify(arguments) => verify::execute(&context, &arguments),
        Command::Explain(arguments) => explain::execute(&context, &arguments),
        Command::Diff(arguments) => diff::execute(&context, &arguments),
        Command::New(arguments) => new::execute(&context, &arguments),
        Command::Matrix(arguments) => matrix::execute(&context, &arguments),
        Command::Schema => schema::execute(),
        Command::List(arguments) => list::execute(&context, &arguments),
        Command::Doctor(arguments) => doctor::execute(&context, &arguments),
        Command::Tidy => tidy::execute(&context),
        Command::Audit(arguments) => audit::execute(&context, &arguments),
        Command::Bench(arguments) => bench::execute(&context, &arguments),
        Command::Test(arguments) => test::execute(&context, &arguments),
    }
}
