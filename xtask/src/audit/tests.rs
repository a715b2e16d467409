//! What a verdict is worth: each thing that can be missing from an audit, or wrong with a machine, is noticed.

use std::collections::BTreeMap;

use super::sample::{Context, Cpu, Reached, Stop};
use super::secret::Planted;
use super::{Run, verdict};
use crate::boards::{BoardFile, Place};
use crate::cli::Profile;
use crate::planned::Planned;

/// One stop of a board of ours with one domain at which nothing is wrong.
fn good() -> Run {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../platforms/zcu102.toml");
    let file = BoardFile { name: "zcu102".into(), path, place: Place::Elsewhere };
    let planned = Planned::new(&file, Profile::Release).expect("a board of ours");
    let planted = planned.plan.domains.iter().map(|domain| Planted { domain: domain.name.clone(), pages: 10, seed: 1 });
    let planted: Vec<_> = planted.collect();
    let cpus = planned.plan.board.cpus.cores.iter().map(|_| cpu()).collect();
    let stop = Stop { cpus, found: vec![10; planted.len()], copying: 0 };
    Run { planned, planted, stops: vec![stop], copies: 0 }
}

fn cpu() -> Cpu {
    Cpu {
        context: Context::Guest,
        vmid: 1,
        mapped: BTreeMap::new(),
        bytes: 4096,
        both: 0,
        tables: 1,
        reached: Vec::new(),
        faults: Vec::new(),
    }
}

fn reached(region: &str) -> Reached {
    Reached { planted: 0, at: "0x1000".into(), region: region.into() }
}

/// What the verdict says of a run that was changed.
#[track_caller]
fn found(change: impl FnOnce(&mut Run), phrase: &str) {
    let mut run = good();
    change(&mut run);
    let wrong = verdict::subject(&run).join("\n");
    assert!(wrong.contains(phrase), "expected `{phrase}` in `{wrong}`");
}

#[test]
fn nothing_is_wrong_with_a_good_run() {
    assert_eq!(verdict::subject(&good()), [""; 0]);
}

#[test]
fn what_was_not_looked_at_is_noticed() {
    found(|run| run.stops.clear(), "never stopped");
    found(|run| run.copies = 1, "0 stops were in a copy, 1 were to be");
    found(|run| drop(run.stops[0].cpus.pop()), "3 of 4 CPUs were sampled");
    found(|run| run.stops[0].cpus[2].faults.push("its root is gone".into()), "cpu 2: its root is gone");
    found(|run| run.planted.clear(), "planted nothing");
    found(|run| run.stops[0].found[0] = 9, "9 of 10 pages");
    found(
        |run| run.stops[0].cpus.iter_mut().for_each(|cpu| cpu.context = Context::Idle),
        "no CPU was in guest context",
    );
}

#[test]
fn what_must_not_be_mapped_is_noticed() {
    let with =
        |cpu: usize, region: &'static str| move |run: &mut Run| run.stops[0].cpus[cpu].reached.push(reached(region));
    found(with(1, "heap"), "cpu 1: a secret of payload is mapped at 0x1000, outside the map cache");
    found(with(1, "map cache"), "mapped while a guest runs");
    found(|run| run.stops[0].cpus[3].both = 4096, "cpu 3: 4096 bytes can be written and executed");
    found(
        |run| {
            run.stops[0].cpus[0].vmid = 2;
            run.stops[0].cpus[0].reached.push(reached("map cache"));
        },
        "which is not loaded here",
    );
    found(
        |run| {
            run.stops[0].cpus[0].context = Context::Hypervisor;
            run.stops[0].cpus[0].reached = vec![reached("map cache"); 1000];
        },
        "more than the map cache has slots",
    );
}

#[test]
fn the_hypervisor_may_have_what_it_works_on() {
    let mut run = good();
    run.stops[0].cpus[0].context = Context::Hypervisor;
    run.stops[0].cpus[0].reached.push(reached("map cache"));
    assert_eq!(verdict::subject(&run), [""; 0]);
}

#[test]
fn a_control_that_does_not_reach_everything_proves_nothing() {
    let mut run = good();
    for cpu in &mut run.stops[0].cpus {
        cpu.reached = vec![reached("directmap"); 10];
    }
    assert_eq!(verdict::control(&run), [""; 0]);
    run.stops[0].cpus[3].reached.pop();
    assert_eq!(verdict::control(&run), ["stop 1, cpu 3: 9 of 10 pages of secrets are reached"]);
}
