//! Every row, in the order in which they run. A row's name begins with the patch or item that it is an acceptance test of.
//!
//! A new row: a function, a line in the list of its file, its name in xtask's list.

pub(super) mod checker;
mod harness;
pub(super) mod pmap;
mod roots;
mod power;
mod tables;
mod guards;
pub(super) mod stacks;
pub(super) mod windows;
pub(super) mod mapcache;
mod policy;
mod domains;
mod walks;
mod nodes;
pub(super) mod heap;
mod vmap;
pub(super) mod sizes;

use crate::self_test::row::{Early, Late, Row};

/// Rows while PMAP is up.
pub(super) const EARLY: &[Row<Early>] = pmap::EARLY;

/// Rows once every CPU runs.
pub(super) const LATE: &[&[Row<Late>]] = &[
    harness::ROWS,
    checker::ROWS,
    pmap::ROWS,
    roots::ROWS,
    power::ROWS,
    tables::ROWS,
    guards::ROWS,
    stacks::ROWS,
    windows::ROWS,
    mapcache::ROWS,
    policy::ROWS,
    domains::ROWS,
    walks::ROWS,
    nodes::ROWS,
    heap::ROWS,
    vmap::ROWS,
    sizes::ROWS,
    checker::LAST,
    mapcache::LAST,
];
