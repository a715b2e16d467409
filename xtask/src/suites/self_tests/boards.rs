//! The boards that the self-test image runs on: each policy, retention and kind of pools, RAM far apart and of two nodes.
//!
//! The shipped board with the built-in guest, and variants of it with two CPUs.

use super::rows::{Row, When};
use crate::suites::Length;
use crate::suites::variants::Variant;

/// A board, and which rows it is due.
pub(super) struct Board {
    /// A word for it.
    name: &'static str,
    /// What it is, in a phrase.
    pub(super) what: &'static str,
    /// In which runs it is tested.
    pub(super) length: Length,
    /// Which conditions hold on it.
    holds: &'static [When],
    text: fn(base: &str) -> String,
}

/// Those of each architecture, the shipped one first.
pub(super) const BOARDS: [Board; 4] = [
    Board {
        name: "none",
        what: "policy none",
        length: Length::Short,
        holds: &[When::Sparse, When::NoWindow, When::ByPage, When::Elastic, When::Strict],
        text: |_| String::new(),
    },
    Board { name: "full", what: "policy full", length: Length::Short, holds: &[When::Full, When::Elastic], text: full },
    Board {
        name: "far",
        what: "policy on-demand, two nodes 512 GiB apart",
        length: Length::Long,
        holds: &[When::Sparse, When::OnDemand, When::ByPage, When::Elastic, When::Strict, When::Nodes, When::TwoSlots],
        text: far,
    },
    Board {
        name: "fixed",
        what: "policy none, fixed pools by block, lazy map cache",
        length: Length::Short,
        holds: &[When::Sparse, When::NoWindow, When::Fixed, When::Lazy],
        text: fixed,
    },
];

impl Board {
    /// The name of its part of the suite.
    pub(super) fn part(&self, base: &str) -> String {
        format!("{base}-{}", self.name)
    }

    /// The board file; `None` for the shipped one with the built-in guest.
    pub(super) fn variant(&self, base: &'static str) -> Option<Variant> {
        let text = (self.text)(base);
        (!text.is_empty()).then(|| Variant::of(base, &format!("self-test-{}", self.part(base)), self.what, &text))
    }

    /// Whether the row must be reported where the board is made of `base`.
    pub(super) fn is_due(&self, base: &str, row: &Row) -> bool {
        row.1 == When::Always || self.holds.contains(&row.1) || row.1 == When::GuestAt && is_arm(base)
    }
}

fn is_arm(base: &str) -> bool {
    base == "qemu-arm64"
}

/// Two cores of an architecture.
fn cores(base: &str) -> String {
    let key = if is_arm(base) { "mpidr" } else { "apic-id" };
    (0..2).map(|core| format!("[[cpu.core]]\n{key} = {core:#x}\n\n")).collect()
}

fn full(base: &str) -> String {
    cores(base) + "[directmap]\npolicy = \"full\"\n"
}

fn fixed(base: &str) -> String {
    cores(base)
        + "[layout]\nmapcache = { slots-per-cpu = 64, retention = \"lazy\" }\n\n\
           [heap]\npools = \"fixed\"\nsize = \"8 MiB\"\nmapped-by = \"block\"\n"
}

/// 514 GiB, of which the file lists the two ends: a bank that is too small for a block of its own, one more of the same
/// node, and a whole gigabyte of another node behind the second root entry.
fn far(base: &str) -> String {
    // Arm: RAM begins at 1 GiB, the image 2 MiB above it. x86-64: QEMU's q35 has 2 GiB below 4 GiB and the rest above.
    let (banks, machine) = match base {
        "qemu-arm64" => (
            [(0x4020_0000_u64, 0x30_0000_u64, 0), (0x4050_0000, 0x3fb0_0000, 0), (0x80_8000_0000, 1 << 30, 1)],
            "virt,virtualization=on,gic-version=3",
        ),
        _ => ([(0, 0x9_f000, 0), (0x10_0000, 0x3ff0_0000, 0), (0x80_c000_0000, 1 << 30, 1)], "q35"),
    };
    let bank = |(base, bytes, node)| format!("[[memory.bank]]\nbase = {base:#x}\nsize = {bytes:#x}\nnode = {node}\n\n");
    let banks: String = banks.into_iter().map(bank).collect();
    let ram = |id, size| format!("\"-object\", \"memory-backend-ram,id={id},size={size},reserve=off\"");
    let node = |id, memory| format!("\"-numa\", \"node,nodeid={id},memdev={memory},cpus={id}\"");
    let extra = [ram("m0", "513G"), ram("m1", "1G"), node(0, "m0"), node(1, "m1")].join(", ");
    format!(
        "{}{banks}[directmap]\npolicy = \"on-demand\"\n\n\
         [emulator]\nmachine = \"{machine}\"\ncpu = \"max\"\nmemory = \"514 GiB\"\nextra = [{extra}]\n",
        cores(base)
    )
}
