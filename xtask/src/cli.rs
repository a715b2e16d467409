//! The command line: every command, every option, in words that `--help` prints.
//!
//! Holds no behaviour; each command's file in [`crate::commands`] does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::guests::Guest;
use crate::toolchain::Source;

mod bench;
mod import;
mod map;

pub use bench::{Bench, What};
pub use import::{Conduit, EnableMethod, Given, Import};
pub use map::{Diff, DiffFormat, Map, MapFormat};

/// Turns a board file into a running hypervisor.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Take the bare-metal `core` from here, and from nowhere else.
    #[arg(long, global = true, value_name = "SOURCE")]
    pub toolchain: Option<Source>,
}

const EXIT_CODES: &str = "Exit codes: 0 ok; 1 the board file has findings; 2 wrong usage or unknown \
name; 3 a tool is missing; 4 generation or compilation failed; 5 a run or test failed or took too \
long; 6 the image is not what the board file asks for.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build a board's image and start it in its emulator.
    Run(Run),
    /// Check, generate, compile, link, verify and pack.
    Build(Build),
    /// Check board files; compiles nothing.
    Check(Check),
    /// Write generated/<board>/ from platforms/<board>.toml.
    Gen(Gen),
    /// Print a board file with its base merged in.
    Expand(One),
    /// Write a board file from a device tree.
    Import(Box<Import>),
    /// Import every device tree of Debian's arm64 kernel, and count what comes of it.
    Corpus(Corpus),
    /// Show where everything lies, physical and virtual.
    Map(Map),
    /// Compare a linked image with its plan.
    Verify(Verify),
    /// Explain a diagnostic code, or an address of a board.
    Explain(Explain),
    /// Say what changed between two boards.
    Diff(Diff),
    /// Write the smallest file of a new board.
    New(New),
    /// Print a job for each board.
    Matrix(Matrix),
    /// Print the board file's JSON schema.
    Schema,
    /// List the boards.
    List(List),
    /// Show each tool: version, purpose, what is missing and how to get it.
    Doctor(Doctor),
    /// Check the house rules that a program can check.
    Tidy,
    /// Stop the running machine and show what each CPU can reach.
    Audit(Audit),
    /// Count instructions.
    Bench(Bench),
    /// Run the test suites.
    Test(Test),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Which image of a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Optimised, small extents.
    Release,
    /// With checks, larger extents.
    Debug,
    /// With checks, and tests of the hypervisor in the place of domains.
    SelfTest,
    /// Optimised as the release image, with operations to be counted in the place of domains; `bench memory` builds it.
    #[value(skip)]
    Measure,
    /// The same operations, with checks.
    #[value(skip)]
    MeasureChecked,
}

/// One board or several.
#[derive(Debug, Args)]
pub struct Boards {
    /// A board: name (in platforms/, then in the folders of TABULA_PLATFORMS), file name, path, or `all`; may be repeated.
    #[arg(short, long = "platform", value_name = "BOARD", required = true)]
    pub platform: Vec<String>,
}

/// Boards with a default.
#[derive(Debug, Args)]
pub struct BoardsOrAll {
    /// A board: name, file name, path, or `all`; may be repeated [default: all]
    #[arg(short, long = "platform", value_name = "BOARD")]
    pub platform: Vec<String>,
    /// The same without `-p`.
    #[arg(value_name = "BOARD")]
    pub boards: Vec<String>,
}

impl BoardsOrAll {
    /// The words given, or `all`.
    pub fn words(&self) -> Vec<String> {
        let words: Vec<String> = self.platform.iter().chain(&self.boards).cloned().collect();
        if words.is_empty() { vec!["all".into()] } else { words }
    }
}

/// Exactly one board.
#[derive(Debug, Args)]
pub struct One {
    /// The board: name, file name or path.
    #[arg(short, long, value_name = "BOARD")]
    pub platform: String,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Board and image.
    #[command(flatten)]
    pub build: Build,
    /// Stop after this many seconds and call it a failure.
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    pub timeout: u64,
    /// Wait for a debugger on TCP port 1234; no timeout.
    #[arg(long)]
    pub gdb: bool,
    /// Print the emulator's command line and stop there.
    #[arg(long)]
    pub print_command: bool,
    /// Further arguments of the emulator.
    #[arg(last = true, value_name = "EMULATOR ARGS")]
    pub emulator: Vec<String>,
}

/// `build`.
#[derive(Debug, Args)]
pub struct Build {
    /// Which boards.
    #[command(flatten)]
    pub boards: Boards,
    /// Which image.
    #[arg(long, visible_alias = "flavour", value_enum, default_value_t = Profile::Release)]
    pub profile: Profile,
    /// Pack the guests that the board file names, or the built-in one for every domain.
    #[arg(long, value_enum, default_value_t = Guest::Described)]
    pub guest: Guest,
    /// How to report section use.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Which boards.
    #[command(flatten)]
    pub boards: BoardsOrAll,
    /// How to report findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `gen`.
#[derive(Debug, Args)]
pub struct Gen {
    /// Which boards.
    #[command(flatten)]
    pub boards: BoardsOrAll,
    /// Write nothing; fail when what is there is not what would be written.
    #[arg(long)]
    pub check: bool,
}

/// `matrix`.
#[derive(Debug, Args)]
pub struct Matrix {
    /// Whose jobs.
    #[arg(long, value_enum)]
    pub format: MatrixFormat,
}

/// Systems that run jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MatrixFormat {
    /// A strategy's matrix.
    Github,
    /// A child pipeline.
    Gitlab,
    /// A list.
    Json,
}

/// `new`.
#[derive(Debug, Args)]
pub struct New {
    /// The board's name.
    pub name: String,
    /// The board that it inherits from.
    #[arg(long, value_name = "BOARD", default_value = "qemu-arm64")]
    pub like: String,
}

/// `corpus`.
#[derive(Debug, Args)]
pub struct Corpus {
    /// Only trees whose path holds this.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Print a line for each board.
    #[arg(long)]
    pub each: bool,
    /// Write docs/corpus.md.
    #[arg(long)]
    pub write: bool,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Which board.
    #[command(flatten)]
    pub board: One,
    /// Which image.
    #[arg(long, visible_alias = "flavour", value_enum, default_value_t = Profile::Release)]
    pub profile: Profile,
    /// The ELF file [default: what `build` left]
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A code, for example E0203, or an address on a board, physical, virtual or a guest's.
    #[arg(value_name = "CODE or ADDRESS")]
    pub what: String,
    /// The board, for an address.
    #[arg(short, long, value_name = "BOARD")]
    pub platform: Option<String>,
    /// Which image.
    #[arg(long, visible_alias = "flavour", value_enum, default_value_t = Profile::Release)]
    pub profile: Profile,
}

/// `list`.
#[derive(Debug, Args)]
pub struct List {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Which board.
    #[command(flatten)]
    pub board: One,
    /// Which image.
    #[arg(long, visible_alias = "flavour", value_enum, default_value_t = Profile::Release)]
    pub profile: Profile,
    /// How often the machine is stopped.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub stops: usize,
    /// Look at the guests that the board file names, or at the built-in one in every domain.
    #[arg(long, value_enum, default_value_t = Guest::Described)]
    pub guest: Guest,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Name the suites and stop there.
    #[arg(long)]
    pub list: bool,
    /// Run only suites whose name holds this; `boots/BOARD` and `self-tests/BOARD` run one board's
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Run what takes long, too, and give the mutation loop ten minutes instead of one.
    #[arg(long)]
    pub long: bool,
}
