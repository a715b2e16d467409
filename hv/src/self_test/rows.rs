//! Every row, in the order in which they run. A row's name begins with the patch or item that it is an acceptance test of.
//!
//! A new row: a function, and a line in the list of its file.

mod checker;
mod pmap;

use crate::self_test::row::{Early, Late, Row};

/// Rows while PMAP is up.
pub(super) const EARLY: &[Row<Early>] = pmap::EARLY;

/// Rows once every CPU runs.
pub(super) const LATE: &[&[Row<Late>]] = &[checker::ROWS];
