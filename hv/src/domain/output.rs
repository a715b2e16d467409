//! What guests print: whole lines under the domain's name, so that none can pass for the hypervisor's.
//!
//! Interprets nothing and trusts nothing: bytes that are not printable become dots.

use spin::mutex::TicketMutex;

use crate::board::types::Domain;
use crate::console;

#[cfg(test)]
mod tests;

/// Longest piece of a line that is printed at once.
const LINE_BYTES: usize = 120;

/// The line that the running domain has not finished.
static PENDING: TicketMutex<Line> = TicketMutex::new(Line::EMPTY);

/// Takes one byte from a guest.
pub fn push(domain: &Domain, byte: u8) {
    let mut line = PENDING.lock();
    if line.push(byte) == Pushed::Complete {
        line.print(domain);
    }
}

/// Prints what the domain left unfinished.
pub fn flush(domain: &Domain) {
    let mut line = PENDING.lock();
    if line.used > 0 {
        line.print(domain);
    }
}

struct Line {
    bytes: [u8; LINE_BYTES],
    used: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pushed {
    Kept,
    Complete,
}

impl Line {
    const EMPTY: Self = Self { bytes: [0; LINE_BYTES], used: 0 };

    fn push(&mut self, byte: u8) -> Pushed {
        let kept = match byte {
            b'\n' => return Pushed::Complete,
            b'\r' => return Pushed::Kept,
            b'\t' | b' '..=b'~' => byte,
            _ => b'.',
        };
        self.bytes[self.used] = kept;
        self.used += 1;
        if self.used == LINE_BYTES { Pushed::Complete } else { Pushed::Kept }
    }

    fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.used]).unwrap_or("")
    }

    /// Whether the line says itself whose it is.
    fn names(&self, domain: &str) -> bool {
        self.text().strip_prefix(domain).is_some_and(|rest| rest.starts_with(": "))
    }

    fn print(&mut self, domain: &Domain) {
        let text = self.text();
        if self.names(domain.name) {
            console::guest_line(format_args!("{text}"));
        } else {
            console::guest_line(format_args!("{}: {text}", domain.name));
        }
        self.used = 0;
    }
}
