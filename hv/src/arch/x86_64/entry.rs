//! How a processor gets from its first instruction to `boot`: the constants that `entry.s` is assembled with, and the
//! two functions that it calls.
//!
//! Every address is the plan's; nothing is measured. Prints nothing but four messages before paging, for loaders and
//! processors that cannot run the hypervisor.

// UNSAFETY: assembles the entry stubs.
#![expect(unsafe_code, reason = "the entry is assembly")]

use core::arch::global_asm;
use core::mem::offset_of;

use paging::PhysAddr;

use super::descriptor::{CODE_32, CODE_64, DATA, Selector};
use super::firmware::Handoff;
use super::handover::Protocol;
use super::interrupts;
use super::per_cpu;
use super::shootdown;
use super::smp::{MAILBOX, Mailbox};
use crate::board::types::{ConsolePlace, PowerOff, Width};
use crate::board::{BOOT, CONSOLE, POWER_OFF, SECTIONS};
use crate::boot;
use crate::cpu::CpuIndex;

/// Load address minus link address, modulo 2^64.
const TO_PHYSICAL: i64 = SECTIONS[0].base.get().wrapping_sub(SECTIONS[0].link.get()) as i64;

/// The turn-on root's address; the entry code has 32 bits for it.
const TURN_ON_ROOT: u64 = BOOT.turn_on_root.address().get();
const _: () = assert!(TURN_ON_ROOT <= u32::MAX as u64, "the turn-on root lies below 4 GiB");
const _: () = assert!(SECTIONS[0].base.get() == BOOT.load.get(), "text is the first section, at `boot.load`");

/// The console's first port, where it has ports; zero is no port of a console.
const CONSOLE_PORT: u16 = match CONSOLE.place {
    ConsolePlace::Port(first) => first,
    ConsolePlace::Mmio { .. } | ConsolePlace::None => 0,
};

/// Where and what to write to switch off; port zero where it takes anything else.
const POWER_PORT: (u16, u16) = match POWER_OFF {
    PowerOff::Port { port, width: Width::Half, value } => (port, value as u16),
    PowerOff::Port { .. } | PowerOff::Mmio { .. } | PowerOff::PsciSmc | PowerOff::PsciHvc | PowerOff::Sleep => (0, 0),
};

global_asm!(
    include_str!("entry.s"),
    to_physical = const TO_PHYSICAL,
    code_64 = const CODE_64,
    code_32 = const CODE_32,
    data = const DATA,
    selector_code_64 = const Selector::Code64 as u16,
    selector_code_32 = const Selector::Code32OrTask as u16,
    selector_data = const Selector::Data as u16,
    protocol_pvh = const Protocol::Pvh as u32,
    protocol_multiboot2 = const Protocol::Multiboot2 as u32,
    turn_on_root = const TURN_ON_ROOT,
    boot_root = const BOOT.boot_root.address().get(),
    stack_top = const interrupts::STACK_TOP.get() as i64,
    console_port = const CONSOLE_PORT,
    port_ready = const CONSOLE_PORT + CONSOLE.ready.register.offset,
    port_tx = const CONSOLE_PORT + CONSOLE.tx.offset,
    ready_mask = const CONSOLE.ready.mask & 0xff,
    ready_value = const CONSOLE.ready.value & 0xff,
    power_port = const POWER_PORT.0,
    power_value = const POWER_PORT.1,
    mailbox = sym MAILBOX,
    mailbox_apic_id = const offset_of!(Mailbox, apic_id),
    mailbox_root = const offset_of!(Mailbox, root),
    mailbox_index = const offset_of!(Mailbox, index),
    start = sym start,
    start_secondary = sym start_secondary,
);

/// The boot processor, on its own root and stack.
extern "C" fn start(protocol: Protocol, info: u32) -> ! {
    per_cpu::load(CpuIndex::BOOT);
    interrupts::load();
    shootdown::join();
    boot::start(Handoff { protocol, at: PhysAddr::new(u64::from(info)) })
}

/// Any other processor, on its own root and stack.
extern "C" fn start_secondary(index: u32) -> ! {
    let cpu = CpuIndex::new(index as usize).expect("the mailbox holds an index that was one");
    per_cpu::load(cpu);
    interrupts::load();
    shootdown::join();
    boot::start_secondary(cpu)
}
