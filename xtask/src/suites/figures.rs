//! What a boot, the memory system's operations, calls and Linux domains cost stays within budgets, on one board.
//!
//! Instructions and operations, never time: the same on every machine.

use super::Bench;
use crate::bench::{self, linux, memory};
use crate::failure::Failure;

/// The board, and the policies that budgets speak of.
const BOARD: &str = memory::BASES[0];
const POLICIES: [&str; 2] = ["none", "full"];

pub(super) fn run(bench: &mut Bench<'_>) {
    let builder = bench.builder;
    match bench::boot(&builder) {
        Ok(boot) => {
            bench.job(format!("{BOARD}: two ways to count a boot agree"), boot.agree());
            let name = format!("{BOARD}: {} instructions to the payload's first", boot.total());
            bench.test(name, boot.within_budget());
        }
        Err(failure) => bench.job("bench boot", Err(failure)),
    }
    for policy in POLICIES {
        match memory::run(&builder, BOARD, policy) {
            Ok(run) => memory::judge(&run).into_iter().for_each(|(what, result)| {
                bench.test(format!("{BOARD} with policy {policy}: {what}"), result);
            }),
            Err(failure) => bench.job(format!("bench memory: {policy}"), Err(failure)),
        }
    }
    judged(bench, "calls", bench::calls(&builder).map(|calls| calls.judge()));
    judged(bench, "linux", linux::linux(&builder).map(|linux| linux.judge()));
}

fn judged(bench: &mut Bench<'_>, what: &str, verdicts: Result<Vec<linux::Verdict>, Failure>) {
    match verdicts {
        Ok(verdicts) => verdicts.into_iter().for_each(|(name, result)| bench.test(format!("{what}: {name}"), result)),
        Err(failure) => bench.job(format!("bench {what}"), Err(failure)),
    }
}
