//! Event channels, two levels of bits: ports, what they are bound to, and the bits that announce an event.
//!
//! The bits lie in pages that the guest writes as it likes: they say what the guest is told, never what it may do. Xen,
//! public/event_channel.h and public/xen.h, `struct shared_info`.

use paging::Index;

use super::guests::{Guest, SHARED};
use super::hypercall::Errno;
use super::world::{DomainNumber, Updated, World, change, update};

#[cfg(test)]
mod tests;

/// Ports of a domain; port 0 is never used.
pub const PORTS: usize = 128;
/// The console's, bound before the domain starts.
pub const CONSOLE_PORT: u32 = 1;
/// `NR_VIRQS`. Xen, public/xen.h.
const VIRQS: u32 = 24;
/// VIRQs of a vCPU: TIMER, DEBUG, XENOPROF, XENPMU. The others are the control domain's.
const VIRQS_OF_VCPUS: u32 = 1 << 0 | 1 << 1 | 1 << 7 | 1 << 13;

/// What a port is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Nothing.
    Free,
    /// Nothing yet; the domain with this number may bind to it.
    Unbound(u16),
    /// A port of another domain, or of the same.
    Interdomain(DomainNumber, u16),
    /// A virtual interrupt, which no one raises here.
    Virq(u8),
    /// The domain's own vCPUs.
    Ipi,
    /// The hypervisor, which empties the console's ring.
    Console,
}

/// A port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// To what it is bound.
    pub binding: Binding,
    /// Which vCPU is told.
    pub vcpu: u16,
}

/// A domain's ports.
#[derive(Debug)]
pub struct Events {
    ports: [Port; PORTS],
}

/// What a send leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Whoever is bound has been told.
    Told,
    /// The console's ring is to be emptied.
    Console,
}

/// Where `vcpu_info` has its parts, in words. Xen, public/xen.h, `struct vcpu_info`.
const UPCALL: usize = 0;
const SELECTOR: usize = 1;
/// `evtchn_upcall_pending` and `evtchn_upcall_mask`, the first two bytes.
const UPCALL_PENDING: u64 = 0xff;
const UPCALL_MASK: u64 = 0xff00;

impl Events {
    pub(super) const fn new() -> Self {
        let mut ports = [Port { binding: Binding::Free, vcpu: 0 }; PORTS];
        ports[CONSOLE_PORT as usize].binding = Binding::Console;
        Self { ports }
    }

    /// A port that is in use.
    pub fn port(&self, number: u32) -> Result<Port, Errno> {
        let port = self.ports.get(number as usize).filter(|port| port.binding != Binding::Free);
        port.copied().ok_or(Errno::Invalid)
    }

    fn set(&mut self, number: u32, binding: Binding) {
        if let Some(port) = self.ports.get_mut(number as usize) {
            port.binding = binding;
        }
    }

    fn bind(&mut self, binding: Binding, vcpu: u32) -> Result<u32, Errno> {
        let free = self.ports.iter().skip(1).position(|port| port.binding == Binding::Free);
        let number = free.ok_or(Errno::NoSpace)? + 1;
        self.ports[number] = Port { binding, vcpu: vcpu as u16 };
        Ok(number as u32)
    }
}

type All = [Option<Guest>];

/// The domain, if it is up.
#[inline(never)]
pub(super) fn guest(all: &mut All, whose: DomainNumber) -> Result<&mut Guest, Errno> {
    all.get_mut(whose.index()).and_then(Option::as_mut).ok_or(Errno::NoDomain)
}

/// A port that the domain `remote` may bind to.
pub(super) fn alloc_unbound(all: &mut All, me: DomainNumber, remote: u16) -> Result<u32, Errno> {
    guest(all, me)?.events.bind(Binding::Unbound(remote), 0)
}

/// Binds a new port to an unbound one of another domain, and announces what may have been sent before.
pub(super) fn bind_interdomain<const SLOTS: usize>(
    world: &mut impl World<SLOTS>,
    all: &mut All,
    me: DomainNumber,
    remote: DomainNumber,
    remote_port: u32,
) -> Result<u32, Errno> {
    let theirs = guest(all, remote)?.events.port(remote_port)?;
    if theirs.binding != Binding::Unbound(me.get()) {
        return Err(Errno::Invalid);
    }
    let port = guest(all, me)?.events.bind(Binding::Interdomain(remote, remote_port as u16), 0)?;
    guest(all, remote)?.events.set(remote_port, Binding::Interdomain(me, port as u16));
    raise(world, all, me, port);
    Ok(port)
}

/// A port for a virtual interrupt of a vCPU.
pub(super) fn bind_virq(all: &mut All, me: DomainNumber, virq: u32, vcpu: u32) -> Result<u32, Errno> {
    if virq >= VIRQS {
        return Err(Errno::Invalid);
    }
    if VIRQS_OF_VCPUS >> virq & 1 == 0 {
        return Err(Errno::NotPermitted);
    }
    let guest = guest(all, me)?;
    check_vcpu(guest, vcpu)?;
    let bound = Port { binding: Binding::Virq(virq as u8), vcpu: vcpu as u16 };
    if guest.events.ports.contains(&bound) {
        return Err(Errno::Exists);
    }
    guest.events.bind(bound.binding, vcpu)
}

/// A port by which the domain's vCPUs tell one of them.
pub(super) fn bind_ipi(all: &mut All, me: DomainNumber, vcpu: u32) -> Result<u32, Errno> {
    let guest = guest(all, me)?;
    check_vcpu(guest, vcpu)?;
    guest.events.bind(Binding::Ipi, vcpu)
}

/// Has another vCPU told.
pub(super) fn bind_vcpu(all: &mut All, me: DomainNumber, port: u32, vcpu: u32) -> Result<(), Errno> {
    let guest = guest(all, me)?;
    if vcpu as usize >= guest.vcpus.len() {
        return Err(Errno::NoEntry);
    }
    match guest.events.port(port)?.binding {
        Binding::Unbound(_) | Binding::Interdomain(..) | Binding::Console => {
            guest.events.ports[port as usize].vcpu = vcpu as u16;
            Ok(())
        }
        Binding::Free | Binding::Virq(_) | Binding::Ipi => Err(Errno::Invalid),
    }
}

fn check_vcpu(guest: &Guest, vcpu: u32) -> Result<(), Errno> {
    if (vcpu as usize) < guest.vcpus.len() { Ok(()) } else { Err(Errno::NoEntry) }
}

/// Gives a port back; a port that was bound to it is unbound again.
pub(super) fn close<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut All,
    me: DomainNumber,
    port: u32,
) -> Result<(), Errno> {
    let mine = guest(all, me)?;
    match mine.events.port(port)?.binding {
        Binding::Console => return Err(Errno::Invalid),
        Binding::Interdomain(peer, theirs) => {
            guest(all, peer)?.events.set(u32::from(theirs), Binding::Unbound(me.get()))
        }
        Binding::Free | Binding::Unbound(_) | Binding::Virq(_) | Binding::Ipi => {}
    }
    let mine = guest(all, me)?;
    mine.events.set(port, Binding::Free);
    let (word, bit) = bit(SHARED.pending, port);
    if let Ok(page) = world.open(me, mine.shared) {
        change(&page, word, bit, 0);
    }
    Ok(())
}

/// Closes every port that the domain bound.
pub(super) fn close_all<const SLOTS: usize>(world: &impl World<SLOTS>, all: &mut All, me: DomainNumber) {
    for port in 1..PORTS as u32 {
        // Those that are free, and the console's, stay as they are.
        let _closed = close(world, all, me, port);
    }
}

/// Tells whoever is bound to a port.
pub(super) fn send<const SLOTS: usize>(
    world: &mut impl World<SLOTS>,
    all: &mut All,
    me: DomainNumber,
    port: u32,
) -> Result<Sent, Errno> {
    match guest(all, me)?.events.port(port)?.binding {
        Binding::Interdomain(peer, theirs) => raise(world, all, peer, u32::from(theirs)),
        Binding::Ipi => raise(world, all, me, port),
        Binding::Unbound(_) => {}
        Binding::Console => return Ok(Sent::Console),
        Binding::Free | Binding::Virq(_) => return Err(Errno::Invalid),
    }
    Ok(Sent::Told)
}

/// Lets a port announce events again, and announces the one that came meanwhile.
pub(super) fn unmask<const SLOTS: usize>(
    world: &mut impl World<SLOTS>,
    all: &mut All,
    me: DomainNumber,
    number: u32,
) -> Result<(), Errno> {
    let guest = guest(all, me)?;
    let port = guest.events.port(number)?;
    let page = world.open(me, guest.shared).map_err(|_| Errno::NoMemory)?;
    let (mask, bit) = bit(SHARED.mask, number);
    let (pending, _) = self::bit(SHARED.pending, number);
    let unmasked = change(&page, mask, bit, 0);
    let waits = matches!(unmasked, Updated::Changed(_)) && page.load(pending) & bit != 0;
    if waits && announce(world, guest, me, port.vcpu, number) == Announced::Now {
        drop(page);
        world.upcall(me, u32::from(port.vcpu));
    }
    Ok(())
}

/// Whether a port has an event that nobody has taken.
pub(super) fn is_pending<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut All,
    me: DomainNumber,
    port: u32,
) -> Result<bool, Errno> {
    let guest = guest(all, me)?;
    guest.events.port(port)?;
    let (word, bit) = bit(SHARED.pending, port);
    let page = world.open(me, guest.shared).map_err(|_| Errno::NoMemory)?;
    Ok(page.load(word) & bit != 0)
}

/// An event on a port. A guest that never lets its own words be changed loses it.
pub(super) fn raise<const SLOTS: usize>(
    world: &mut impl World<SLOTS>,
    all: &mut All,
    whose: DomainNumber,
    number: u32,
) {
    let Ok(guest) = guest(all, whose) else { return };
    let Ok(port) = guest.events.port(number) else { return };
    let Ok(page) = world.open(whose, guest.shared) else { return };
    let (pending, bit) = bit(SHARED.pending, number);
    let (mask, _) = self::bit(SHARED.mask, number);
    let new = matches!(change(&page, pending, 0, bit), Updated::Changed(_));
    if new && page.load(mask) & bit == 0 && announce(world, guest, whose, port.vcpu, number) == Announced::Now {
        drop(page);
        world.upcall(whose, u32::from(port.vcpu));
    }
}

/// Whether a vCPU has not been told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    /// It has to be now.
    Now,
    /// It has been, or cannot be.
    Before,
}

/// Sets the bits above a pending one.
fn announce<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    guest: &Guest,
    whose: DomainNumber,
    vcpu: u16,
    port: u32,
) -> Announced {
    let Some(Some(info)) = guest.vcpus.get(usize::from(vcpu)) else { return Announced::Before };
    let Ok(page) = world.open(whose, info.frame) else { return Announced::Before };
    let selected = change(&page, part(info.word, SELECTOR), 0, 1 << (port / u64::BITS));
    if !matches!(selected, Updated::Changed(_)) {
        return Announced::Before;
    }
    let upcall = update(&page, part(info.word, UPCALL), |old| (old & UPCALL_PENDING == 0).then_some(old | 1));
    if matches!(upcall, Updated::Changed(_)) { Announced::Now } else { Announced::Before }
}

/// A `vcpu_info` at a new place: whatever is pending is announced there.
pub(super) fn announce_all<const SLOTS: usize>(
    world: &mut impl World<SLOTS>,
    guest: &Guest,
    whose: DomainNumber,
    vcpu: u32,
) {
    let Some(Some(info)) = guest.vcpus.get(vcpu as usize) else { return };
    let Ok(page) = world.open(whose, info.frame) else { return };
    change(&page, part(info.word, SELECTOR), 0, u64::MAX);
    change(&page, part(info.word, UPCALL), 0, 1);
    drop(page);
    world.upcall(whose, vcpu);
}

/// Lets upcalls through, as a vCPU that blocks does; whether one is pending.
pub(super) fn unmask_upcalls<const SLOTS: usize>(
    world: &impl World<SLOTS>,
    all: &mut All,
    whose: DomainNumber,
    vcpu: u32,
) -> bool {
    let Ok(guest) = guest(all, whose) else { return false };
    let Some(Some(info)) = guest.vcpus.get(vcpu as usize) else { return false };
    let Ok(page) = world.open(whose, info.frame) else { return false };
    let word = part(info.word, UPCALL);
    change(&page, word, UPCALL_MASK, 0);
    page.load(word) & UPCALL_PENDING != 0
}

/// A word of a `vcpu_info`, which ends inside its page.
fn part(first: Index, word: usize) -> Index {
    Index::new(first.get() + word)
}

/// The word and the bit of a port in an array of bits that begins at `first`.
fn bit(first: usize, port: u32) -> (Index, u64) {
    let port = port as usize % PORTS;
    (Index::new(first + port / u64::BITS as usize), 1 << (port % u64::BITS as usize))
}
