//! What the payload does under `xtask audit`: plants secrets, then works on their pages for ever: hypercalls whose buffers
//! are in them, and copies of them, which it grants itself.
//!
//! A secret is derived from what the counter showed when the guest ran; nothing that the guest was given holds it.

use core::fmt;

use crate::machine;
use crate::tree::Facts;
use crate::xen::{self, Failed, Page};

/// The word on the command line that asks for it.
pub(crate) const WORD: &[u8] = b"tabula.audit";
/// Pages that are filled, from here on in the guest's memory: behind the program, before the device tree.
const PAGES: u64 = 1500;
const FIRST_BYTES: u64 = 4 << 20;
const PAGE_BYTES: u64 = 4096;
/// Two numbers that name the seed and one that names the page, ten digits each.
const DIGITS: usize = 10;
const RECORD_BYTES: usize = 3 * DIGITS;
/// Records of a page; what is left behind them is the buffer that hypercalls are given.
const RECORDS: usize = 132;
const BUFFER_AT: usize = RECORDS * RECORD_BYTES;
/// Calls between two lines, steps between two calls, and how often nothing is called for a while.
const CALLS_PER_LINE: u32 = 50_000;
const STEPS: u32 = 200;
const QUIET_EVERY: u32 = 20_000;
const QUIET_STEPS: u32 = 5_000_000;

/// How often a call is followed by a copy.
const COPY_EVERY: u32 = 64;
/// The grant of the page that is copied, and whoever calls.
const GRANT: u64 = 8;
const SELF: u64 = 0x7ff0;
/// Domains at most: a grant names the one that may use it by its number.
const DOMAINS: u64 = 16;

static GRANTS: Page = Page::ZERO;
static COPY: Page = Page::ZERO;

/// The pages of secrets.
struct Secrets {
    first: u64,
}

/// Plants and works; never returns.
pub(crate) fn run(facts: &Facts, entered_ticks: u64) -> ! {
    let secrets = Secrets { first: facts.memory_base + FIRST_BYTES };
    let name = facts.name();
    // Guests that were entered at the same tick draw different seeds.
    let seed =
        name.bytes().fold(fold(entered_ticks) ^ fold(machine::ticks()), |seed, byte| next(seed ^ u32::from(byte)));
    for number in 0..PAGES {
        secrets.plant(seed, number);
    }
    crate::say(format_args!("audit: {name} planted {PAGES} pages from seed {seed}"));
    let me = own_number(&secrets).unwrap_or_else(|failed| {
        crate::say(format_args!("audit: {} answered {}", failed.call, failed.answer));
        machine::power_off()
    });
    let mut calls = 0_u32;
    loop {
        for number in 0..PAGES {
            secrets.work(number);
            if calls.is_multiple_of(COPY_EVERY) && secrets.copy(me, number).is_err() {
                crate::say(format_args!("audit: a copy failed"));
            }
            calls = calls.wrapping_add(1);
            machine::spin(if calls.is_multiple_of(QUIET_EVERY) { QUIET_STEPS } else { STEPS });
            if calls.is_multiple_of(CALLS_PER_LINE) {
                crate::say(format_args!("audit: {calls} calls"));
            }
        }
    }
}

/// The number by which the hypervisor knows this domain: that of whoever may use a grant to it.
fn own_number(secrets: &Secrets) -> Result<u64, Failed> {
    xen::place_grant_table(&GRANTS)?;
    let mine = (1..=DOMAINS).find(|number| secrets.copy(*number, 0).is_ok());
    mine.ok_or(Failed { call: "a copy of one's own page", answer: 0 })
}

impl Secrets {
    /// Copies a page of secrets by a grant of the domain to itself.
    fn copy(&self, me: u64, number: u64) -> Result<(), Failed> {
        GRANTS.set(GRANT as usize, xen::grant(me, self.first / PAGE_BYTES + number));
        xen::copy_from(SELF, GRANT, &COPY)
    }

    fn page(&self, number: u64) -> &'static mut [u8; PAGE_BYTES as usize] {
        machine::page(self.first + number * PAGE_BYTES)
    }

    /// Fills a page with records.
    fn plant(&self, seed: u32, number: u64) {
        let first = next(seed);
        let numbers = [first, next(first), u32::try_from(number).unwrap_or(u32::MAX)];
        for record in self.page(number)[..BUFFER_AT].chunks_exact_mut(RECORD_BYTES) {
            for (digits, number) in record.chunks_exact_mut(DIGITS).zip(numbers) {
                write_digits(digits, number);
            }
        }
    }

    /// One hypercall whose buffer is in a page of secrets.
    fn work(&self, number: u64) {
        machine::extra_version(&mut self.page(number)[BUFFER_AT..]);
    }
}

/// Decimal, with leading zeroes.
fn write_digits(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Marsaglia's generator with multiplier 69069, modulo 2^32.
fn next(number: u32) -> u32 {
    number.wrapping_mul(69069).wrapping_add(1)
}

/// Both halves of a counter.
fn fold(ticks: u64) -> u32 {
    let [a, b, c, d, e, f, g, h] = ticks.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]) ^ u32::from_le_bytes([e, f, g, h])
}

impl Facts {
    /// The domain's name, which the tree's model ends in.
    fn name(&self) -> Name {
        Name(self.model)
    }
}

/// The last word of a model.
#[derive(Clone, Copy)]
struct Name(&'static [u8]);

impl Name {
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let start = self.0.iter().rposition(|byte| *byte == b' ').map_or(0, |at| at + 1);
        self.0[start..].iter().copied()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().try_for_each(|byte| fmt::Write::write_char(out, char::from(byte)))
    }
}
