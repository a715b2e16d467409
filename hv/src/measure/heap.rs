//! The heap: a page allocated and freed, with so many CPUs that may have seen it.

use super::lap::measure;
use crate::mm::frames::{Node, Order};
use crate::mm::heap::HeapPages;
use crate::mm::here::{Here, Reach};
use crate::mm::system::{self, System};
use crate::mm::this_cpu::ThisCpu;

/// Allocates a page.
pub(super) fn take(memory: &mut System, here: &mut Here<'_, ThisCpu, impl Reach>) -> HeapPages {
    let page = memory.heap.allocate(here, &mut memory.domain, Order::FRAME, Node(0));
    page.expect("a board has memory for a page of its heap")
}

/// Frees it.
pub(super) fn give(memory: &mut System, here: &mut Here<'_, ThisCpu, impl Reach>, page: HeapPages) {
    memory.heap.free(here, &mut memory.domain, page).expect("it was just allocated");
}

/// With this many CPUs running.
pub(super) fn operations(running: usize) {
    system::with(|memory, here| {
        let first =
            measure(format_args!("heap page allocated, first of its pool, {running} CPUs"), || take(memory, here));
        let second = measure(format_args!("heap page allocated, {running} CPUs"), || take(memory, here));
        measure(format_args!("heap page freed, {running} CPUs"), || give(memory, here, second));
        measure(format_args!("heap page freed, last of its pool, {running} CPUs"), || give(memory, here, first));
    });
}
