//! Every leaf of every CPU's root: where the plan has it, never writable code, never an identity page; and page 0.
//!
//! Controls put an entry into the table of PMAP, which every CPU shares and nobody uses any more.

use paging::{Entry, Frame, HostAccess, HostAttributes, Index, Level, Memory, PAGE_BYTES, Root, VirtAddr};

use crate::arch::this::{self, HostFormat};
use crate::board::{BOOT, PMAP, SECTIONS};
use crate::cpu::CpuIndex;
use crate::image;
use crate::mm::system;
use crate::say;
use crate::self_test::bench::Bench;
use crate::self_test::job::{Job, NOWHERE};
use crate::self_test::live::{self, Class};
use crate::self_test::probe::Probe;
use crate::self_test::row::{Failure, Late, Outcome, Row, When, control, ensure};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("overall: every leaf is one that the plan has", planned_leaves),
    Row::when(When::Sparse, "overall: a walk finds as much RAM mapped as the books say", as_booked),
    Row::new("w^x: no live leaf of any cpu lets code be written", no_writable_code),
    Row::new("identity: no root but the turn-on root has an identity page", no_identity),
    Row::new("page 0: nothing is mapped there", page_0),
];

const CODE: HostAttributes = HostAttributes::new(HostAccess::Execute, Memory::Normal);
const CONSTANTS: HostAttributes = HostAttributes::new(HostAccess::Read, Memory::Normal);
const DATA: HostAttributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);

/// Puts an entry into slot `slot` of the table that holds PMAP, counted from PMAP's first, while `look` runs.
pub(super) fn with_entry<T>(slot: usize, entry: Entry, look: impl FnOnce(VirtAddr) -> T) -> T {
    let table = image::table(PMAP.table);
    let index = Index::new(PMAP.first + slot);
    let at = VirtAddr::new(PMAP.base.get() + slot as u64 * PAGE_BYTES);
    assert!(table.load(index) == Entry::INVALID, "controls use entries that nobody has");
    table.store(index, entry);
    this::tlb::publish();
    let seen = look(at);
    table.store(index, Entry::INVALID);
    this::tlb::flush_page_all(at);
    seen
}

/// Whether a CPU still reads a page whose entry is gone, when nobody has made it forget: what rows about pages that come
/// and go have as their control.
pub(super) fn is_remembered(bench: &Bench, cpu: CpuIndex) -> Result<bool, Failure> {
    let (table, index) = (image::table(PMAP.table), Index::new(PMAP.first));
    assert!(table.load(index) == Entry::INVALID, "controls use entries that nobody has");
    table.store(index, HostFormat::leaf(Level::L3, bench.scratch().first, CONSTANTS));
    this::tlb::publish();
    let used = bench.ask(cpu, Job::HoldUsed, [PMAP.base.get(), 0]);
    table.store(index, Entry::INVALID);
    this::tlb::publish();
    let still = bench.ask(cpu, Job::Release, [0; 2]);
    this::tlb::flush_page_all(PMAP.base);
    control!(used? != NOWHERE, "cpu {cpu} does not read what is mapped for it");
    Ok(still? == 1)
}

/// Whether a job counts something on every CPU.
fn all_find(bench: &Bench, job: Job) -> Result<bool, Failure> {
    for cpu in bench.cpus() {
        if bench.ask(cpu, job, [0; 2])? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn none_finds(bench: &Bench, job: Job) -> Outcome {
    for cpu in bench.cpus() {
        let found = bench.ask(cpu, job, [0; 2])?;
        ensure!(found == 0, "cpu {cpu} finds {found} of them");
    }
    Ok(())
}

fn planned_leaves(bench: &mut Bench) -> Outcome {
    none_finds(bench, Job::CountUnplanned)?;
    let guard = PMAP.slots as usize;
    let leaf = HostFormat::leaf(Level::L3, bench.scratch().first, DATA);
    let found = with_entry(guard, leaf, |_| all_find(bench, Job::CountUnplanned));
    control!(found?, "a page in the guard behind PMAP is not found");
    none_finds(bench, Job::CountUnplanned)
}

/// Pages of RAM that a walk of a CPU's tables finds, by class.
fn walked(bench: &Bench, cpu: CpuIndex) -> Result<[u64; Class::ALL.len()], Failure> {
    let mut pages = [0; Class::ALL.len()];
    for class in Class::ALL {
        let count = bench.ask(cpu, Job::CountClass, [class as u64, 0])?;
        ensure!(count != live::UNREADABLE, "cpu {cpu} has an entry that is none of the format's");
        pages[class as usize] = count;
    }
    Ok(pages)
}

fn as_booked(bench: &mut Bench) -> Outcome {
    let booked = system::with(|memory, _| memory.mapped()).pages();
    for cpu in bench.cpus() {
        let [code, constants, data, device, window] = walked(bench, cpu)?;
        let found = code + constants + data + window;
        say!(
            "cpu {cpu} maps {} KiB of RAM: pages of code {code}, constants {constants}, data {data}, windows {window}; \
             and {device} of devices",
            found * PAGE_BYTES / 1024
        );
        ensure!(found == booked, "cpu {cpu} maps {found} pages of RAM, the books say {booked}");
    }
    let leaf = HostFormat::leaf(Level::L3, bench.scratch().first, CONSTANTS);
    let more = with_entry(0, leaf, |_| walked(bench, CpuIndex::BOOT))?;
    let [code, constants, data, _, window] = more;
    control!(code + constants + data + window == booked + 1, "a page more is not counted");
    Ok(())
}

/// An entry that is writable and executable, which the format has no words for: [`DATA`] without the bit that tells
/// constants from code.
fn writable_code(frame: Frame) -> Entry {
    let [code, constants, data] = [CODE, CONSTANTS, DATA].map(|is| HostFormat::leaf(Level::L3, frame, is).get());
    Entry::new(data & !(constants & !code))
}

fn no_writable_code(bench: &mut Bench) -> Outcome {
    none_finds(bench, Job::CountWritableCode)?;
    let both = writable_code(bench.scratch().first);
    let text = HostFormat::leaf(Level::L3, Frame::containing(SECTIONS[0].base), DATA);
    for (entry, what) in [(both, "a writable and executable page"), (text, "a page of text shown writable")] {
        let found = with_entry(0, entry, |_| all_find(bench, Job::CountWritableCode));
        control!(found?, "{what} is not found");
    }
    none_finds(bench, Job::CountWritableCode)
}

fn no_identity(bench: &mut Bench) -> Outcome {
    none_finds(bench, Job::CountIdentity)?;
    let turn_on = live::count(Root::new(BOOT.turn_on_root, Level::L0), live::is_identity);
    control!(turn_on > 0, "the turn-on root has none either");
    Ok(())
}

fn page_0(bench: &mut Bench) -> Outcome {
    for cpu in bench.cpus() {
        let probe = bench.probe(cpu, VirtAddr::new(0))?;
        ensure!(probe == Probe::NoTranslation, "cpu {cpu} sees {probe}");
    }
    let frame = bench.scratch().first;
    let entry = HostFormat::leaf(Level::L3, frame, CONSTANTS);
    let seen = with_entry(0, entry, |at| {
        bench.cpus().map(|cpu| bench.probe(cpu, at)).find(|probe| !probe.as_ref().is_ok_and(|probe| probe.shows(frame)))
    });
    control!(seen.is_none(), "a page that is mapped is not seen on every cpu");
    Ok(())
}
