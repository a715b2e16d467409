//! The hypervisor's own lines, and its guests', on the board's polled UART.
//!
//! Never allocates, never waits for an interrupt. A line is printed whole, or not before the one that is.

// UNSAFETY: names the console's registers.
#![expect(unsafe_code, reason = "device registers")]

use core::fmt::{self, Write};

use spin::mutex::TicketMutex;

use crate::arch::this;
use crate::board::CONSOLE;
use crate::board::types::{ConsolePlace, Flag, Register};
use crate::io::Registers;

mod ring;

use ring::Ring;

/// Proof that lines can be printed.
#[derive(Clone, Copy, Debug)]
pub struct Console(());

static PORT: TicketMutex<Port> = TicketMutex::new(Port { state: State::Closed, ring: Ring::new() });

/// Polls of the lock after which a dying CPU prints over whoever holds it.
const PATIENCE_ITERATIONS: u32 = 1_000_000;

/// Polls of the status register after which a byte is dropped rather than the machine hung.
const READY_ITERATIONS: u32 = 1_000_000;

/// Prints one line of the hypervisor's own.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::console::line(format_args!($($text)*)) };
}

struct Port {
    state: State,
    ring: Ring,
}

/// Whether the console's registers are mapped and set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// What is printed is kept.
    Closed,
    /// It is sent.
    Open,
}

/// Makes the console usable.
pub fn init() -> Console {
    PORT.lock().open();
    Console(())
}

/// Prints `tabula: ` and a line.
pub fn line(text: fmt::Arguments<'_>) {
    PORT.lock().line("tabula: ", text);
}

/// Prints a line that a guest sent, as it is, behind a name if there is one.
pub fn guest_line(name: Option<&str>, text: &[u8]) {
    let mut port = PORT.lock();
    if let Some(name) = name {
        port.bytes(name.as_bytes());
        port.bytes(b": ");
    }
    port.bytes(text);
    port.bytes(b"\r\n");
}

/// Prints a line of a CPU that will not run on; waits for the lock only so long. Opens the console if nobody has yet.
pub fn last_words(text: fmt::Arguments<'_>) {
    for _ in 0..PATIENCE_ITERATIONS {
        if let Some(mut port) = PORT.try_lock() {
            if port.state == State::Closed {
                port.open();
            }
            return port.line("tabula: ", text);
        }
        this::cpu::relax();
    }
    let mut port = Port { state: State::Closed, ring: Ring::new() };
    port.open();
    port.line("\r\ntabula: ", text);
}

impl Port {
    fn open(&mut self) {
        if let Some(registers) = registers() {
            self.state = State::Open;
            write(registers, CONSOLE.init);
        }
    }

    fn line(&mut self, prefix: &str, text: fmt::Arguments<'_>) {
        // The port itself never fails; an error here is one of the value's own `Display`.
        if self.write_str(prefix).and_then(|()| self.write_fmt(text)).is_err() {
            self.bytes(b"?");
        }
        self.bytes(b"\r\n");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match (self.state, registers()) {
            (State::Open, Some(registers)) => bytes.iter().for_each(|byte| send(registers, *byte)),
            (State::Open, None) | (State::Closed, _) => bytes.iter().for_each(|byte| self.ring.push(*byte)),
        }
    }
}

/// The console's registers, where it has any: a constant, which whoever has opened the port may use.
#[inline(always)]
fn registers() -> Option<Registers> {
    match CONSOLE.place {
        ConsolePlace::Mmio { mapped, .. } => {
            // SAFETY: the planner maps the console's pages in fixmap slots for the life of the image.
            Some(unsafe { Registers::memory(mapped) })
        }
        ConsolePlace::Port(first) => Some(Registers::ports(first)),
        ConsolePlace::None => None,
    }
}

/// Sends one byte; guests print a great many, so every instruction counts.
#[inline(always)]
fn send(registers: Registers, byte: u8) {
    // Constants, all of them: what a board's UART does not need is not in its image.
    if let Some(idle) = const { CONSOLE.idle } {
        wait(registers, idle);
    }
    write(registers, CONSOLE.before);
    wait(registers, const { CONSOLE.ready });
    registers.write(CONSOLE.tx.offset, CONSOLE.tx.width, u32::from(byte));
    write(registers, CONSOLE.after);
}

/// Polls until the flag holds, or long enough.
#[inline(always)]
fn wait(registers: Registers, flag: Flag) {
    if !holds(registers, flag) {
        keep_polling(registers, flag);
    }
}

#[inline(always)]
fn holds(registers: Registers, flag: Flag) -> bool {
    flag.holds(registers.read(flag.register.offset, flag.register.width))
}

#[cold]
#[inline(never)]
fn keep_polling(registers: Registers, flag: Flag) {
    for _ in 0..READY_ITERATIONS {
        if holds(registers, flag) {
            break;
        }
    }
}

#[inline(always)]
fn write(registers: Registers, list: &[(Register, u32)]) {
    for (register, value) in list {
        registers.write(register.offset, register.width, *value);
    }
}

impl fmt::Write for Port {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}
