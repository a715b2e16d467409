//! Running vCPUs: which one a CPU runs next, the way into it and out of it, and the end of a domain.
//!
//! A CPU comes here on an empty stack or leaves what is on it behind: nothing here returns to a guest's exit. What is
//! kept of a vCPU lies in its pages; what is kept here are numbers.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use spin::mutex::TicketMutex;

use super::psci::{self, Code};
use super::{Domains, End, Start, here, inbox, loaded, make_again, number, output, spaces};
use crate::arch::this;
use crate::board::types::{Domain, OnReboot};
use crate::board::{BLOBS, CPUS, DOMAINS};
use crate::cpu::CpuIndex;
use crate::sched::{Affinity, Rest, Scheduler, Seat};
use crate::sync;
use crate::{power, say};

/// vCPUs of the plan.
const SEATS: usize = first_seat(DOMAINS.len());
/// No end of a turn: nobody waits for it.
const NEVER: u64 = u64::MAX;

type All = Scheduler<SEATS, { CPUS.len() }>;

/// Held for a few looks, so that whoever waits for it need not answer others.
static SCHEDULER: TicketMutex<All> = TicketMutex::new(Scheduler::new(&AFFINITIES));

/// Where each vCPU of the plan may run.
const AFFINITIES: [Affinity; SEATS] = {
    let mut all = [Affinity::Floating; SEATS];
    let mut domain = 0;
    while domain < DOMAINS.len() {
        let (pins, mut vcpu) = (DOMAINS[domain].pins, 0);
        while vcpu < pins.len() {
            let cpu = CpuIndex::new(pins[vcpu] as usize).expect("a vCPU is pinned to one of the board's CPUs");
            all[first_seat(domain) + vcpu] = Affinity::Pinned(cpu);
            vcpu += 1;
        }
        domain += 1;
    }
    all
};

/// How a domain has ended: no CPU runs it any more, those that have it loaded unload it.
static ENDS: [TicketMutex<Option<End>>; DOMAINS.len()] = [const { TicketMutex::new(None) }; DOMAINS.len()];

/// Domains that have not been taken apart.
static ALIVE: AtomicUsize = AtomicUsize::new(DOMAINS.len());

/// Whether there is a domain that may start anew.
const RESTARTS: bool = {
    let (mut any, mut at) = (false, 0);
    while at < DOMAINS.len() {
        any |= matches!(DOMAINS[at].on_reboot, OnReboot::Restart);
        at += 1;
    }
    any
};

/// Whether a domain ended otherwise than by switching itself off.
static FAILED: AtomicBool = AtomicBool::new(false);

/// When each CPU's turn is over.
static TURN_ENDS: [AtomicU64; CPUS.len()] = [const { AtomicU64::new(NEVER) }; CPUS.len()];

/// The vCPU of each domain that each CPU ran last, counted from 1: what it remembers of another one is not this one's.
static RAN: [[AtomicU32; CPUS.len()]; DOMAINS.len()] =
    [const { [const { AtomicU32::new(0) }; CPUS.len()] }; DOMAINS.len()];

/// Whether there are more vCPUs than CPUs, in all or on one: one that spins on another one's lock is made to leave then.
pub const OVERCOMMITTED: bool = SEATS > CPUS.len() || {
    let (mut shared, mut pinned, mut at) = (false, [false; CPUS.len()], 0);
    while at < SEATS {
        if let Affinity::Pinned(cpu) = AFFINITIES[at] {
            shared |= pinned[cpu.get()];
            pinned[cpu.get()] = true;
        }
        at += 1;
    }
    shared
};

/// The seat of the first vCPU of the domain with this number.
const fn first_seat(domain: usize) -> usize {
    let (mut first, mut at) = (0, 0);
    while at < domain {
        first += DOMAINS[at].vcpus as usize;
        at += 1;
    }
    first
}

fn seat(domain: &Domain, vcpu: u32) -> Seat {
    Seat::new(first_seat(number(domain)) + vcpu as usize)
}

fn seats(domain: &Domain) -> impl Iterator<Item = Seat> {
    (0..domain.vcpus).map(|vcpu| seat(domain, vcpu))
}

/// Whose vCPU has a seat, and which one it is.
fn whose(seat: Seat) -> (&'static Domain, u32) {
    let mut first = 0;
    for domain in &DOMAINS {
        let vcpus = domain.vcpus as usize;
        if seat.get() < first + vcpus {
            return (domain, (seat.get() - first) as u32);
        }
        first += vcpus;
    }
    unreachable!("seats are the plan's vCPUs")
}

fn with<R>(body: impl FnOnce(&mut All) -> R) -> R {
    body(&mut SCHEDULER.lock())
}

/// Whether each CPU is to look before its guest goes on: its own business.
static LOOK: [AtomicBool; CPUS.len()] = [const { AtomicBool::new(false) }; CPUS.len()];

/// Has a CPU ask what it is to do: another one is interrupted, this one looks before its guest goes on.
fn look(cpu: CpuIndex) {
    if cpu == this::cpu::index() {
        LOOK[cpu.get()].store(true, Ordering::Relaxed);
    } else {
        this::smp::nudge(cpu);
    }
}

/// Whether this CPU's vCPU may have something to take, or its turn is over: to [`ask`] before it goes on.
pub fn is_to_look() -> bool {
    LOOK[this::cpu::index().get()].load(Ordering::Relaxed)
}

/// Starts every domain, and runs what there is to run; the machine is switched off when none is left.
pub fn run(_domains: Domains) -> ! {
    if DOMAINS.is_empty() {
        say!("no domains; powering off");
        power::off()
    }
    DOMAINS.iter().for_each(start);
    next()
}

/// Switches a domain's first vCPU on.
fn start(domain: &'static Domain) {
    if !this::guest::can_run(domain) {
        return end(domain, End::Unsupported);
    }
    let entry = psci::Entry { at: BLOBS[domain.kernel].ipa.get(), context: BLOBS[domain.device_tree].ipa.get() };
    loaded::load(spaces::slot(domain)).expect("a domain that was made and not destroyed can be loaded");
    let (at, tree, vcpus) = (BLOBS[domain.kernel].ipa, BLOBS[domain.device_tree].ipa, domain.vcpus);
    say!("domain {}: enters EL1 at {at}, device tree at {tree}, {vcpus} vCPUs", domain.name);
    inbox::clear(domain);
    RAN[number(domain)].iter().for_each(|ran| ran.store(0, Ordering::Relaxed));
    this::guest::begin(domain);
    let code = switch_on(domain, 0, entry);
    assert!(code == Code::Success, "no vCPU of a new domain is on");
}

/// Switches a vCPU of the loaded domain on.
pub fn switch_on(domain: &'static Domain, vcpu: u32, entry: psci::Entry) -> Code {
    let (seat, root) = (seat(domain, vcpu), spaces::root(domain));
    let started = with(|all| {
        // All vCPUs of a domain that has ended stay off.
        if !all.is_off(seat) || ENDS[number(domain)].lock().is_some() {
            return None;
        }
        // Its page is nobody's while it is off, and whoever else would switch it on waits.
        this::guest::reset(&Start { domain, vcpu, root, entry });
        all.start(seat).ok()
    });
    match started {
        Some(cpu) => {
            look(cpu);
            Code::Success
        }
        None => Code::AlreadyOn,
    }
}

/// Whether a vCPU is on.
pub fn is_on(domain: &Domain, vcpu: u32) -> bool {
    !with(|all| all.is_off(seat(domain, vcpu)))
}

/// A vCPU may have something to do: it runs soon, or looks soon where it runs.
pub fn wake(domain: &Domain, vcpu: u32) {
    if let Some(cpu) = with(|all| all.wake(seat(domain, vcpu))) {
        look(cpu);
    }
}

/// The vCPU that ran leaves, and all of it is in its pages; the CPU goes on with another one.
pub fn leave(domain: &'static Domain, rest: Rest) -> ! {
    let left = with(|all| {
        all.rest(this::cpu::index(), rest);
        seats(domain).any(|seat| !all.is_off(seat))
    });
    // The last vCPU goes, and with it the domain.
    if rest == Rest::Off && !left {
        end(domain, End::PoweredOff);
    }
    next()
}

/// The domain that was running is over.
pub fn ended(domain: &'static Domain, how: End) -> ! {
    end(domain, how);
    next()
}

/// What the vCPU that a CPU runs is to do after an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// It goes on.
    GoOn,
    /// Its turn is over: it leaves by [`leave`].
    Leave,
    /// It was switched off: the CPU goes to [`next`].
    Gone,
}

/// Asks that; the alarm is set for the next time to ask.
pub fn ask() -> Now {
    sync::poll();
    let (cpu, now) = (this::cpu::index(), this::cpu::ticks());
    LOOK[cpu.get()].store(false, Ordering::Relaxed);
    let (goes_on, wanted, due) = with(|all| {
        all.expire(now);
        (all.goes_on(cpu), all.is_wanted(cpu), all.next_due(cpu))
    });
    let turn = &TURN_ENDS[cpu.get()];
    let ends = match turn.load(Ordering::Relaxed) {
        _ if !wanted => NEVER,
        NEVER => now + this::guest::turn_ticks(),
        ends => ends,
    };
    turn.store(ends, Ordering::Relaxed);
    match (goes_on, ends <= now) {
        (false, _) => Now::Gone,
        (true, true) => Now::Leave,
        (true, false) => {
            this::guest::alarm(due.into_iter().chain((ends != NEVER).then_some(ends)).min());
            Now::GoOn
        }
    }
}

/// Runs what there is to run on this CPU, for good.
pub fn next() -> ! {
    let cpu = this::cpu::index();
    loop {
        sync::poll();
        unload_ended();
        let (picked, due) = with(|all| (all.pick(cpu, this::cpu::ticks()), all.next_due(cpu)));
        match picked {
            Some(seat) => enter(seat),
            None => this::guest::idle(due),
        }
    }
}

/// Enters a vCPU; returns where its domain has just ended.
fn enter(seat: Seat) {
    let ((domain, vcpu), cpu) = (whose(seat), this::cpu::index());
    let stack = match loaded::load_if_other(spaces::slot(domain)) {
        Ok(stack) => stack,
        Err(_closed) => return with(|all| all.rest(cpu, Rest::Off)),
    };
    TURN_ENDS[cpu.get()].store(NEVER, Ordering::Relaxed);
    match ask() {
        Now::GoOn => {}
        Now::Leave | Now::Gone => return with(|all| all.rest(cpu, Rest::Yield)),
    }
    let other = RAN[number(domain)][cpu.get()].swap(vcpu + 1, Ordering::Relaxed) != vcpu + 1;
    this::guest::enter(vcpu, stack, if other { Remembers::Another } else { Remembers::This })
}

/// What a CPU's stack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// What was done for this domain: it stays.
    Own,
    /// What was done for another one: it is wiped.
    Others,
}

/// Whose translations a CPU remembers of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembers {
    /// This vCPU's, or nobody's.
    This,
    /// Another one's.
    Another,
}

/// No vCPU of a domain runs from now on, and every CPU unloads it.
fn end(domain: &'static Domain, how: End) {
    let ends = &ENDS[number(domain)];
    if ends.lock().replace(how).is_some() {
        // Another of its vCPUs was first.
        return;
    }
    output::flush(domain);
    if comes_back(domain, how) {
        say!("domain {}: reboots", domain.name);
    } else {
        say!("domain {}: {how}", domain.name);
        FAILED.fetch_or(how != End::PoweredOff, Ordering::Relaxed);
    }
    with(|all| {
        for seat in seats(domain) {
            let _runs_on = all.stop(seat);
        }
    });
    // Those that run it, and those that only have it loaded.
    (0..CPUS.len()).filter_map(CpuIndex::new).for_each(look);
    if loaded::vmid() != Some(domain.vmid) {
        take_apart(domain);
    }
}

/// Unloads a domain that has ended; the last CPU that does takes it apart.
fn unload_ended() {
    let Some(vmid) = loaded::vmid() else { return };
    let domain = &DOMAINS[usize::from(vmid) - 1];
    if ENDS[number(domain)].lock().is_some() {
        this::stack::wipe();
        loaded::unload();
        take_apart(domain);
    }
}

/// Whether a domain that ends like this starts anew.
fn comes_back(domain: &Domain, how: End) -> bool {
    RESTARTS && how == End::Reset && domain.on_reboot == OnReboot::Restart
}

fn take_apart(domain: &'static Domain) {
    let Ok(closed) = spaces::slot(domain).close() else { return };
    this::guest::withdraw(domain);
    here::end(domain);
    if !domain.pins.is_empty() {
        say!("domain {}: ran on CPUs{}", domain.name, RanOn(domain));
    }
    let spaces::Destroyed { free, lost } = spaces::destroy(domain, closed);
    say!("domain {}: destroyed, {lost} frames lost, {free} free", domain.name);
    let how = *ENDS[number(domain)].lock();
    if how.is_some_and(|how| comes_back(domain, how)) { again(domain) } else { gone() }
}

/// A domain that is gone begins once more.
fn again(domain: &'static Domain) {
    match make_again(domain) {
        Ok(()) => {
            *ENDS[number(domain)].lock() = None;
            start(domain);
        }
        Err(error) => {
            say!("{error}");
            FAILED.store(true, Ordering::Relaxed);
            gone();
        }
    }
}

/// A domain is gone for good: with the last one the machine is switched off.
fn gone() {
    if ALIVE.fetch_sub(1, Ordering::AcqRel) > 1 {
        return;
    }
    if FAILED.load(Ordering::Relaxed) {
        say!("not every domain switched itself off; powering off");
    } else {
        say!("all domains are off; powering off");
    }
    power::off()
}

/// The CPUs that have run a domain since it began.
struct RanOn(&'static Domain);

impl fmt::Display for RanOn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ran = RAN[number(self.0)].iter().enumerate().filter(|(_, ran)| ran.load(Ordering::Relaxed) != 0);
        ran.try_for_each(|(cpu, _)| write!(out, " {cpu}"))
    }
}
