//! The checker of break-before-make, on the real tables.

use crate::self_test::WATCHER;
use crate::self_test::bench::Bench;
use crate::self_test::row::{Late, Outcome, Row, ensure};

pub(super) const ROWS: &[Row<Late>] = &[Row { name: "t6: the checker follows every live entry", test: follows_all }];

fn follows_all(_bench: &mut Bench) -> Outcome {
    let lost = WATCHER.lost();
    ensure!(lost == 0, "{lost} entries were not followed");
    Ok(())
}
