//! Grants between two domains: copies, mappings, each error, and random operations beside a model.

mod random;

use paging::{Ipa, PAGE_BYTES};

use super::{FRAMES, MAPS, Status};
use crate::domain::hypercall::{Errno, Outcome};
use crate::domain::rig::{BASE, EMPTY, ONE, TWO, TestWorld, WINDOW, with_guests};

const ARGS: u64 = BASE + 0x100;
const DONE: Outcome = Outcome::Answer(0);

/// `GTF_permit_access`, for a domain, of a page; with other flags.
fn entry(flags: u64, domain: u64, page: u64) -> u64 {
    1 | flags | domain << 16 | page << 32
}

const READONLY: u64 = 1 << 2;
const READING: u64 = 1 << 3;
const WRITING: u64 = 1 << 4;

/// Page number `page` of every domain's memory, and its address.
fn gfn(page: u64) -> u64 {
    BASE / PAGE_BYTES + page
}

fn at(page: u64) -> u64 {
    BASE + page * PAGE_BYTES
}

/// Where an entry of the table is.
fn table(reference: u64) -> u64 {
    WINDOW.grants.get() + 8 * reference
}

/// The status in the caller's structure.
fn status(world: &TestWorld<'_, '_>, at: u64) -> i16 {
    (world.peek(world.who(), ARGS + at / 8 * 8) >> (at % 8 * 8)) as i16
}

/// One side of a copy: a grant or a page of one's own, whose domain, from where on.
#[derive(Clone, Copy, Debug)]
enum Of {
    Grant(u64, u64, u64),
    Own(u64, u64, u64),
}

impl Of {
    fn words(self) -> [u64; 2] {
        let (Self::Grant(number, domain, offset) | Self::Own(number, domain, offset)) = self;
        [number, domain | offset << 16]
    }

    fn flag(self, flag: u64) -> u64 {
        match self {
            Self::Grant(..) => flag,
            Self::Own(..) => 0,
        }
    }
}

fn copy(world: &mut TestWorld<'_, '_>, from: Of, to: Of, bytes: u64) -> i16 {
    let [source, target] = [from.words(), to.words()];
    let flags = from.flag(1) | to.flag(2);
    world.poke(ARGS, &[source[0], source[1], target[0], target[1], bytes | flags << 16]);
    assert_eq!(world.call(20, [5, ARGS, 1, 0, 0]), DONE);
    status(world, 36)
}

/// Maps a grant of the other domain's; its handle.
fn map(world: &mut TestWorld<'_, '_>, reference: u64, domain: u64, place: u64, flags: u64) -> Result<u32, i16> {
    world.poke(ARGS, &[place, flags | reference << 32, domain, 0]);
    assert_eq!(world.call(20, [0, ARGS, 1, 0, 0]), DONE);
    match status(world, 18) {
        0 => Ok((world.peek(world.who(), ARGS + 16) >> 32) as u32),
        status => Err(status),
    }
}

fn unmap(world: &mut TestWorld<'_, '_>, handle: u32, place: u64) -> i16 {
    world.poke(ARGS, &[place, 0, u64::from(handle)]);
    assert_eq!(world.call(20, [1, ARGS, 1, 0, 0]), DONE);
    status(world, 20)
}

const OKAY: i16 = Status::Okay as i16;

#[test]
fn bytes_are_copied_from_a_grant_and_to_one_and_nothing_beside_them() {
    with_guests(|world| {
        for word in 0..512 {
            world.poke(at(3) + 8 * word, &[word]);
        }
        world.poke(table(9), &[entry(READONLY, 2, gfn(3))]);
        world.poke(table(600), &[entry(0, 2, gfn(4))]);
        world.run(TWO, 0);
        world.poke(at(5), &[u64::MAX; 4]);
        assert_eq!(copy(world, Of::Grant(9, 1, 8), Of::Own(gfn(5), 0x7ff0, 8), 16), OKAY);
        assert_eq!([0, 8, 16, 24].map(|word| world.peek(TWO, at(5) + word)), [u64::MAX, 1, 2, u64::MAX]);
        assert_eq!(copy(world, Of::Grant(9, 1, 0), Of::Own(gfn(5), 2, 0), 4096), OKAY);
        assert_eq!(world.peek(TWO, at(5) + 4088), 511);
        assert_eq!(copy(world, Of::Own(gfn(5), 2, 1), Of::Grant(600, 1, 3), 9), OKAY);
        // Bytes 1 to 9 are seven zeroes, 1 (the first byte of word 1) and a zero; they lie at 3 to 11.
        assert_eq!((world.peek(ONE, at(4)), world.peek(ONE, at(4) + 8)), (0, 1 << 16));
        assert_eq!(world.peek(ONE, table(9)), entry(READONLY, 2, gfn(3)), "no longer in use");
        assert_eq!(world.peek(ONE, table(600)), entry(0, 2, gfn(4)));
        assert_eq!(copy(world, Of::Grant(9, 1, 0), Of::Grant(600, 1, 0), 4096), OKAY, "between two grants");
        assert_eq!(world.peek(ONE, at(4) + 4088), 511);
        assert_eq!(copy(world, Of::Own(gfn(5), 2, 0), Of::Own(gfn(6), 2, 0), 4096), OKAY, "its own pages");
        assert_eq!(world.peek(TWO, at(6) + 4088), 511);
    });
}

#[test]
fn copies_that_are_not_allowed_copy_nothing() {
    with_guests(|world| {
        world.poke(table(1), &[entry(READONLY, 2, gfn(3))]);
        world.poke(table(2), &[entry(0, 1, gfn(3)), 0, entry(0, 2, gfn(99)), entry(0, 2, EMPTY / PAGE_BYTES)]);
        // Accept transfer, and an entry of version 2: neither is access to a page.
        world.poke(table(6), &[2 | 2 << 16 | gfn(3) << 32, entry(1 << 8, 2, gfn(3))]);
        world.poke(at(3), &[77]);
        world.run(TWO, 0);
        world.poke(at(5), &[5]);
        let own = Of::Own(gfn(5), 0x7ff0, 0);
        let cases = [
            (Of::Grant(2, 1, 0), own, 8, Status::BadReference),
            (Of::Grant(3, 1, 0), own, 8, Status::BadReference),
            (Of::Grant(4, 1, 0), own, 8, Status::BadPage),
            (Of::Grant(5, 1, 0), own, 8, Status::BadPage),
            (Of::Grant(6, 1, 0), own, 8, Status::BadReference),
            (Of::Grant(7, 1, 0), own, 8, Status::BadReference),
            (Of::Grant(512 * FRAMES as u64, 1, 0), own, 8, Status::BadReference),
            (Of::Grant(u64::from(u32::MAX), 1, 0), own, 8, Status::BadReference),
            (Of::Grant(1, 3, 0), own, 8, Status::BadDomain),
            (Of::Grant(1, 0, 0), own, 8, Status::BadDomain),
            (Of::Grant(1, 0xffff, 0), own, 8, Status::BadDomain),
            (Of::Grant(1, 1, 1), own, 4096, Status::BadCopy),
            (Of::Grant(1, 1, 0), Of::Own(gfn(5), 2, 4095), 2, Status::BadCopy),
            (Of::Grant(1, 1, 0xffff), own, 0xffff, Status::BadCopy),
            (own, Of::Grant(1, 1, 0), 8, Status::Denied),
            (Of::Own(gfn(3), 1, 0), own, 8, Status::Denied),
            (Of::Own(gfn(99), 2, 0), own, 8, Status::BadPage),
            (Of::Own(u64::MAX, 2, 0), own, 8, Status::BadPage),
            (Of::Grant(1, 1, 0), Of::Own(EMPTY / PAGE_BYTES, 2, 0), 8, Status::BadPage),
        ];
        for (from, to, bytes, expected) in cases {
            assert_eq!(copy(world, from, to, bytes), expected as i16, "{from:?} {to:?} {bytes}");
        }
        assert_eq!((world.peek(TWO, at(5)), world.peek(ONE, at(3))), (5, 77));
        for reference in 0..8 {
            assert_eq!(world.peek(ONE, table(reference)) & (READING | WRITING), 0, "{reference} is in use still");
        }
    });
}

#[test]
fn a_long_array_is_done_in_parts() {
    with_guests(|world| {
        assert_eq!(world.call(20, [6, BASE, 40, 8, 9]), Outcome::Again([6, BASE + 16 * 16, 24, 8, 9]));
        assert_eq!(world.call(20, [6, BASE, 16, 0, 0]), DONE);
        assert_eq!(world.call(20, [6, BASE, 1 << 32 | 1, 0, 0]), DONE, "the count has 32 bits");
        let Outcome::Again([_, _, left, ..]) = world.call(20, [6, BASE, u64::MAX, 0, 0]) else {
            panic!("all of it at once")
        };
        assert_eq!(left, u64::from(u32::MAX) - 16);
    });
}

#[test]
fn a_mapped_grant_is_the_same_page_until_it_is_unmapped() {
    with_guests(|world| {
        world.poke(table(4), &[entry(0, 2, gfn(3)), entry(READONLY, 2, gfn(6))]);
        let theirs = world.shown(ONE, Ipa::new(at(3)));
        world.run(TWO, 0);
        let first = map(world, 4, 1, EMPTY, 2).expect("it is granted");
        assert_eq!(world.shown(TWO, Ipa::new(EMPTY)), theirs);
        assert_eq!(world.peek(TWO, ARGS + 24), EMPTY, "no address of the machine is told");
        let second = map(world, 4, 1, EMPTY + PAGE_BYTES, 2 | 4).expect("a second time, to read");
        assert_eq!(world.peek(ONE, table(4)), entry(READING | WRITING, 2, gfn(3)));
        assert_eq!(unmap(world, first, EMPTY), OKAY);
        assert_eq!(world.shown(TWO, Ipa::new(EMPTY)), None);
        assert_eq!(world.peek(ONE, table(4)), entry(READING, 2, gfn(3)), "one reader is left");
        assert_eq!(copy(world, Of::Own(gfn(5), 2, 0), Of::Grant(4, 1, 0), 8), OKAY);
        assert_eq!(world.peek(ONE, table(4)), entry(READING, 2, gfn(3)), "and after a copy");
        assert_eq!(unmap(world, second, EMPTY + PAGE_BYTES), OKAY);
        assert_eq!(world.peek(ONE, table(4)), entry(0, 2, gfn(3)));
        let third = map(world, 5, 1, EMPTY, 2 | 4).expect("handles are used again");
        assert_eq!(third, first);
        assert_eq!(unmap(world, third, EMPTY), OKAY);
    });
}

#[test]
fn mappings_that_are_not_allowed_map_nothing() {
    with_guests(|world| {
        world.poke(table(4), &[entry(READONLY, 2, gfn(3)), entry(0, 1, gfn(3))]);
        world.run(TWO, 0);
        let cases = [
            (4, 1, EMPTY, 2, Status::Denied),
            (5, 1, EMPTY, 2, Status::BadReference),
            (4, 3, EMPTY, 2 | 4, Status::BadDomain),
            (4, 1, EMPTY, 1, Status::General),
            (4, 1, EMPTY, 2 | 4 | 16, Status::General),
            (4, 1, EMPTY, 0xffff_ffff, Status::General),
            (4, 1, EMPTY + 1, 2 | 4, Status::BadAddress),
            (4, 1, BASE, 2 | 4, Status::BadAddress),
            (4, 1, 1 << 40, 2 | 4, Status::BadAddress),
            (4, 1, !4095, 2 | 4, Status::BadAddress),
        ];
        for (reference, domain, place, flags, expected) in cases {
            assert_eq!(map(world, reference, domain, place, flags), Err(expected as i16), "{place:#x} {flags:#x}");
        }
        assert_eq!(world.peek(ONE, table(4)), entry(READONLY, 2, gfn(3)));
        assert_eq!(unmap(world, 0, EMPTY), Status::BadHandle as i16);
        assert_eq!(unmap(world, u32::MAX, EMPTY), Status::BadHandle as i16);
        let handle = map(world, 4, 1, EMPTY, 2 | 4).expect("as it should be");
        assert_eq!(unmap(world, handle, EMPTY + PAGE_BYTES), Status::BadAddress as i16, "it is elsewhere");
        assert_eq!(world.call(17, [1, EMPTY, 0, 0, 0]), Errno::Fault.into(), "arguments lie in a guest's own memory");
        assert_eq!(unmap(world, handle, EMPTY), OKAY);
        assert_eq!(unmap(world, handle, EMPTY), Status::BadHandle as i16);
    });
}

#[test]
fn handles_run_out() {
    with_guests(|world| {
        world.poke(table(4), &[entry(0, 2, gfn(3))]);
        world.run(TWO, 0);
        let place = |number: usize| EMPTY + number as u64 * PAGE_BYTES;
        for number in 0..MAPS {
            assert_eq!(map(world, 4, 1, place(number), 2), Ok(number as u32));
        }
        assert_eq!(map(world, 4, 1, place(MAPS), 2), Err(Status::NoSpace as i16));
        assert_eq!(unmap(world, 7, place(7)), OKAY);
        assert_eq!(map(world, 4, 1, place(MAPS), 2), Ok(7));
    });
}

#[test]
fn a_domain_that_ends_takes_its_pages_with_it() {
    with_guests(|world| {
        world.poke(table(4), &[entry(0, 2, gfn(3))]);
        world.run(TWO, 0);
        world.poke(table(4), &[entry(0, 1, gfn(3))]);
        let handle = map(world, 4, 1, EMPTY, 2).expect("it is granted");
        world.run(ONE, 0);
        map(world, 4, 2, EMPTY, 2).expect("and the other way");
        world.run(TWO, 0);
        world.end(ONE);
        assert_eq!(world.shown(TWO, Ipa::new(EMPTY)), None);
        assert_eq!(unmap(world, handle, EMPTY), Status::BadHandle as i16);
        assert_eq!(world.peek(TWO, table(4)), entry(0, 1, gfn(3)), "nobody uses it any more");
        assert_eq!(map(world, 4, 1, EMPTY, 2), Err(Status::BadDomain as i16));
    });
}

#[test]
fn the_table_is_of_version_1() {
    with_guests(|world| {
        world.poke(ARGS, &[0x7ff0, 0]);
        assert_eq!(world.call(20, [6, ARGS, 1, 0, 0]), DONE);
        assert_eq!(world.peek(ONE, ARGS), 0x7ff0 | (FRAMES as u64) << 32);
        assert_eq!(world.peek(ONE, ARGS + 8), FRAMES as u64);
        world.poke(ARGS, &[2, 0]);
        assert_eq!(world.call(20, [6, ARGS, 1, 0, 0]), DONE);
        assert_eq!(status(world, 12), Status::Denied as i16);
        world.poke(ARGS, &[2]);
        assert_eq!(world.call(20, [8, ARGS, 1, 0, 0]), Errno::NoCall.into());
        world.poke(ARGS, &[1]);
        assert_eq!(world.call(20, [8, ARGS, 1, 0, 0]), DONE);
        world.poke(ARGS, &[0x7ff0]);
        assert_eq!(world.call(20, [10, ARGS, 1, 0, 0]), DONE);
        assert_eq!(world.peek(ONE, ARGS) >> 32, 1);
        for refused in [2, 3, 4, 7, 9, 11, 12] {
            assert_eq!(world.call(20, [refused, ARGS, 1, 0, 0]), Errno::NoCall.into(), "{refused}");
        }
    });
}
