//! Two domains exchange data: the first offers a page to be read and one to be written, the second takes it up. One alone
//! does both.
//!
//! What both know beforehand is in the constants; a real pair would find it in a store.

use crate::machine::{granted_word, ticks, ticks_hz};
use crate::xen::{self, Failed, Page};
use crate::{say, smp};

/// The domains' numbers.
pub(crate) const FIRST: u64 = 1;
pub(crate) const SECOND: u64 = 2;
/// The first port that a domain is given: 0 is none, 1 the console's.
pub(crate) const PORT: u64 = 2;
/// The grants: to be read, and to be written.
pub(crate) const TO_READ: u64 = 8;
pub(crate) const TO_WRITE: u64 = 9;
/// Where the grant is mapped: in the gigabyte of the guest's memory, behind it.
pub(crate) const WINDOW: u64 = 0x7000_0000;

static SHARED: Page = Page::ZERO;
static GRANTS: Page = Page::ZERO;
static OFFERED: Page = Page::ZERO;
static RETURNED: Page = Page::ZERO;
static TAKEN: Page = Page::ZERO;

/// Word `at` of what is exchanged.
fn word(at: usize) -> u64 {
    (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The first of two.
pub(crate) fn offer() -> Result<(), Failed> {
    let port = set_out(SECOND)?;
    collect(port)
}

/// The second of two.
pub(crate) fn take() -> Result<(), Failed> {
    take_from(FIRST)
}

/// Both in one.
pub(crate) fn alone() -> Result<(), Failed> {
    let port = set_out(FIRST)?;
    take_from(FIRST)?;
    collect(port)
}

/// Answers, and keeps a number in all of its SIMD registers, for as long as the first domain is up.
pub(crate) fn outlast() -> Result<(), Failed> {
    /// ESRCH: there is no such domain.
    const GONE: i64 = -3;
    let (mut calls, mut lost) = (0_u64, 0_u64);
    patiently(|| {
        lost += u64::from(!smp::keeps_canary());
        calls += 1;
        match xen::bind_interdomain(FIRST, PORT) {
            Err(Failed { answer: GONE, .. }) => Ok(Some(())),
            Ok(_) | Err(_) => Ok(None),
        }
    })?;
    say(format_args!("outlived the other domain, {lost} of {calls} times without its registers"));
    Ok(())
}

/// Grants both pages, and a port to bind to.
pub(crate) fn set_out(taking: u64) -> Result<u64, Failed> {
    xen::place_shared_info(&SHARED)?;
    xen::place_grant_table(&GRANTS)?;
    (0..512).for_each(|at| OFFERED.set(at, word(at)));
    GRANTS.set(TO_READ as usize, xen::grant(taking, OFFERED.number()) | xen::READONLY);
    GRANTS.set(TO_WRITE as usize, xen::grant(taking, RETURNED.number()));
    let port = xen::alloc_unbound(taking)?;
    say(format_args!("offers a page on port {port}"));
    Ok(port)
}

/// Waits for the event of a port; the first word of what came back.
pub(crate) fn answer(port: u64) -> Result<u64, Failed> {
    patiently(|| Ok(SHARED.take_event(port).then_some(())))?;
    Ok(RETURNED.word(0))
}

/// Waits for what comes back: each word of it, inverted.
fn collect(port: u64) -> Result<(), Failed> {
    answer(port)?;
    let right = (0..512).filter(|at| RETURNED.word(*at) == !word(*at)).count();
    say(format_args!("an event came, with {right} of 512 words"));
    let used = [TO_READ, TO_WRITE].map(|entry| GRANTS.word(entry as usize) & 0b1_1000);
    say(format_args!("grants in use: {used:?}"));
    Ok(())
}

/// Copies the page, maps it, copies it back, and sends an event.
fn take_from(offering: u64) -> Result<(), Failed> {
    let port = patiently(|| Ok(xen::bind_interdomain(offering, PORT).ok()))?;
    xen::copy_from(offering, TO_READ, &TAKEN)?;
    let right = (0..512).filter(|at| TAKEN.word(*at) == word(*at)).count();
    say(format_args!("copied {right} of 512 words"));
    let handle = xen::map(offering, TO_READ, WINDOW)?;
    let seen = granted_word(WINDOW + 8 * 511) == word(511);
    xen::unmap(handle, WINDOW)?;
    say(format_args!("mapped, {}", if seen { "and the same" } else { "but another page" }));
    (0..512).for_each(|at| TAKEN.set(at, !word(at)));
    match xen::copy_to(&TAKEN, offering, TO_READ) {
        Ok(()) => say(format_args!("wrote to a page that is to be read")),
        Err(failed) => say(format_args!("{} to a page that is to be read answered {}", failed.call, failed.answer)),
    }
    xen::copy_to(&TAKEN, offering, TO_WRITE)?;
    xen::send(port)
}

/// Asks again until there is an answer, for ten seconds.
pub(crate) fn patiently<T>(mut ask: impl FnMut() -> Result<Option<T>, Failed>) -> Result<T, Failed> {
    let until = ticks() + 10 * ticks_hz();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if ticks() > until {
            return Err(Failed { call: "waiting", answer: 0 });
        }
        xen::let_others_go_first()?;
    }
}
