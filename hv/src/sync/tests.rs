//! The protocols: two CPUs in every interleaving, four in many, and what needs neither.

mod alone;
mod model;
mod stories;
mod exhaustive;
mod random;
mod unmaskable;
