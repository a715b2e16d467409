//! What calls cost, by the generic timer: under an emulator that counts instructions it counts instructions.
//!
//! Says ticks for so many repetitions; knows no instruction of the hypervisor's. A repetition's own few instructions are
//! in the figures, and in that of doing nothing.

use crate::machine::{hypercall, ticks, ticks_hz, uart_flags};
use crate::xen::{self, Failed, Page};
use crate::{say, smp};

/// This domain's number.
const ME: u64 = 1;
/// The grant of a page to itself.
const GRANT: u64 = 8;

static SHARED: Page = Page::ZERO;
static GRANTS: Page = Page::ZERO;
static FROM: Page = Page::ZERO;
static TO: Page = Page::ZERO;

/// Measures each.
pub(crate) fn run() -> Result<(), Failed> {
    xen::place_shared_info(&SHARED)?;
    xen::place_grant_table(&GRANTS)?;
    GRANTS.set(GRANT as usize, xen::grant(ME, FROM.number()));
    let waiting = xen::alloc_unbound(ME)?;
    let port = xen::bind_interdomain(ME, waiting)?;
    SHARED.take_event(port);
    say(format_args!("calls: {} ticks a second", ticks_hz()));
    measure("nothing", 1000, || Ok(()))?;
    if uart_flags().is_some() {
        return measure("a read of an emulated UART's register", 1000, || {
            uart_flags();
            Ok(())
        });
    }
    measure("a call that does nothing", 1000, || {
        hypercall(17, [0, 0, 0]);
        Ok(())
    })?;
    measure("an event", 1000, || {
        xen::send(waiting)?;
        SHARED.take_event(port);
        // The guest takes its upcall: `evtchn_upcall_pending` and the selector.
        SHARED.set(0, 0);
        SHARED.set(1, 0);
        Ok(())
    })?;
    measure("a copy of 4096 bytes", 1000, || xen::copy_from(ME, GRANT, &TO))?;
    if smp::let_second_yield() {
        measure("two switches of vCPUs", 1000, xen::let_others_go_first)?;
        smp::stop_second();
    }
    (0..512).for_each(|at| FROM.set(at, u64::from_le_bytes(if at % 8 == 7 { *b"calls; \n" } else { *b"calls..." })));
    let text = FROM.number() * 4096;
    measure("a console write of 4096 bytes", 4, || match hypercall(18, [0, 4096, text]) {
        0 => Ok(()),
        answer => Err(Failed { call: "console_io", answer }),
    })
}

fn measure(what: &str, times: u64, mut once: impl FnMut() -> Result<(), Failed>) -> Result<(), Failed> {
    let before = ticks();
    for _ in 0..times {
        once()?;
    }
    let took = ticks() - before;
    say(format_args!("calls: {what}, {times} times, {took} ticks"));
    Ok(())
}
