//! A domain that reboots as often as another one counts, and what becomes of others when a domain ends.
//!
//! Nothing of a domain outlives its reboot, so that who counts is the other one: it writes what comes next into a page that
//! it was granted, and sends an event. It leaves another page of the domain mapped each time: the reboot takes it back.

use crate::exchange::{self, FIRST, PORT, SECOND, TO_READ, TO_WRITE, WINDOW};
use crate::machine;
use crate::say;
use crate::xen::{self, Failed, Page};

/// Reboots before the end.
const REBOOTS: u64 = 20;
/// What comes next: a reboot by either call, or the end.
const RESET: u64 = 1;
const SHUTDOWN: u64 = 2;
const OFF: u64 = 3;

static NEXT: Page = Page::ZERO;

/// `SHUTDOWN_reboot`. Xen public headers, `sched.h`.
const REBOOT: u32 = 1;

/// Reboots by the call that the other domain chooses, or returns.
pub(crate) fn reboot() -> Result<(), Failed> {
    let port = exchange::set_out(SECOND)?;
    match exchange::answer(port)? {
        RESET => machine::reset(),
        SHUTDOWN => xen::shutdown(REBOOT),
        _ => Ok(()),
    }
}

/// Has the first domain reboot, each time by the other call, and ends it.
pub(crate) fn count() -> Result<(), Failed> {
    let mut before = None;
    for time in 0..=REBOOTS {
        // The port of this life alone is there to be bound: that of the life before stays bound until its end.
        let port = exchange::patiently(|| Ok(xen::bind_interdomain(FIRST, PORT).ok()))?;
        before.replace(port).map_or(Ok(()), xen::close)?;
        xen::map(FIRST, TO_READ, WINDOW)?;
        say(format_args!("the other domain is up, {time} reboots so far"));
        NEXT.set(0, if time == REBOOTS { OFF } else { RESET + time % 2 });
        xen::copy_to(&NEXT, FIRST, TO_WRITE)?;
        xen::send(port)?;
    }
    Ok(())
}

/// Reads where there is nothing.
pub(crate) fn crash() -> Result<(), Failed> {
    say(format_args!("reads where there is nothing"));
    machine::granted_word(WINDOW);
    Ok(())
}

/// Works on for two seconds.
pub(crate) fn outlive() -> Result<(), Failed> {
    let until = machine::ticks() + 2 * machine::ticks_hz();
    while machine::ticks() < until {
        xen::let_others_go_first()?;
    }
    say(format_args!("goes on after two seconds"));
    Ok(())
}
