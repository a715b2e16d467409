//! Calls of the Xen ABI that two domains need to exchange data: shared pages, events, grants.
//!
//! Numbers and layouts: Xen public headers, `memory.h`, `event_channel.h`, `grant_table.h`, `sched.h`.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::machine::hypercall;

const MEMORY_OP: u64 = 12;
const GRANT_TABLE_OP: u64 = 20;
const SCHED_OP: u64 = 29;
const EVENT_CHANNEL_OP: u64 = 32;
const ADD_TO_PHYSMAP: u64 = 7;
const MAP_GRANT_REF: u64 = 0;
const UNMAP_GRANT_REF: u64 = 1;
const COPY: u64 = 5;
const YIELD: u64 = 0;
const SHUTDOWN: u64 = 2;
const BIND_INTERDOMAIN: u64 = 0;
const CLOSE: u64 = 3;
const SEND: u64 = 4;
const ALLOC_UNBOUND: u64 = 6;
/// `DOMID_SELF`.
const SELF: u64 = 0x7ff0;
/// First word of `evtchn_pending` in `shared_info`.
const PENDING: usize = 6;

/// A page that somebody else writes too.
#[repr(C, align(4096))]
pub(crate) struct Page([AtomicU64; 512]);

impl Page {
    pub(crate) const ZERO: Self = Self([const { AtomicU64::new(0) }; 512]);

    /// Its guest frame number: addresses are the guest's physical ones.
    pub(crate) fn number(&self) -> u64 {
        core::ptr::from_ref(self).expose_provenance() as u64 / 4096
    }

    pub(crate) fn word(&self, at: usize) -> u64 {
        self.0[at].load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, at: usize, value: u64) {
        self.0[at].store(value, Ordering::Release);
    }

    /// Takes the event of a port, if there is one.
    pub(crate) fn take_event(&self, port: u64) -> bool {
        self.0[PENDING].fetch_and(!(1 << port), Ordering::AcqRel) >> port & 1 == 1
    }
}

/// A call that did not do what it was asked to.
pub(crate) struct Failed {
    pub(crate) call: &'static str,
    pub(crate) answer: i64,
}

fn call<const WORDS: usize>(
    name: &'static str,
    number: u64,
    command: u64,
    structure: &mut [u64; WORDS],
    third: u64,
) -> Result<(), Failed> {
    let at = core::ptr::from_mut(structure).expose_provenance() as u64;
    match hypercall(number, [command, at, third]) {
        0 => Ok(()),
        answer => Err(Failed { call: name, answer }),
    }
}

/// `shared_info` is this page from now on.
pub(crate) fn place_shared_info(page: &'static Page) -> Result<(), Failed> {
    call("add_to_physmap", MEMORY_OP, ADD_TO_PHYSMAP, &mut [SELF, 0, page.number()], 0)
}

/// The first page of the grant table is this one from now on.
pub(crate) fn place_grant_table(page: &'static Page) -> Result<(), Failed> {
    call("add_to_physmap", MEMORY_OP, ADD_TO_PHYSMAP, &mut [SELF | 1 << 32, 0, page.number()], 0)
}

/// A port that another domain may bind to.
pub(crate) fn alloc_unbound(remote: u64) -> Result<u64, Failed> {
    let mut asked = [SELF | remote << 16];
    call("alloc_unbound", EVENT_CHANNEL_OP, ALLOC_UNBOUND, &mut asked, 0)?;
    Ok(asked[0] >> 32)
}

/// A port bound to one of another domain.
pub(crate) fn bind_interdomain(remote: u64, port: u64) -> Result<u64, Failed> {
    let mut asked = [remote | port << 32, 0];
    call("bind_interdomain", EVENT_CHANNEL_OP, BIND_INTERDOMAIN, &mut asked, 0)?;
    Ok(asked[1] & 0xffff_ffff)
}

/// An event.
pub(crate) fn send(port: u64) -> Result<(), Failed> {
    call("send", EVENT_CHANNEL_OP, SEND, &mut [port], 0)
}

/// A port that is free again.
pub(crate) fn close(port: u64) -> Result<(), Failed> {
    call("close", EVENT_CHANNEL_OP, CLOSE, &mut [port], 0)
}

/// The domain's end, for this reason; nothing follows.
pub(crate) fn shutdown(reason: u32) -> Result<(), Failed> {
    call("shutdown", SCHED_OP, SHUTDOWN, &mut [u64::from(reason)], 0)
}

/// A grant of a page to a domain, as version 1 writes it: `GTF_permit_access`, and `GTF_readonly`.
pub(crate) const fn grant(domain: u64, page: u64) -> u64 {
    1 | domain << 16 | page << 32
}
pub(crate) const READONLY: u64 = 1 << 2;

/// A whole page of another domain's, which granted it, into one's own; or the other way round.
pub(crate) fn copy_from(domain: u64, reference: u64, page: &'static Page) -> Result<(), Failed> {
    copy([reference, domain, page.number(), SELF, 4096 | 1 << 16])
}

pub(crate) fn copy_to(page: &'static Page, domain: u64, reference: u64) -> Result<(), Failed> {
    copy([page.number(), SELF, reference, domain, 4096 | 2 << 16])
}

fn copy(mut asked: [u64; 5]) -> Result<(), Failed> {
    call("grant copy", GRANT_TABLE_OP, COPY, &mut asked, 1)?;
    status("grant copy", asked[4] >> 32)
}

/// Shows a granted page at an address, to be read; returns the mapping's handle.
pub(crate) fn map(domain: u64, reference: u64, at: u64) -> Result<u64, Failed> {
    let mut asked = [at, 2 | 4 | reference << 32, domain, 0];
    call("map_grant_ref", GRANT_TABLE_OP, MAP_GRANT_REF, &mut asked, 1)?;
    status("map_grant_ref", asked[2] >> 16)?;
    Ok(asked[2] >> 32)
}

pub(crate) fn unmap(handle: u64, at: u64) -> Result<(), Failed> {
    let mut asked = [at, 0, handle];
    call("unmap_grant_ref", GRANT_TABLE_OP, UNMAP_GRANT_REF, &mut asked, 1)?;
    status("unmap_grant_ref", asked[2] >> 32)
}

fn status(call: &'static str, word: u64) -> Result<(), Failed> {
    match i64::from(word as i16) {
        0 => Ok(()),
        answer => Err(Failed { call, answer }),
    }
}

/// Yields.
pub(crate) fn let_others_go_first() -> Result<(), Failed> {
    match hypercall(SCHED_OP, [YIELD, 0, 0]) {
        0 => Ok(()),
        answer => Err(Failed { call: "yield", answer }),
    }
}
