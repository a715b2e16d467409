//! Guests: their memory made ready, their tables built, one run after the other.
//!
//! Holds no pointer into a guest: memory is reached through this CPU's private windows for the length of one step.

use core::convert::Infallible;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use paging::{Frame, FrameRange, GuestAccess, GuestAttributes, Mapper, Memory, PAGE_BYTES, Root, TableSource};

use crate::arch::this::{self, GuestFormat};
use crate::board::DOMAINS;
use crate::board::types::Domain;
use crate::mm::mapcache::{self, Owner};
use crate::mm::pmap::{Pmap, TablePool};
use crate::{power, say};

pub mod builder;
pub mod manifest;
pub mod world;
pub mod guests;
pub mod events;
pub mod console_ring;
pub mod grants;
pub mod hypercall;
#[cfg(test)]
pub(crate) mod rig;
pub mod output;
mod prepare;

pub use manifest::ManifestError;

/// Proof that every domain's memory and tables are ready.
#[derive(Debug)]
pub struct Domains(());

/// How a domain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It switched itself off.
    PoweredOff,
    /// It asked to be restarted, which no board file provides for.
    Reset,
    /// It said that it cannot go on.
    Crashed,
    /// It did what it may not; the line before says what.
    Stopped,
    /// This architecture does not run guests.
    Unsupported,
}

/// The next domain to run.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Whether a domain ended otherwise than by switching itself off.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Checks the blobs, scrubs the rest of each domain's memory and builds its tables.
pub fn build(pmap: &Pmap) -> Result<Domains, ManifestError> {
    if !DOMAINS.is_empty() {
        let manifest = manifest::read()?;
        for domain in &DOMAINS {
            prepare::memory(domain, &manifest)?;
            map(domain, pmap);
        }
    }
    Ok(Domains(()))
}

/// Runs them, in file order, then switches the machine off.
pub fn run(_domains: Domains) -> ! {
    if DOMAINS.is_empty() {
        say!("no domains; powering off");
        power::off()
    }
    next()
}

/// The end of the domain that was running.
pub fn ended(domain: &Domain, end: End) -> ! {
    output::flush(domain);
    say!("domain {}: {end}", domain.name);
    if end != End::PoweredOff {
        FAILED.store(true, Ordering::Relaxed);
    }
    next()
}

fn next() -> ! {
    let index = NEXT.fetch_add(1, Ordering::Relaxed);
    if let Some(domain) = DOMAINS.get(index) {
        loaded(Owner::Domain(domain.vmid));
        this::guest::run(index, domain)
    }
    loaded(Owner::Nobody);
    if FAILED.load(Ordering::Relaxed) {
        say!("not every domain switched itself off; powering off");
    } else {
        say!("all domains are off; powering off");
    }
    power::off()
}

/// The map cache forgets the domain before, and serves this one; the stack forgets what was done for it. The domain slot
/// itself stays empty.
fn loaded(owner: Owner) {
    this::stack::wipe();
    let Ok(()) = mapcache::here().switch(owner, || Ok::<(), Infallible>(()));
}

/// The frame of a domain's root table: the first of its planned tables.
pub fn root(domain: &Domain) -> Root {
    Root::new(domain.tables, this::guest::root_level(domain))
}

fn map(domain: &'static Domain, pmap: &Pmap) {
    let planned = FrameRange::new(domain.tables, u64::from(domain.tables_frames));
    let mut pool = TablePool::new(pmap, planned);
    let first = pool.allocate();
    assert!(first == Some(domain.tables), "the plan gives each domain a root");
    let memory = FrameRange::new(Frame::containing(domain.memory), domain.memory_bytes / PAGE_BYTES);
    let attributes = GuestAttributes::new(GuestAccess::ReadWriteExecute, Memory::Normal);
    Mapper::<GuestFormat>::new(root(domain))
        .map(&mut &*pmap, &mut pool, domain.ipa, memory, attributes)
        .expect("the planner counted the tables of a range it checked");
    let used = planned.frames - pool.left();
    say!("domain {}: {} is {memory}, {used} of {} tables", domain.name, domain.ipa, planned.frames);
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::PoweredOff => "powered off",
            Self::Reset => "asked for a reset; it stays off",
            Self::Crashed => "crashed, by its own account",
            Self::Stopped => "stopped",
            Self::Unsupported => "not started: guests do not run on this architecture",
        })
    }
}
