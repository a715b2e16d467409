//! What the image is for once everything is up, domains, tests or measurements; and who watches meanwhile.
//!
//! The one file of common code that asks for the flavour; `boot` calls either without knowing which.

#[cfg(not(any(feature = "self-test", feature = "measure")))]
mod domains;
#[cfg(not(any(feature = "self-test", feature = "measure")))]
pub(crate) use domains::{early, idle, run};

#[cfg(feature = "self-test")]
pub(crate) use crate::self_test::{early, idle, run};

#[cfg(feature = "measure")]
pub(crate) use crate::measure::{early, idle, run};

#[cfg(all(bare, not(debug_assertions)))]
mod unwatched;
#[cfg(all(bare, not(debug_assertions)))]
pub(crate) use unwatched::{WATCHER, Watcher};

#[cfg(any(not(bare), debug_assertions))]
mod watched;
#[cfg(any(not(bare), debug_assertions))]
pub(crate) use watched::{WATCHER, Watcher};

#[cfg(any(not(bare), feature = "self-test"))]
pub(crate) use crate::mm::ration::Limited as Ration;
/// How frames are rationed: tests want some refused.
#[cfg(not(any(not(bare), feature = "self-test")))]
pub(crate) use crate::mm::ration::Unlimited as Ration;

use crate::cpu::CpuIndex;
use crate::domain::Domains;
use crate::mm::pmap::Pmap;
use crate::mm::system::System;

/// Who is told of entry writes and invalidations.
const _: &Watcher = &WATCHER;
/// The boot CPU, while PMAP is up and no other CPU runs.
const _: fn(&Pmap, &mut System) = early;
/// The boot CPU, once every CPU has arrived.
const _: fn(Domains) -> ! = run;
/// Each other CPU, once it has arrived.
const _: fn(CpuIndex) -> ! = idle;
