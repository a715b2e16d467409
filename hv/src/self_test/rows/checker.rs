//! The checker of break-before-make, on the real tables: it has seen what boot and the rows write, and stops what it must.

use paging::{Entry, Frame, HostAccess, HostAttributes, Level, Memory, PAGE_BYTES, VirtAddr};

use crate::arch::this::HostFormat;
use crate::board::{PMAP, tables};
use crate::image;
use crate::mm::entry::{Cells, Input, Place, SeenBy, Writer};
use crate::mm::this_cpu::ThisCpu;
use crate::purpose::WATCHER;
use crate::self_test::bench::Bench;
use crate::self_test::job::{Job, Values};
use crate::self_test::row::{Late, Outcome, Row, ensure};

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("t6: another address in a valid entry stops its cpu", stops_change),
    Row::new("t6: an entry that is used again before its flush stops its cpu", stops_reuse),
    Row::new("t6: an entry that is flushed in between may be used again", allows_reuse),
];

/// After all others: what they wrote was followed, too.
pub(super) const LAST: &[Row<Late>] = &[Row::new("t6: the checker follows every live entry", follows_all)];

const CONSTANTS: HostAttributes = HostAttributes::new(HostAccess::Read, Memory::Normal);

/// The last slot of PMAP, whose stage is over.
const AT: VirtAddr = VirtAddr::new(PMAP.base.get() + (PMAP.slots as u64 - 1) * PAGE_BYTES);

/// Writes the entry that translates [`AT`], as the memory system does.
fn write(entry: Entry) {
    let (table, index) = (tables::FRAMES[PMAP.table], AT.index(Level::L3));
    let place = Place { table, index, level: Level::L3, input: Input::Host(AT), seen: SeenBy::All };
    writer(|writer| writer.write::<HostFormat>(Cells::Table(image::table(PMAP.table)), place, entry));
}

/// Empties the entry as the rules ask, whatever another CPU wrote to it last without complaint.
fn empty() {
    write(Entry::INVALID);
    writer(|writer| writer.flush_page_all(AT));
}

fn writer(work: impl FnOnce(&Writer<'_, ThisCpu>)) {
    work(&Writer::new(&ThisCpu::new(), "self-test"));
}

fn leaf(frame: Frame) -> Entry {
    HostFormat::leaf(Level::L3, frame, CONSTANTS)
}

/// Two frames of the fabricated domain, as values of a request.
fn two_frames(bench: &Bench) -> Values {
    let first = bench.scratch().first;
    [first.number(), first.add(1).number()]
}

fn follows_all(_bench: &mut Bench) -> Outcome {
    let lost = WATCHER.lost();
    ensure!(lost == 0, "{lost} entries were not followed");
    Ok(())
}

fn stops_change(bench: &mut Bench) -> Outcome {
    let wanted = "another address without break-before-make";
    let stopped = bench.panics(bench.other()?, Job::ChangeValidEntry, two_frames(bench), wanted);
    empty();
    stopped
}

fn stops_reuse(bench: &mut Bench) -> Outcome {
    let wanted = "reused before its old translation was invalidated";
    let stopped = bench.panics(bench.other()?, Job::ReuseEntry, two_frames(bench), wanted);
    empty();
    stopped
}

fn allows_reuse(bench: &mut Bench) -> Outcome {
    for number in two_frames(bench) {
        write(leaf(Frame::new(number)));
        let probe = bench.probe(bench.other()?, AT)?;
        empty();
        ensure!(probe.shows(Frame::new(number)), "{AT} is {probe}");
    }
    Ok(())
}

/// The algorithm that the checker is there for: from valid to valid.
pub(in crate::self_test) fn change([first, second]: Values) -> u64 {
    write(leaf(Frame::new(first)));
    write(leaf(Frame::new(second)));
    image::table(PMAP.table).load(AT.index(Level::L3)).get()
}

/// From valid to invalid to valid, with no invalidation in between.
pub(in crate::self_test) fn reuse([first, second]: Values) -> u64 {
    write(leaf(Frame::new(first)));
    write(Entry::INVALID);
    write(leaf(Frame::new(second)));
    image::table(PMAP.table).load(AT.index(Level::L3)).get()
}
