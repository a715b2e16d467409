//! Guests: none run here yet, and the checker of board files refuses to plan one.
//!
//! Enters no guest; a domain's tables are the nested format that the planner plans.

use paging::{Level, PhysAddr};

use super::cpu;
use crate::board::types::Domain;
use crate::domain::Start;
use crate::domain::run::{Remembers, Stack};
use crate::fault::Attempt;
use crate::mm::guest_walk::GuestVirt;

/// The level at which a domain's tables start: nested paging has four levels, AMD APM vol. 2, "Nested Paging".
pub fn root_level(_domain: &Domain) -> Level {
    Level::L0
}

/// No guest runs, so none has an address.
pub fn translate(_at: GuestVirt, _access: Attempt) -> Option<PhysAddr> {
    None
}

/// Caches are coherent with every access of a guest's (Intel SDM vol. 3A, "Methods of Caching Available", WB).
pub fn past_caches() -> bool {
    false
}

/// None.
pub fn can_run(_domain: &Domain) -> bool {
    false
}

/// It has none.
pub fn begin(_domain: &Domain) {}

/// It had none.
pub fn withdraw(_domain: &Domain) {}

/// # Panics
/// Always: no domain can run.
pub fn reset(start: &Start) {
    panic!("vCPU {} of {} begins, and no domain can run", start.vcpu, start.domain.name)
}

/// # Panics
/// Always: no domain can run.
pub fn enter(vcpu: u32, _stack: Stack, _remembers: Remembers) -> ! {
    panic!("vCPU {vcpu} is entered, and no domain can run")
}

/// For ever: no vCPU has a turn.
pub fn turn_ticks() -> u64 {
    u64::MAX / 2
}

/// Nothing: no vCPU waits for a tick.
pub fn alarm(_at: Option<u64>) {}

/// Sleeps until a nudge.
pub fn idle(_until: Option<u64>) {
    cpu::doze();
}
