//! An audit's result, for people and for programs.
//!
//! Every figure is one that was counted; percentages are of all RAM.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::sample::{Context, Cpu, Mapped};
use super::{Run, verdict};
use crate::failure::Failure;

/// A board under audit, beside its control.
#[derive(Debug)]
pub struct Report {
    subject: Run,
    control: Run,
    wrong: Vec<String>,
    void: Vec<String>,
}

/// Findings printed one by one.
const PRINTED: usize = 20;

impl Report {
    /// Judges both runs.
    pub(super) fn new(subject: Run, control: Run) -> Self {
        let (wrong, void) = (verdict::subject(&subject), verdict::control(&control));
        Self { subject, control, wrong, void }
    }

    /// Whether the board keeps its secrets and the control does not.
    pub fn verdict(&self) -> Result<(), Failure> {
        if !self.void.is_empty() {
            return Err(Failure::Run(listed("the control proves nothing, so the audit is void", &self.void)));
        }
        if !self.wrong.is_empty() {
            return Err(Failure::Run(listed("the audit found what must not be", &self.wrong)));
        }
        Ok(())
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = one(&self.subject);
        text.push_str(&one(&self.control));
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let run = |run: &Run, findings: &[String]| {
            json!({
                "board": run.planned.plan.board.name,
                "policy": run.planned.plan.board.directmap.value.word(),
                "ram-bytes": ram_bytes(run),
                "planted": run.planted,
                "stops": run.stops,
                "findings": findings,
            })
        };
        json!({ "subject": run(&self.subject, &self.wrong), "control": run(&self.control, &self.void) })
    }
}

fn listed(head: &str, findings: &[String]) -> String {
    let mut text = head.to_owned();
    for finding in findings.iter().take(PRINTED) {
        text.push_str("\n  ");
        text.push_str(finding);
    }
    match findings.len().saturating_sub(PRINTED) {
        0 => text,
        more => format!("{text}\n  and {more} more"),
    }
}

fn cpus(run: &Run) -> impl Iterator<Item = &Cpu> {
    run.stops.iter().flat_map(|stop| &stop.cpus)
}

fn ram_bytes(run: &Run) -> u64 {
    run.planned.plan.board.memory.banks.iter().map(|bank| bank.frames.bytes()).sum()
}

/// The most that any CPU had mapped at any stop, region by region.
fn most(run: &Run) -> BTreeMap<&str, Mapped> {
    let mut most: BTreeMap<&str, Mapped> = BTreeMap::new();
    for (region, mapped) in cpus(run).flat_map(|cpu| &cpu.mapped) {
        let row = most.entry(region).or_default();
        row.bytes = row.bytes.max(mapped.bytes);
        row.writable = row.writable.max(mapped.writable);
        row.executable = row.executable.max(mapped.executable);
    }
    most
}

fn one(run: &Run) -> String {
    let board = &run.planned.plan.board;
    let (count, cores) = (run.stops.len(), board.cpus.cores.len());
    let mut text =
        format!("{}, directmap {}: {count} stops of {cores} CPUs\n", board.name, board.directmap.value.word());
    let mut line = |line: String| writeln!(text, "{line}").expect("text can always grow");
    let at = |context| cpus(run).filter(|cpu| cpu.context == context).count();
    let (hypervisor, guest, idle) = (at(Context::Hypervisor), at(Context::Guest), at(Context::Idle));
    line(format!("  contexts          {hypervisor} in the hypervisor, {guest} in a guest, {idle} idle"));
    let copies = run.stops.iter().filter(|stop| stop.copying > 0).count();
    line(format!("  in a copy         {copies} stops"));
    line(format!("  {:<28} {:>10} {:>10} {:>10}", "mapped on a CPU, at most", "KiB", "writable", "executable"));
    for (region, Mapped { bytes, writable, executable }) in most(run) {
        let [bytes, writable, executable] = [bytes, writable, executable].map(|bytes| bytes >> 10);
        line(format!("    {region:<26} {bytes:>10} {writable:>10} {executable:>10}"));
    }
    let [bytes, both, tables] = [|cpu: &Cpu| cpu.bytes, |cpu: &Cpu| cpu.both, |cpu: &Cpu| cpu.tables]
        .map(|of| cpus(run).map(of).max().unwrap_or(0));
    let percent = bytes as f64 * 100.0 / ram_bytes(run) as f64;
    line(format!(
        "  RAM in all        {} KiB, {percent:.3} %, {} KiB writable and executable",
        bytes >> 10,
        both >> 10
    ));
    line(format!("  tables            {tables}"));
    for (number, planted) in run.planted.iter().enumerate() {
        let found = run.stops.iter().map(|stop| stop.found[number]);
        let (least, greatest) = (found.clone().min().unwrap_or(0), found.max().unwrap_or(0));
        let reached = cpus(run).map(|cpu| cpu.reached.iter().filter(|page| page.planted == number).count());
        line(format!(
            "  secrets of {}: {} pages planted, {least} to {greatest} found in RAM, at most {} reached by a CPU",
            planted.domain,
            planted.pages,
            reached.max().unwrap_or(0)
        ));
    }
    for (stop, cpu, page) in retained(run) {
        let domain = &run.planted[page.0].domain;
        line(format!("    stop {stop}, cpu {cpu}: {} of {domain}", page.1));
    }
    text
}

/// Each secret that was mapped somewhere, where they are few.
fn retained(run: &Run) -> Vec<(usize, usize, (usize, &str))> {
    let all = run.stops.iter().enumerate().flat_map(|(stop, sample)| {
        sample.cpus.iter().enumerate().flat_map(move |(cpu, sample)| {
            sample.reached.iter().map(move |page| (stop + 1, cpu, (page.planted, page.at.as_str())))
        })
    });
    let all: Vec<_> = all.collect();
    if all.len() <= PRINTED { all } else { Vec::new() }
}
