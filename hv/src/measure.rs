//! The measured flavour: operations of the memory system, one at a time, between two marks that a counter outside sees.
//!
//! Boots like any image and is compiled as the release image is, so what runs between the marks is the code that ships.
//! Reads no clock and judges nothing: `cargo xtask bench memory` does. Never part of another image.

mod lap;
mod cpus;
mod cache;
mod heap;
mod tables;
mod walks;

pub use cpus::idle;

use paging::FrameRange;

use crate::board::{CPUS, DIRECTMAP, DOMAINS};
use crate::domain::Domains;
use crate::mm::frames::{Node, Order, Owner};
use crate::mm::heap::Policy;
use crate::mm::pmap::Pmap;
use crate::mm::system::{self, System};
use crate::{power, say};

/// A domain that owns the frames that are mapped. It is never entered.
const FABRICATED: Owner = Owner::domain(DOMAINS.len());

/// Nothing is measured before every CPU runs.
pub fn early(_pmap: &Pmap, _memory: &mut System) {}

/// Measures everything, then switches the machine off.
pub fn run(_domains: Domains) -> ! {
    lap::empty();
    let block = system::with(|memory, here| {
        let first = memory.domain.allocate(here, Order::BLOCK, FABRICATED, Node(0));
        FrameRange::new(first.expect("a board has 2 MiB that nobody has been given"), Order::BLOCK.frames())
    });
    cache::operations(block);
    // Under `full` all but the image's slack is shown, where a small domain may lie: no figure of any other.
    if DIRECTMAP.policy != Policy::Full {
        walks::operations();
    }
    tables::count();
    for running in [8, 4, 2, 1].into_iter().filter(|running| *running <= CPUS.len()) {
        cpus::leave_all_but(running);
        heap::operations(running);
    }
    say!("measured");
    power::off()
}
