//! `bench`: what is counted, and for which board.
//!
//! Holds no behaviour.

use clap::{Args, Subcommand};

use super::Format;

/// `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// What to count.
    #[command(subcommand)]
    pub what: What,
}

/// What `bench` counts.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Instructions from entry to the payload's first instruction, one CPU, 1 GiB.
    Boot {
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Instructions and operations of the memory system, one by one, on each architecture and by policy.
    Memory {
        /// A board only: `qemu-arm64` or `qemu-x86_64` [default: both]
        #[arg(short, long = "platform", value_name = "BOARD")]
        platform: Option<String>,
        /// A directmap policy only: `none`, `on-demand` or `full` [default: each]
        #[arg(long, value_name = "POLICY")]
        policy: Option<String>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Milliseconds and memory of importing, checking and planning: every board, and a thousand imported ones.
    Boards {
        /// Write docs/reports/boards.md.
        #[arg(long)]
        write: bool,
    },
    /// Instructions that Debian's kernels cost the hypervisor, from its entry to their ends, one CPU, 1 GiB.
    Linux {
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Instructions of a guest's calls under each directmap policy, one CPU, 1 GiB.
    Calls {
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}
