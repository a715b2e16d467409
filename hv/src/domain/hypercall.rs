//! Hypercalls of the Xen ABI: numbers and layouts decoded to values, one file for each family of calls.
//!
//! Every value of a guest is copied once and checked; a wrong one is an error code for the guest and nothing else. What
//! is not listed here is answered with `ENOSYS`.
//!
//! Source: Xen, public/xen.h (numbers, domains), public/errno.h, and for each family the header it names.

mod arguments;
mod console_io;
mod event_channel_op;
mod grant_table_op;
mod hvm_op;
mod memory_op;
mod sched_op;
mod vcpu_op;
mod version;

#[cfg(test)]
mod tests;

use super::End;
use super::guests::Guests;
use super::world::{DomainNumber, World};
use crate::board::types::GuestConsole;

/// `__HYPERVISOR_*`.
const MEMORY_OP: u64 = 12;
const XEN_VERSION: u64 = 17;
const CONSOLE_IO: u64 = 18;
const GRANT_TABLE_OP: u64 = 20;
const VCPU_OP: u64 = 24;
const SCHED_OP: u64 = 29;
const EVENT_CHANNEL_OP: u64 = 32;
const HVM_OP: u64 = 34;

/// `DOMID_SELF`.
const SELF: u16 = 0x7ff0;

/// Why a call was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Errno {
    /// EPERM: not this domain's to ask for.
    NotPermitted = 1,
    /// ENOENT: no such vCPU.
    NoEntry = 2,
    /// ESRCH: no such domain.
    NoDomain = 3,
    /// E2BIG: more than one call does.
    TooBig = 7,
    /// ENOMEM: nothing left to do it with.
    NoMemory = 12,
    /// EFAULT: the caller cannot read or write there itself.
    Fault = 14,
    /// EEXIST: it is bound already.
    Exists = 17,
    /// EINVAL: the argument makes no sense.
    Invalid = 22,
    /// ENOSPC: no port left.
    NoSpace = 28,
    /// ENOSYS: no such call.
    NoCall = 38,
    /// ENODATA: there is none.
    NoData = 61,
    /// EOPNOTSUPP: not offered.
    NotSupported = 95,
}

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This is the answer.
    Answer(u64),
    /// The answer is 0, and others may go first.
    Yield,
    /// The answer is 0, once the vCPU has an interrupt to take.
    Block,
    /// The call is repeated with these arguments: a part of it is done.
    Again([u64; 5]),
    /// The domain ends.
    End(End),
}

impl From<Errno> for Outcome {
    fn from(error: Errno) -> Self {
        Self::Answer(-(error as i64) as u64)
    }
}

/// A call's result: success answers 0.
type Done = Result<(), Errno>;

fn answer(done: Done) -> Outcome {
    done.map_or_else(Outcome::from, |()| Outcome::Answer(0))
}

/// One call: where it comes from, and what it is about.
struct Call<'c, W> {
    world: &'c mut W,
    guests: &'c Guests,
    args: [u64; 5],
}

/// Answers a call.
pub fn call<const SLOTS: usize, W: World<SLOTS>>(
    world: &mut W,
    guests: &Guests,
    console: GuestConsole,
    number: u64,
    args: [u64; 5],
) -> Outcome {
    let call = &mut Call { world, guests, args };
    match (number, console) {
        (XEN_VERSION, _) => version::answer(call),
        (CONSOLE_IO, GuestConsole::Hypercall | GuestConsole::Pl011) => console_io::answer(call),
        (EVENT_CHANNEL_OP, _) => event_channel_op::answer(call),
        (GRANT_TABLE_OP, _) => grant_table_op::answer(call),
        (SCHED_OP, _) => sched_op::answer(call),
        (VCPU_OP, _) => vcpu_op::answer(call),
        (MEMORY_OP, _) => memory_op::answer(call),
        (HVM_OP, console) => hvm_op::answer(call, console),
        _ => Errno::NoCall.into(),
    }
}

/// The domain that an argument names, which must be the caller.
fn own(me: DomainNumber, domain: u16) -> Result<DomainNumber, Errno> {
    if domain == SELF || domain == me.get() { Ok(me) } else { Err(Errno::NotPermitted) }
}

/// The domain that an argument names.
fn any(me: DomainNumber, domain: u16) -> Option<DomainNumber> {
    if domain == SELF { Some(me) } else { DomainNumber::new(domain) }
}
