//! Which domain each CPU has loaded: what keeps it from being destroyed.
//!
//! Changes together with the CPU's root and its map cache ([`domain_area::switch`]); holds no guest data.

use spin::mutex::TicketMutex;

use super::run::Stack;
use crate::arch::this;
use crate::board::CPUS;
use crate::mm::domain_area::{self, DomainSlot, Loaded, SlotClosed};
use crate::mm::this_cpu::ThisCpu;
use crate::mm::{mapcache, private};

/// Each CPU's own; no other CPU waits for it.
static LOADED: [TicketMutex<Option<Loaded<'static>>>; CPUS.len()] = [const { TicketMutex::new(None) }; CPUS.len()];

/// Loads a domain on the calling CPU.
///
/// # Errors
/// When the domain is being made or destroyed: none is loaded.
pub fn load(slot: &'static DomainSlot) -> Result<(), SlotClosed> {
    switch(Some(slot))
}

/// Loads a domain on the calling CPU if it has another one loaded, or none; says what its stack holds then.
///
/// # Errors
/// As [`load`].
pub fn load_if_other(slot: &'static DomainSlot) -> Result<Stack, SlotClosed> {
    if vmid() == Some(slot.vmid()) {
        return Ok(Stack::Own);
    }
    load(slot).map(|()| Stack::Others)
}

/// The VMID of the domain that the calling CPU has loaded.
pub fn vmid() -> Option<u16> {
    LOADED[this::cpu::index().get()].lock().as_ref().map(Loaded::vmid)
}

/// The calling CPU sees no domain on return.
pub fn unload() {
    switch(None).expect("nothing can keep a CPU from unloading");
}

fn switch(to: Option<&'static DomainSlot>) -> Result<(), SlotClosed> {
    let mut loaded = LOADED[this::cpu::index().get()].lock();
    let from = loaded.take();
    *loaded = domain_area::switch(&ThisCpu::new(), mapcache::here(), &private::domain_slot(), from, to)?;
    Ok(())
}
