//! The ring, as a guest fills it: well or badly.

use paging::PAGE_BYTES;

use crate::domain::hypercall::Outcome;
use crate::domain::rig::{BASE, ONE, TestWorld, WINDOW, with_guests};

const ARGS: u64 = BASE + 0x100;
const EVENT_CHANNEL_OP: u64 = 32;
const SEND: u64 = 4;
/// `out_cons` and `out_prod`.
const INDICES: u64 = 3080;

fn ring() -> u64 {
    WINDOW.ring.get()
}

/// Sends an event on the console's port, with these indices in the ring.
fn send(world: &mut TestWorld<'_, '_>, read: u32, written: u32) -> Outcome {
    world.poke(ring() + INDICES, &[u64::from(written) << 32 | u64::from(read)]);
    world.poke(ARGS, &[1]);
    world.call(EVENT_CHANNEL_OP, [SEND, ARGS, 0, 0, 0])
}

fn fill(world: &TestWorld<'_, '_>) {
    for word in 0..2048 / 8 {
        let bytes = [0, 1, 2, 3, 4, 5, 6, 7].map(|byte| ((word * 8 + byte) % 251) as u8);
        world.poke(ring() + 1024 + word * 8, &[u64::from_le_bytes(bytes)]);
    }
}

#[test]
fn what_is_between_the_indices_is_printed_once() {
    with_guests(|world| {
        fill(world);
        for (read, written) in [(0, 5), (5, 5), (5, 300), (2040, 2060), (u32::MAX - 3, 9), (4096 + 7, 4096 + 7 + 2048)]
        {
            assert_eq!(send(world, read, written), Outcome::Answer(0));
            let expected: std::vec::Vec<u8> =
                (0..written.wrapping_sub(read)).map(|at| (read.wrapping_add(at) % 2048 % 251) as u8).collect();
            assert_eq!(world.printed.take(), expected, "{read}..{written}");
            let indices = world.peek(ONE, ring() + INDICES);
            assert_eq!((indices as u32, (indices >> 32) as u32), (written, written), "all of it was read");
        }
    });
}

#[test]
fn indices_that_make_no_sense_are_skipped() {
    with_guests(|world| {
        fill(world);
        for (read, written) in [(0, 2049), (1, 0), (0, u32::MAX), (u32::MAX, u32::MAX - 1)] {
            assert_eq!(send(world, read, written), Outcome::Answer(0));
            assert_eq!(world.printed.take(), [], "{read}..{written}");
            assert_eq!(world.peek(ONE, ring() + INDICES) as u32, written);
        }
    });
}

#[test]
fn a_guest_that_had_filled_its_ring_is_told_that_there_is_room() {
    with_guests(|world| {
        let pending = ring() + PAGE_BYTES + 48;
        assert_eq!(send(world, 0, 2047), Outcome::Answer(0));
        assert_eq!((world.peek(ONE, pending), world.upcalls.len()), (0, 0));
        assert_eq!(send(world, 0, 2048), Outcome::Answer(0));
        assert_eq!((world.peek(ONE, pending), &world.upcalls[..]), (1 << 1, &[(ONE, 0)][..]));
    });
}
