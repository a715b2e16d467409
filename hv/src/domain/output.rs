//! What guests print: whole lines under the domain's name, so that none can pass for the hypervisor's.
//!
//! Interprets nothing and trusts nothing: bytes that are not printable become dots. Each domain's lines are its own; it
//! waits for nobody's but the console.

use spin::mutex::TicketMutex;

use crate::arch::this::copy;
use crate::board::DOMAINS;
use crate::board::types::Domain;
use crate::console;

#[cfg(test)]
mod tests;

/// Longest piece of a line that is printed at once.
const LINE_BYTES: usize = 120;

/// The line that each domain has not finished.
static PENDING: [TicketMutex<Line>; DOMAINS.len()] = [const { TicketMutex::new(Line::EMPTY) }; DOMAINS.len()];

/// Takes text from a guest.
pub fn write(domain: &Domain, text: &[u8]) {
    let mut line = pending(domain).lock();
    let mut left = text;
    while !left.is_empty() {
        let (taken, complete) = line.take(left);
        if complete == Pushed::Complete {
            line.print(domain);
        }
        left = &left[taken..];
    }
}

/// Prints what the domain left unfinished.
pub fn flush(domain: &Domain) {
    let mut line = pending(domain).lock();
    if line.used > 0 {
        line.print(domain);
    }
}

fn pending(domain: &Domain) -> &'static TicketMutex<Line> {
    &PENDING[usize::from(domain.vmid) - 1]
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

/// Bytes that are looked at together.
const WORD_BYTES: usize = size_of::<u64>();

/// Marks, by its top bit, the first of eight bytes that is not between space and tilde: its own top bit is set or that of
/// 0x20 less or that of one more. Borrows and carries go up from bytes that are not, so what is marked below is right.
const fn unprintable(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    (word | word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES)) & (ONES * 0x80)
}

impl Line {
    const EMPTY: Self = Self { bytes: [0; LINE_BYTES], used: 0 };

    /// Takes bytes up to the end of the line; returns how many.
    fn take(&mut self, text: &[u8]) -> (usize, Pushed) {
        let mut taken = 0;
        while let (Some(word), Some(room)) =
            (text[taken..].first_chunk::<WORD_BYTES>(), self.bytes[self.used..].first_chunk_mut::<WORD_BYTES>())
        {
            // Bytes from the first unprintable one on are written over.
            let word = copy::load_word(word);
            copy::store_word(room, word);
            let marked = unprintable(word);
            let good = marked.trailing_zeros() as usize / u8::BITS as usize;
            self.used += good;
            taken += good;
            if self.used == LINE_BYTES {
                return (taken, Pushed::Complete);
            }
            if marked != 0 {
                taken += 1;
                if self.push(text[taken - 1]) == Pushed::Complete {
                    return (taken, Pushed::Complete);
                }
            }
        }
        for byte in text[taken..].iter().take(WORD_BYTES) {
            taken += 1;
            if self.push(*byte) == Pushed::Complete {
                return (taken, Pushed::Complete);
            }
        }
        (taken, Pushed::Kept)
    }

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

    fn text(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Whether the line says itself whose it is.
    fn names(&self, domain: &str) -> bool {
        self.text().strip_prefix(domain.as_bytes()).is_some_and(|rest| rest.starts_with(b": "))
    }

    fn print(&mut self, domain: &Domain) {
        let name = if self.names(domain.name) { None } else { Some(domain.name) };
        console::guest_line(name, self.text());
        self.used = 0;
    }
}
