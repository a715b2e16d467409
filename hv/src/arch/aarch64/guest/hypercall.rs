//! Hypercalls of the Xen ABI: the console.
//!
//! Every value of a guest is copied once and checked; a wrong one is an error code for the guest and nothing else.
//!
//! Source: Xen, public/arch-arm.h (registers), public/xen.h (numbers), public/errno.h.

use super::memory::{self, Unreadable};
use super::{Context, GuestAddr};
use crate::board::types::{Domain, GuestConsole};
use crate::domain::output;

/// `__HYPERVISOR_console_io`.
const CONSOLE_IO: u64 = 18;
/// `CONSOLEIO_write`.
const WRITE: u64 = 0;
/// `CONSOLEIO_read`: there is never anything to read.
const READ: u64 = 1;

const E2BIG: u64 = -7_i64 as u64;
const EFAULT: u64 = -14_i64 as u64;
const ENOSYS: u64 = -38_i64 as u64;

/// Most bytes of one write: interrupts are masked while it is printed.
const WRITE_BYTES_MAX: u64 = 4096;

/// Bytes copied at once.
const CHUNK_BYTES: usize = 64;

/// Answers HVC #0xEA1: the number in x16, arguments from x0, the result in x0.
pub(super) fn call(context: &mut Context) {
    let [command, count, buffer] = [context.x[0], context.x[1], context.x[2]];
    let console = context.domain.console;
    context.x[0] = match (context.x[16], command, console) {
        (CONSOLE_IO, WRITE, GuestConsole::Hypercall) => write(context.domain, count, GuestAddr(buffer)),
        (CONSOLE_IO, READ, GuestConsole::Hypercall) => 0,
        _ => ENOSYS,
    };
}

fn write(domain: &Domain, count: u64, buffer: GuestAddr) -> u64 {
    if count > WRITE_BYTES_MAX {
        return E2BIG;
    }
    let mut chunk = [0; CHUNK_BYTES];
    let mut done = 0;
    while done < count {
        let wanted = (count - done).min(CHUNK_BYTES as u64) as usize;
        let from = GuestAddr(buffer.0.wrapping_add(done));
        match memory::read(domain, from, &mut chunk[..wanted]) {
            Ok(copied) => {
                output::write(domain, &chunk[..copied]);
                done += copied as u64;
            }
            Err(Unreadable) => return EFAULT,
        }
    }
    0
}
