//! Guards: no page of one can be read, on any CPU.

use paging::{HostAccess, HostAttributes, Level, Memory, PAGE_BYTES, VirtAddr};

use crate::arch::this::HostFormat;
use crate::board::types::{Access, Region};
use crate::board::{PMAP, PRIVATE, REGIONS, region};
use crate::self_test::bench::Bench;
use crate::self_test::row::{Failure, Late, Outcome, Row, control, ensure};
use crate::self_test::rows::tables::with_entry;

pub(super) const ROWS: &[Row<Late>] = &[
    Row::new("guards: the stack has an unmapped page on either side", stack_guards),
    Row::new("guards: no page between windows is mapped", window_guards),
];

/// What is loaded from at either end of a guard. A long one has half a terabyte: that nothing is mapped in between is
/// found by the walk for leaves that the plan does not have.
const EDGE_BYTES: u64 = 1 << 20;

/// Whether the pages of a guard are unmapped, on every CPU.
fn is_unmapped(bench: &Bench, guard: &Region) -> Outcome {
    let edge = guard.bytes.min(EDGE_BYTES);
    let upper = VirtAddr::new(guard.base.get() + (guard.bytes - edge));
    for cpu in bench.cpus() {
        for base in [guard.base, upper] {
            let first = bench.first_readable(cpu, base, edge)?;
            ensure!(first.is_none(), "cpu {cpu} reads {} in {}", first.unwrap_or(base), guard.name);
        }
    }
    Ok(())
}

fn guard_at(at: VirtAddr) -> Result<&'static Region, Failure> {
    let guard = region(at).filter(|region| region.access == Access::Guard);
    guard.ok_or_else(|| Failure::new(format_args!("the plan has no guard at {at}")))
}

fn stack_guards(bench: &mut Bench) -> Outcome {
    let (low, end) = (PRIVATE.stack, VirtAddr::new(PRIVATE.stack.get() + PRIVATE.stack_bytes));
    for at in [VirtAddr::new(low.get() - PAGE_BYTES), end] {
        is_unmapped(bench, guard_at(at)?)?;
    }
    for cpu in bench.cpus() {
        for page in [low, VirtAddr::new(end.get() - PAGE_BYTES)] {
            let seen = bench.first_readable(cpu, page, PAGE_BYTES)? == Some(page);
            control!(seen, "cpu {cpu} cannot read its own stack at {page}");
        }
    }
    Ok(())
}

fn window_guards(bench: &mut Bench) -> Outcome {
    let mut guards = 0;
    for guard in REGIONS.iter().filter(|region| region.access == Access::Guard) {
        is_unmapped(bench, guard)?;
        guards += 1;
    }
    ensure!(guards > 2, "the plan has {guards} guards");
    let frame = bench.scratch().first;
    let entry = HostFormat::leaf(Level::L3, frame, HostAttributes::new(HostAccess::Read, Memory::Normal));
    let found = with_entry(PMAP.slots as usize, entry, |at| guard_at(at).map(|guard| is_unmapped(bench, guard)));
    control!(found?.is_err(), "a page in the guard behind pmap is not found");
    Ok(())
}
