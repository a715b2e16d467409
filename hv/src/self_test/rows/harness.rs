//! The harness itself: what the other rows rely on.

use core::sync::atomic::{AtomicU64, Ordering};

use paging::VirtAddr;

use crate::arch::this;
use crate::board::SECTIONS;
use crate::self_test::bench::Bench;
use crate::self_test::job::Job;
use crate::self_test::probe::Probe;
use crate::self_test::row::{Late, Outcome, Row, ensure};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("harness: every cpu answers for itself", every_cpu_answers),
    Row::new("harness: a probe tells code, constants and variables apart", a_probe_tells_apart),
    Row::new("harness: a load reads what is there and survives what is not", a_load_reads),
];

fn every_cpu_answers(bench: &mut Bench) -> Outcome {
    for cpu in bench.cpus() {
        let who = bench.ask(cpu, Job::WhoAmI, [0; 2])?;
        ensure!(who == cpu.get() as u64, "cpu {who} answers for cpu {cpu}");
    }
    Ok(())
}

fn a_probe_tells_apart(bench: &mut Bench) -> Outcome {
    let [text, rodata, _, data] = &SECTIONS;
    for cpu in bench.cpus() {
        for (section, writable, executable) in [(text, false, true), (rodata, false, false), (data, true, false)] {
            let frame = paging::Frame::containing(section.base);
            let probe = bench.probe(cpu, section.link)?;
            let expected = Probe::Page { frame, writable, executable };
            ensure!(probe == expected, "cpu {cpu} sees {} as {probe}, not {expected}", section.name);
        }
    }
    Ok(())
}

fn a_load_reads(_bench: &mut Bench) -> Outcome {
    static WORD: AtomicU64 = AtomicU64::new(0);
    let at = VirtAddr::new(&raw const WORD as u64);
    for value in [0x5a5a_0001, u64::MAX] {
        WORD.store(value, Ordering::SeqCst);
        ensure!(this::probe::load(at) == Some(value), "a load of {at} misses what was stored");
    }
    let nowhere = VirtAddr::new(0);
    ensure!(this::probe::load(nowhere).is_none(), "a load of {nowhere} comes back");
    Ok(())
}
