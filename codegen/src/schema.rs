//! The board file as it is written: one type for each table, one field for each key.
//!
//! Mirrors the file and judges nothing: what values mean, and whether they fit together, is `check`'s task. Every key's
//! comment ends in a line `unit: …; default: …`, from which platforms/README.md is made. A key without default is
//! needed, unless its comment says for which kind.

mod devices;
mod domain;
mod hardware;
mod layout;
mod shape;
mod value;

pub use devices::*;
pub use domain::*;
pub use hardware::*;
pub use layout::*;
pub(crate) use shape::{Field, Kind, Shape, Word};
pub(crate) use value::SizeError;
pub use value::{Place, Size, Written};

use schemars::JsonSchema;
use serde::Deserialize;

/// The edition of the vocabulary that this tool reads.
pub const SCHEMA: u64 = 1;

/// A board file. Tables are optional here so that the rest is still checked when one cannot be read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// Edition of this vocabulary; needed in an inherited file too.
    ///
    /// unit: 1; default: none
    #[schemars(required)]
    pub schema: Option<Written<u64>>,
    /// File to inherit from, relative to this one, a board's or a part that boards share ("soc/zynqmp.toml"); it may not inherit
    /// in turn. Tables under a `[header]` merge key by key,
    /// unless their `kind` differs: then the new table replaces the old. Entries of `[[lists]]` merge by `name`, lists
    /// whose entries have none are replaced, like every other value.
    ///
    /// unit: path; default: inherits nothing
    pub base: Option<Written<String>>,
    /// What the board is.
    #[schemars(required)]
    pub platform: Option<Written<Platform>>,
    /// RAM and what must be left alone in it.
    #[schemars(required)]
    pub memory: Option<Written<Memory>>,
    /// Processors.
    #[schemars(required)]
    pub cpu: Option<Written<Cpu>>,
    /// Interrupt controller.
    #[schemars(required)]
    pub irq: Option<Written<Irq>>,
    /// Timer.
    #[schemars(required)]
    pub timer: Option<Written<Timer>>,
    /// Where the hypervisor's own lines go.
    #[schemars(required)]
    pub console: Option<Written<Console>>,
    /// Devices that a domain may own.
    #[serde(default)]
    pub device: Vec<Written<Device>>,
    /// How the image is entered.
    #[schemars(required)]
    pub boot: Option<Written<Boot>>,
    /// Sizes and places of the hypervisor's own memory.
    #[schemars(required)]
    pub layout: Option<Written<Layout>>,
    /// Which RAM the hypervisor maps by default.
    #[schemars(required)]
    pub directmap: Option<Written<Directmap>>,
    /// Where the hypervisor's own pages come from.
    pub heap: Option<Written<Heap>>,
    /// How guests' tables are kept.
    pub stage2: Option<Written<Stage2>>,
    /// Guests.
    #[serde(default)]
    pub domain: Vec<Written<Domain>>,
    /// How `cargo xtask run` starts the board; never part of the image. A board without this table runs on hardware only.
    pub emulator: Option<Written<Emulator>>,
}
