//! How a job ends badly, and the exit code that says so.
//!
//! The codes are part of the product: scripts tell a wrong board file from a missing tool by them.

use std::fmt;
use std::path::Path;

/// Why a command did not succeed. The variant decides the exit code, the text goes to stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The board file has findings; the text holds them, already rendered. Exit code 1.
    Config(String),
    /// An unknown name or an argument that cannot be meant. Exit code 2.
    Usage(String),
    /// A tool is missing, too old or does not answer. Exit code 3.
    Environment(String),
    /// Generation or compilation failed. Exit code 4.
    Generate(String),
    /// A run or a test failed or took too long. Exit code 5.
    Run(String),
    /// The image is not what the board file asks for. Exit code 6.
    Mismatch(String),
}

impl Failure {
    /// The process exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Config(_) => 1,
            Self::Usage(_) => 2,
            Self::Environment(_) => 3,
            Self::Generate(_) => 4,
            Self::Run(_) => 5,
            Self::Mismatch(_) => 6,
        }
    }

    /// The text for stderr.
    pub fn text(&self) -> &str {
        match self {
            Self::Config(text)
            | Self::Usage(text)
            | Self::Environment(text)
            | Self::Generate(text)
            | Self::Run(text)
            | Self::Mismatch(text) => text,
        }
    }

    /// A file operation that did not work: the disk or its permissions, not the board.
    pub fn file(action: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::Environment(format!("cannot {action} {}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Diagnostics carry their own `error[Ennnn]` heads.
            Self::Config(text) => f.write_str(text),
            other => write!(f, "error: {}", other.text()),
        }
    }
}

impl std::error::Error for Failure {}
