//! The memory system: windows onto frames that have no address, and who has which frame.
//!
//! Never maps a guest's memory for longer than a guard lives. Modules in the order in which boot brings them up.

pub mod entry;
pub mod checker;
pub mod leaves;
pub mod directmap;
pub mod fixmap;
pub mod pmap;
pub mod firmware_window;
pub mod private;
pub mod this_cpu;
pub mod mapcache;
pub mod here;
pub mod space;
pub mod ration;
pub mod boot_alloc;
pub mod frames;
pub mod buddy;
pub mod vmap;
pub mod heap;
pub mod system;
pub mod scrub;
pub mod domain_area;
pub mod guest_tables;
pub mod guest_walk;
#[cfg(test)]
pub(crate) mod rig;
#[cfg(test)]
pub(crate) mod guest_rig;

#[cfg(test)]
mod tests;
