//! The options of `map` and `diff`: which board, and how it is shown.
//!
//! Holds no behaviour.

use clap::{Args, ValueEnum};

use super::{One, Profile};

/// `map`.
#[derive(Debug, Args)]
pub struct Map {
    /// Which board.
    #[command(flatten)]
    pub board: One,
    /// Which image.
    #[arg(long, visible_alias = "flavour", value_enum, default_value_t = Profile::Release)]
    pub profile: Profile,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = MapFormat::Text)]
    pub format: MapFormat,
}

/// How a map is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MapFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Tables, for reviews.
    Md,
    /// A picture.
    Svg,
    /// The picture in a page that zooms.
    Html,
}

/// `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The board as it was: name, file name or path.
    #[arg(value_name = "OLD")]
    pub old: String,
    /// The board as it is.
    #[arg(value_name = "NEW")]
    pub new: String,
    /// Which image.
    #[arg(long, visible_alias = "flavour", value_enum, default_value_t = Profile::Release)]
    pub profile: Profile,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
}

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Text,
    /// A table, for a review's comment.
    Md,
    /// For programs.
    Json,
}
