//! Why a guest left, and what becomes of it.
//!
//! No input from a guest panics: what is not understood ends the guest with a line that says why.

use core::fmt;
use core::sync::atomic::Ordering;

use aarch64_cpu::registers::{
    ELR_EL1, ESR_EL1, ESR_EL2, FAR_EL1, FAR_EL2, HPFAR_EL2, Readable, SCTLR_EL1, SPSR_EL1, VBAR_EL1, Writeable,
};
use paging::{Ipa, PAGE_BYTES, VirtAddr};

use super::{Context, GuestAddr, assert_alias, beginning, hypercall, mmio, psci, save, trap, turn_ticks};
use crate::arch::this::cpu;
use crate::arch::this::syndrome::{Abort, Class, Status, Syndrome, Wait};
use crate::board::types::Domain;
use crate::board::{DOMAINS, Place};
use crate::domain::End;
use crate::domain::run::{self, Now, ended};
use crate::mm::mapcache::{self, Moment};
use crate::say;
use crate::sched::Rest;
use crate::vdev::exception::Exception;

/// The vectors a lower exception level arrives at; from AArch32 they are four more. Arm ARM, "Exception vectors".
const SYNCHRONOUS: u64 = 0;
const SYNCHRONOUS_AARCH32: u64 = 4;
const INTERRUPT: u64 = 1;
const INTERRUPT_AARCH32: u64 = 5;

/// A wait may end at any time; one that nothing would end does after so many turns.
const WAIT_TURNS: u64 = 10;

/// Bytes of an A64 instruction.
pub(super) const INSTRUCTION_BYTES: u64 = 4;

/// The immediate of a hypercall in the Xen ABI. Xen, public/arch-arm.h.
const XEN_IMMEDIATE: u16 = 0xea1;

/// Handles one exit; on return the guest goes on.
pub(in super::super) extern "C" fn exit(context: &mut Context, vector: u64) {
    // The vectors are there for every board, what a guest may ask for only where one can.
    if const { DOMAINS.is_empty() } {
        unreachable!("a guest has left, and this board has none");
    }
    assert_alias(context);
    let syndrome = Syndrome::new(ESR_EL2.get());
    match vector {
        // What Linux does most on Xen's console; the others need a larger frame.
        SYNCHRONOUS if syndrome.hvc() == Some(XEN_IMMEDIATE) => hypercall::call(context),
        SYNCHRONOUS => synchronous(context, syndrome),
        INTERRUPT | INTERRUPT_AARCH32 => interrupted(context),
        SYNCHRONOUS_AARCH32 => stop_aarch32(context, syndrome),
        _ => stop(context, &"an interrupt that nobody asked for"),
    }
    if run::is_to_look() {
        look(context);
    }
    mapcache::here().assert_empty(Moment::ReturnToGuest);
    assert_alias(context);
}

#[inline(never)]
fn synchronous(context: &mut Context, syndrome: Syndrome) {
    let class = syndrome.class();
    match class {
        Class::Hvc(0) => psci::call(context),
        Class::Hvc(_) => context.x[0] = psci::NOT_SUPPORTED,
        // The trapped instruction has not run: step over it.
        Class::Smc(_) => {
            context.counter = context.counter.wrapping_add(INSTRUCTION_BYTES);
            context.x[0] = psci::NOT_SUPPORTED;
        }
        Class::Wait => {
            context.counter = context.counter.wrapping_add(INSTRUCTION_BYTES);
            match syndrome.wait() {
                Wait::Interrupt => wait(context),
                Wait::Event => rest(context, Rest::Yield),
            }
        }
        Class::SystemRegister => match trap::access(context, context.vcpu(), syndrome.bits()) {
            trap::Outcome::Done => context.counter = context.counter.wrapping_add(INSTRUCTION_BYTES),
            trap::Outcome::Undefined => refuse(context, Exception::Undefined),
        },
        Class::Simd | Class::Unknown => refuse(context, Exception::Undefined),
        Class::DataAbort(abort) => data_abort(context, syndrome, abort),
        Class::InstructionAbort(abort) => stop(context, &Outside::new(context.domain, abort)),
        Class::IllegalState
        | Class::Svc
        | Class::ProgramCounter
        | Class::StackPointer
        | Class::SError
        | Class::Breakpoint
        | Class::Other(_) => stop(context, &class),
    }
}

/// An access to an emulated device, or to nothing.
fn data_abort(context: &mut Context, syndrome: Syndrome, abort: Abort) {
    let outside = Outside::new(context.domain, abort);
    let outcome = match abort.status {
        Status::Translation => {
            let by = VirtAddr::new(FAR_EL2.get());
            mmio::access(context, context.vcpu(), syndrome.bits(), outside.at, by)
        }
        Status::AccessFlag
        | Status::Permission
        | Status::Alignment
        | Status::AddressSize
        | Status::External
        | Status::Other(_) => mmio::Outcome::Nobody,
    };
    match outcome {
        mmio::Outcome::Done => {}
        mmio::Outcome::Refused(exception) => refuse(context, exception),
        mmio::Outcome::Nobody => stop(context, &outside),
    }
}

/// It runs AArch32 code at EL0, which nothing here provides for.
#[cold]
fn stop_aarch32(context: &mut Context, syndrome: Syndrome) -> ! {
    stop(context, &format_args!("{} from AArch32", syndrome.class()))
}

/// After an interrupt, another vCPU may have its turn.
#[inline(never)]
fn interrupted(context: &mut Context) {
    context.vcpu().taken();
    ask(context);
}

/// This vCPU was told something by what it did itself.
#[inline(never)]
fn look(context: &mut Context) {
    context.vcpu().look();
    ask(context);
}

/// Whether the vCPU goes on.
fn ask(context: &mut Context) {
    let vcpu = context.vcpu();
    match run::ask() {
        Now::GoOn => vcpu.arm(),
        Now::Leave => rest(context, Rest::Yield),
        Now::Gone => {
            save(context);
            run::next()
        }
    }
}

/// The vCPU has nothing to do until it is woken, or its timer is due.
pub(super) fn wait(context: &mut Context) {
    if context.vcpu().has_work() {
        return;
    }
    save(context);
    let longest = cpu::ticks().saturating_add(WAIT_TURNS * turn_ticks());
    let timers = [context.system.timer_due(beginning(context.domain).load(Ordering::Relaxed)), context.vcpu().due()];
    run::leave(context.domain, Rest::Until(timers.into_iter().flatten().fold(longest, u64::min)))
}

/// The vCPU leaves this CPU.
pub(super) fn rest(context: &mut Context, rest: Rest) -> ! {
    save(context);
    run::leave(context.domain, rest)
}

/// The domain is over, and nothing of its vCPU is left in this CPU.
pub(super) fn end(context: &mut Context, how: End) -> ! {
    save(context);
    ended(context.domain, how)
}

/// Ends the guest with a line.
#[cold]
fn stop(context: &mut Context, why: &dyn fmt::Display) -> ! {
    save(context);
    let Context { domain, counter, .. } = context;
    say!("domain {}: {why}, elr {}", domain.name, GuestAddr(*counter).shown());
    ended(domain, End::Stopped)
}

/// An access that stage 2 does not allow.
struct Outside {
    domain: &'static Domain,
    abort: Abort,
    at: Ipa,
}

impl Outside {
    fn new(domain: &'static Domain, abort: Abort) -> Self {
        // FIPA, bits [43:4], is IPA bits [51:12]. Arm ARM, HPFAR_EL2.
        let page = (HPFAR_EL2.get() >> 4 & 0xff_ffff_ffff) * PAGE_BYTES;
        Self { domain, abort, at: Ipa::new(page | FAR_EL2.get() % PAGE_BYTES) }
    }
}

impl fmt::Display for Outside {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Domain { ipa, memory_bytes, from, .. } = *self.domain;
        let (end, place) = (Ipa::new(ipa.get() + memory_bytes), Place(from));
        write!(out, "{} {} ({}), its memory is {ipa}..{end} ({place})", self.abort.attempt, self.at, self.abort.status)
    }
}

/// Lets the guest take an exception at EL1. Arm ARM, "AArch64.TakeException".
fn refuse(context: &mut Context, exception: Exception) {
    let taken = exception.take(context.state, SCTLR_EL1.get());
    match exception {
        Exception::Undefined => {}
        Exception::External(_) => FAR_EL1.set(FAR_EL2.get()),
    }
    ESR_EL1.set(taken.syndrome);
    ELR_EL1.set(context.counter);
    SPSR_EL1.set(context.state);
    context.counter = VBAR_EL1.get().wrapping_add(taken.vector_bytes);
    context.state = taken.state;
}
