//! `console_io`: lines for the hypervisor's console. Xen, public/xen.h, `CONSOLEIO_*`.
//!
//! There is never anything to read: input goes to the ring.

use super::{Call, Errno, Outcome, arguments};
use crate::domain::world::World;

const WRITE: u64 = 0;
const READ: u64 = 1;

/// Most bytes of one write: interrupts are masked while it is printed.
const WRITE_BYTES_MAX: u64 = 4096;
/// Copied at once.
const PIECE_BYTES: usize = 512;

pub(super) fn answer<const SLOTS: usize, W: World<SLOTS>>(call: &mut Call<'_, W>) -> Outcome {
    let [command, bytes, buffer, ..] = call.args;
    match command {
        WRITE if bytes > WRITE_BYTES_MAX => Errno::TooBig.into(),
        WRITE => {
            let print = |world: &mut W, text: &[u8]| world.print(text);
            super::answer(arguments::each_piece::<SLOTS, PIECE_BYTES, W>(call.world, buffer, bytes as usize, print))
        }
        READ => Outcome::Answer(0),
        _ => Errno::NoCall.into(),
    }
}
