//! The built-in guest: prints through console hypercalls, or on its UART where it has one, reads its device tree, turns its MMU on, lets all its processors work, does what its command
//! line asks for, switches off.
//!
//! Never touches another device: it runs on every board that can run a guest.

#![no_std]
#![no_main]

mod audit;
mod calls;
mod exchange;
mod machine;
mod mmu;
mod reboots;
mod smp;
mod tree;
mod xen;

use core::fmt::Write;
use core::panic::PanicInfo;

use machine::Console;

/// Entered from `_start` with a stack and zeroed variables; `device_tree` is the address that x0 held, `entered_ticks`
/// what the generic timer's counter was then.
extern "C" fn main(device_tree: u64, entered_ticks: u64) -> ! {
    let facts = machine::device_tree(device_tree).and_then(tree::Facts::read);
    machine::print_on(facts.as_ref().and_then(|facts| facts.uart));
    say(format_args!("hello from EL{}", machine::exception_level()));
    say(format_args!("entered at tick {entered_ticks} of {} Hz", machine::ticks_hz()));
    match facts {
        Some(facts) => {
            say(format_args!("virtual time began at tick {}", machine::virtual_time_began()));
            say(format_args!("device tree at {device_tree:#x}, {} bytes", facts.bytes));
            say(format_args!("memory at {:#x}, {} MiB", facts.memory_base, facts.memory_bytes >> 20));
            mmu::enable(facts.memory_base, facts.uart);
            say(format_args!("mmu on"));
            smp::run();
            if facts.command_line.ends_with(audit::WORD) {
                audit::run(&facts, entered_ticks);
            }
            role(facts.command_line);
        }
        None => say(format_args!("no device tree at {device_tree:#x}")),
    }
    machine::power_off()
}

/// What the command line asks for besides.
fn role(command_line: &[u8]) {
    let done = match command_line {
        b"role=offer" => exchange::offer(),
        b"role=take" => exchange::take(),
        b"role=calls" => calls::run(),
        b"role=alone" => exchange::alone(),
        b"role=reboot" => reboots::reboot(),
        b"role=count" => reboots::count(),
        b"role=crash" => reboots::crash(),
        b"role=outlive" => reboots::outlive(),
        b"role=outlast" => exchange::outlast(),
        _ => Ok(()),
    };
    if let Err(failed) = done {
        say(format_args!("{} answered {}", failed.call, failed.answer));
    }
}

/// One line; a console that refuses bytes leaves nothing else to do.
pub(crate) fn say(line: core::fmt::Arguments<'_>) {
    if writeln!(Console::default(), "payload: {line}").is_err() {
        machine::power_off()
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("panic: {info}"));
    machine::power_off()
}
