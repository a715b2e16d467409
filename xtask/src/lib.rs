//! Tabula's command line as a library: jobs first, then one small file per command.
//!
//! Results go to stdout, everything else to stderr; [`failure::Failure`] says how a job ended badly.

pub mod cli;
pub mod commands;

pub mod boards;
pub mod planned;
pub mod generate;
pub mod guests;
pub mod compile;
pub mod flat;
pub mod manifest;
pub mod boot_script;
pub mod build;
pub mod verify;
pub mod symbols;
pub mod emulator;
pub mod audit;
pub mod bench;
pub mod import;
pub mod corpus;
pub mod cpu_time;
pub mod suites;
pub mod tidy;
pub mod doctor;
pub mod failure;
pub mod host;
pub mod packages;
pub mod process;
pub mod project;
pub mod toolchain;
