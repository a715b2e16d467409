//! What an audit has to show, and what it is worth without.
//!
//! Fails closed: a secret that is not found, a CPU without a root and a control that reaches nothing are failures.

use codegen::model::Retention;

use super::Run;
use super::sample::{Context, Cpu, Reached, Stop};

/// Everything that is wrong with the board under audit.
pub(super) fn subject(run: &Run) -> Vec<String> {
    let mut wrong = sampled(run);
    for (number, stop) in run.stops.iter().enumerate() {
        for (cpu, sample) in stop.cpus.iter().enumerate() {
            let at = format!("stop {}, cpu {cpu}", number + 1);
            wrong.extend(reach(run, sample).into_iter().map(|what| format!("{at}: {what}")));
        }
    }
    if run.stops.iter().flat_map(|stop| &stop.cpus).all(|cpu| cpu.context != Context::Guest) {
        wrong.push("no CPU was in guest context at any stop".into());
    }
    wrong
}

/// Everything for which the control proves nothing.
pub(super) fn control(run: &Run) -> Vec<String> {
    let mut wrong = sampled(run);
    for (number, stop) in run.stops.iter().enumerate() {
        let found: u64 = stop.found.iter().sum();
        for (cpu, sample) in stop.cpus.iter().enumerate() {
            let reached = sample.reached.len() as u64;
            if reached < found {
                wrong
                    .push(format!("stop {}, cpu {cpu}: {reached} of {found} pages of secrets are reached", number + 1));
            }
        }
    }
    wrong
}

/// What holds of every run: all of it was looked at, and what was planted is there.
fn sampled(run: &Run) -> Vec<String> {
    let mut wrong = Vec::new();
    if run.stops.is_empty() {
        wrong.push("the machine was never stopped".into());
    }
    let copies = run.stops.iter().filter(|stop| stop.copying > 0).count();
    if copies < run.copies {
        wrong.push(format!("{copies} stops were in a copy, {} were to be", run.copies));
    }
    for domain in &run.planned.plan.domains {
        if !run.planted.iter().any(|planted| planted.domain == domain.name && planted.pages > 0) {
            wrong.push(format!("domain {} planted nothing", domain.name));
        }
    }
    for (number, stop) in run.stops.iter().enumerate() {
        let stop_number = number + 1;
        for (planted, found) in run.planted.iter().zip(&stop.found) {
            if *found < planted.pages {
                let (domain, pages) = (&planted.domain, planted.pages);
                wrong.push(format!("stop {stop_number}: {found} of {pages} pages of {domain} are in RAM"));
            }
        }
        wrong.extend(whole(run, stop).into_iter().map(|what| format!("stop {stop_number}, {what}")));
    }
    wrong
}

fn whole(run: &Run, stop: &Stop) -> Vec<String> {
    let cores = run.planned.plan.board.cpus.cores.len();
    let mut wrong = Vec::new();
    if stop.cpus.len() != cores {
        wrong.push(format!("{} of {cores} CPUs were sampled", stop.cpus.len()));
    }
    for (number, cpu) in stop.cpus.iter().enumerate() {
        wrong.extend(cpu.faults.iter().map(|fault| format!("cpu {number}: {fault}")));
        if cpu.both != 0 {
            wrong.push(format!("cpu {number}: {} bytes can be written and executed", cpu.both));
        }
    }
    wrong
}

/// Secrets that this CPU must not reach: those of domains that are not loaded, those outside the map cache, more than
/// that has slots, and under strict retention all while a guest runs.
fn reach(run: &Run, cpu: &Cpu) -> Vec<String> {
    let layout = &run.planned.plan.board.layout;
    let strict = match layout.mapcache_retention.value {
        Retention::Strict => true,
        Retention::Lazy => false,
    };
    let mut wrong: Vec<String> = cpu.reached.iter().filter_map(|reached| forbidden(run, cpu, reached)).collect();
    if strict && cpu.context == Context::Guest && !cpu.reached.is_empty() {
        wrong.push(format!("{} pages of secrets are mapped while a guest runs", cpu.reached.len()));
    }
    if cpu.reached.len() as u64 > u64::from(layout.mapcache_slots.value) {
        wrong.push(format!("{} pages of secrets are mapped, more than the map cache has slots", cpu.reached.len()));
    }
    wrong
}

fn forbidden(run: &Run, cpu: &Cpu, reached: &Reached) -> Option<String> {
    let planted = &run.planted[reached.planted];
    let owner = run.planned.plan.domains.iter().find(|domain| domain.name == planted.domain);
    let loaded = owner.is_some_and(|domain| domain.vmid == cpu.vmid);
    let (at, region, domain) = (&reached.at, &reached.region, &planted.domain);
    if !loaded {
        Some(format!("a secret of {domain}, which is not loaded here, is mapped at {at} ({region})"))
    } else if region != MAPCACHE {
        Some(format!("a secret of {domain} is mapped at {at}, outside the map cache ({region})"))
    } else {
        None
    }
}

/// The region that the map cache's slots are in.
const MAPCACHE: &str = "map cache";
