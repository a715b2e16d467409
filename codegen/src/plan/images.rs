//! Stores: where images of domains that may start anew are packed, apart from the memory that a guest writes.
//!
//! Never those of a domain that stays off: they lie where it runs them.

use paging::{PAGE_BYTES, PhysAddr};

use super::domains::DEVICE_TREE_BYTES;
use super::interval::Owner;
use super::physical::{Physical, span};
use super::refusal::Refusal;
use crate::codes;
use crate::diagnostic::human_bytes;
use crate::model::{Board, Domain, OnReboot};

/// What an image takes in its store.
pub(super) const fn room(max_bytes: u64) -> u64 {
    max_bytes.next_multiple_of(PAGE_BYTES)
}

/// Claims the lowest hole for each store, once all memory of domains has its place.
pub(super) fn place(board: &Board, physical: &mut Physical<'_>, refusals: &mut Vec<Refusal>) -> Vec<Option<PhysAddr>> {
    let mut store = |domain: &Domain| match domain.on_reboot.value {
        OnReboot::Off => None,
        OnReboot::Restart => claim(domain, physical).map_err(|refusal| refusals.push(refusal)).ok(),
    };
    board.domains.iter().map(&mut store).collect()
}

fn claim(domain: &Domain, physical: &mut Physical<'_>) -> Result<PhysAddr, Refusal> {
    let initrd = domain.initrd.as_ref().map_or(0, |initrd| room(initrd.max.value));
    let bytes = room(domain.kernel_max.value) + initrd + DEVICE_TREE_BYTES;
    let end = PhysAddr::new(u64::MAX);
    let at = physical.lowest_hole(physical.floor(), end, PAGE_BYTES, |_| bytes).ok_or_else(|| {
        let message =
            format!("no free range of RAM holds a second copy of {}'s images, {}", domain.name, human_bytes(bytes));
        let refusal = Refusal::new(&codes::E0603, message, domain.on_reboot.from, "it may start anew");
        refusal.help("reserve less for its images or its memory, or write on-reboot = \"off\"")
    })?;
    let owner = Owner::new(format!("images of domain {}", domain.name), domain.on_reboot.from);
    physical.claim(span(at, bytes), owner, &codes::E0602).expect("a hole is free");
    Ok(at)
}
