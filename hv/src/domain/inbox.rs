//! Interrupts on their way to vCPUs, whoever has their domain loaded: bits, no guest data.
//!
//! Whoever has something for a vCPU posts it here and notifies it; the CPU that runs the vCPU, or will, takes it from here
//! into the virtual interrupt controller.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::board::DOMAINS;
use crate::board::types::Domain;
use crate::domain::run;
use crate::vdev::gic::{Intid, numbers};

/// vCPUs of the domain that has most of them.
const VCPUS: usize = {
    let (mut most, mut at) = (1, 0);
    while at < DOMAINS.len() {
        if DOMAINS[at].vcpus as usize > most {
            most = DOMAINS[at].vcpus as usize;
        }
        at += 1;
    }
    most
};

/// One vCPU's.
struct Inbox {
    /// Private interrupts that have come, a bit each.
    came: AtomicU32,
}

static PRIVATE: [[Inbox; VCPUS]; DOMAINS.len()] =
    [const { [const { Inbox { came: AtomicU32::new(0) } }; VCPUS] }; DOMAINS.len()];

/// Interrupts of each domain's devices that have come: bit n is the n-th of them in the plan.
static SHARED: [AtomicU32; DOMAINS.len()] = [const { AtomicU32::new(0) }; DOMAINS.len()];

/// A domain's place in the board file: VMIDs begin at 1.
fn index(domain: &Domain) -> usize {
    usize::from(domain.vmid) - 1
}

fn inbox(domain: &Domain, vcpu: u32) -> &'static Inbox {
    &PRIVATE[index(domain)][vcpu as usize]
}

/// Nothing has come for a domain that has not begun.
pub fn clear(domain: &Domain) {
    (0..domain.vcpus).for_each(|vcpu| inbox(domain, vcpu).came.store(0, Ordering::Relaxed));
    SHARED[index(domain)].store(0, Ordering::Relaxed);
}

/// A private interrupt of a vCPU comes, once; the vCPU is notified.
pub fn post(domain: &Domain, vcpu: u32, intid: Intid) {
    inbox(domain, vcpu).came.fetch_or(1 << intid.get(), Ordering::Release);
    notify(domain, vcpu);
}

/// Private interrupts that have come for a vCPU, a bit each; they are the caller's then.
pub fn take_private(domain: &Domain, vcpu: u32) -> u32 {
    let came = &inbox(domain, vcpu).came;
    // Nothing has come at nearly every look, and a look alone keeps the line shared.
    if came.load(Ordering::Relaxed) == 0 { 0 } else { came.swap(0, Ordering::Acquire) }
}

/// Numbers of a domain's own physical interrupts.
fn passed(domain: &Domain) -> impl Iterator<Item = Intid> {
    let devices = domain.map.passed.iter();
    devices.flat_map(|device| device.intids).map(|intid| Intid::new(*intid as u16))
}

/// A physical shared interrupt has come; `None` when it is no domain's.
pub fn arrived(intid: Intid) -> Option<&'static Domain> {
    for domain in &DOMAINS {
        if let Some(number) = passed(domain).take(32).position(|own| own == intid) {
            SHARED[index(domain)].fetch_or(1 << number, Ordering::Release);
            return Some(domain);
        }
    }
    None
}

/// Physical interrupts that have come for a domain; they are the caller's then.
pub fn take_shared(domain: &'static Domain) -> impl Iterator<Item = Intid> {
    let came = &SHARED[index(domain)];
    let came = if came.load(Ordering::Relaxed) == 0 { 0 } else { came.swap(0, Ordering::Acquire) };
    numbers(came).filter_map(|number| passed(domain).nth(number))
}

/// A vCPU may have something to take: the CPU that runs it looks, and one that waits goes on.
pub fn notify(domain: &Domain, vcpu: u32) {
    run::wake(domain, vcpu);
}
