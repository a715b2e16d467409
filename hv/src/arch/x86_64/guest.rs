//! Guests: none run here yet, and a board file that asks for one hears so on the console.
//!
//! Enters no guest; stage 2 is the nested format that the planner plans.

use paging::{Level, PhysAddr, VirtAddr};

use crate::board::types::Domain;
use crate::domain::{self, End, Start};
use crate::fault::Attempt;
use crate::mm::guest_walk::GuestVirt;

/// The level at which a domain's tables start: nested paging has four levels, AMD APM vol. 2, "Nested Paging".
pub fn root_level(_domain: &Domain) -> Level {
    Level::L0
}

/// Nothing of it ran.
pub fn left(_domain: &Domain) {}

/// No guest runs, so none has an address.
pub fn translate(_at: GuestVirt, _access: Attempt) -> Option<PhysAddr> {
    None
}

/// Caches are coherent with every access of a guest's (Intel SDM vol. 3A, "Methods of Caching Available", WB).
pub fn past_caches() -> bool {
    false
}

/// Ends the domain before it begins.
pub fn run(_registers: VirtAddr, start: &Start) -> ! {
    domain::ended(start.domain, End::Unsupported)
}
