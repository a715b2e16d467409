//! The self-test flavour: the hypervisor tests itself on its machine, where the other images run domains.
//!
//! Boots like any image, then runs every row, says how each went and switches the machine off. Never part of the release
//! or debug image. A row with what it needs of other CPUs is written in `rows`; what may be asked of one in `job`.

mod row;
mod bench;
mod job;
mod request;
mod memory;
mod fabricated;
mod probe;
mod live;
mod run;
mod rows;

pub use probe::{GuestWalk, Sight};
pub use request::idle;
pub use run::{early, panicked, run};
