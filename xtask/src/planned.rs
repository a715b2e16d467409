//! A board file read, checked and planned: what every job starts from.
//!
//! The one place where findings of the generator become a failure of a command.

use std::path::Path;

use codegen::diagnostic::{Colour, Diagnostics};
use codegen::plan::{Flavour, Plan};

use crate::boards::{BoardFile, Place};
use crate::cli::Profile;
use crate::failure::Failure;

/// A board ready to be generated.
#[derive(Debug)]
pub struct Planned {
    /// Its file.
    pub file: BoardFile,
    /// Its plan.
    pub plan: Plan,
}

impl Planned {
    /// Reads, checks and plans; warnings go to stderr.
    pub fn new(file: &BoardFile, profile: Profile) -> Result<Self, Failure> {
        let (board, warnings) = codegen::load(&file.path).map_err(|found| findings(&found))?;
        if !warnings.is_empty() {
            eprintln!("{}", warnings.text(Colour::Never).trim_end());
        }
        let plan = codegen::plan(&board, profile.flavour()).map_err(|found| findings(&found))?;
        Ok(Self { file: file.clone(), plan })
    }

    /// Whether its generated files are committed.
    pub fn is_ours(&self) -> bool {
        self.file.place == Place::Ours
    }

    /// The folder that holds the board file; images are named relative to it.
    pub fn folder(&self) -> &Path {
        self.file.path.parent().unwrap_or(Path::new("."))
    }
}

/// Rendered findings as a failure.
pub fn findings(found: &Diagnostics) -> Failure {
    Failure::Config(found.text(Colour::Never))
}

impl Profile {
    /// Those whose generated files are committed.
    pub const ALL: [Self; 3] = [Self::Release, Self::Debug, Self::SelfTest];

    /// The word on the command line and in folder names.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Debug => "debug",
            Self::SelfTest => "self-test",
            Self::Measure => "measure",
            Self::MeasureChecked => "measure-checked",
        }
    }

    /// The generator's word for it.
    pub const fn flavour(self) -> Flavour {
        match self {
            Self::Release | Self::Measure => Flavour::Release,
            Self::Debug | Self::MeasureChecked => Flavour::Debug,
            Self::SelfTest => Flavour::SelfTest,
        }
    }

    /// The cargo profile that compiles it.
    pub const fn cargo_profile(self) -> &'static str {
        match self {
            Self::Release | Self::Measure => "image",
            Self::Debug | Self::MeasureChecked => "image-debug",
            Self::SelfTest => "image-self-test",
        }
    }

    /// The feature that cargo compiles it with.
    pub const fn feature(self) -> &'static str {
        match self {
            Self::Release | Self::Debug => "image",
            Self::SelfTest => "self-test",
            Self::Measure | Self::MeasureChecked => "measure",
        }
    }

    /// The binary that is the image.
    pub const fn binary(self) -> &'static str {
        match self {
            Self::Release | Self::Debug => "tabula",
            Self::SelfTest => "tabula-self-test",
            Self::Measure | Self::MeasureChecked => "tabula-measure",
        }
    }
}
