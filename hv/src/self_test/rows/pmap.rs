//! PMAP: its slots are enough.

use crate::board::PMAP;
use crate::self_test::bench::EarlyBench;
use crate::self_test::row::{Early, Outcome, Row, ensure};

pub(super) const EARLY: &[Row<Early>] = &[Row { name: "p6: boot stays below the slots of pmap", test: high_water }];

/// The first row: nobody but boot has mapped anything.
fn high_water(bench: &EarlyBench<'_>) -> Outcome {
    let most = bench.pmap.high_water();
    ensure!(most > 0, "boot builds roots through pmap, and it counted no page");
    ensure!(most < PMAP.slots, "boot had {most} pages mapped at once, of {} slots", PMAP.slots);
    Ok(())
}
