//! What a boot, the memory system's operations, calls and Linux domains cost stays within budgets, on one board.
//!
//! Instructions and operations, never time: the same on every machine. The committed report says the same.

use super::Bench;
use crate::bench::{self, linux, memory};
use crate::failure::Failure;

/// The board, and the policies that budgets speak of.
const BOARD: &str = memory::BASES[0];
const POLICIES: [&str; 2] = ["none", "full"];

pub(super) fn run(bench: &mut Bench<'_>) {
    let builder = bench.builder;
    let report = builder.project.root().join(memory::REPORT);
    let report = std::fs::read_to_string(&report).map_err(|error| Failure::file("read", &report, &error));
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
            Ok(run) => {
                for (what, result) in memory::judge(&run) {
                    bench.test(format!("{BOARD} with policy {policy}: {what}"), result);
                }
                let report = report.as_ref().map_err(Failure::to_string);
                let agrees = report.and_then(|report| memory::agrees(report, &run));
                bench.test(format!("{BOARD} with policy {policy}: {} says so", memory::REPORT), agrees);
            }
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
