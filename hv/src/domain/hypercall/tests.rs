//! Calls as a guest makes them, on the simulated machine: what each answers, and what no argument can do.

use super::{Errno, Outcome};
use crate::domain::End;
use crate::domain::rig::{BASE, EMPTY, ONE, PAGES, READ_ONLY, TWO, TestWorld, WINDOW, with_guests};
use paging::{Ipa, PAGE_BYTES};

const VERSION: u64 = super::XEN_VERSION;
/// Where guests put their arguments.
const ARGS: u64 = BASE + 0x100;

fn failed(error: Errno) -> Outcome {
    error.into()
}

const DONE: Outcome = Outcome::Answer(0);

fn call(world: &mut TestWorld<'_, '_>, number: u64, command: u64, at: u64) -> Outcome {
    world.call(number, [command, at, 0, 0, 0])
}

#[test]
fn unknown_calls_are_told_so() {
    with_guests(|world| {
        for number in (0..64).chain([1 << 32 | VERSION, u64::MAX]) {
            let known = [12, 17, 18, 20, 24, 29, 32, 34].contains(&number);
            if !known {
                assert_eq!(world.call(number, [0; 5]), failed(Errno::NoCall), "{number}");
            }
        }
        for number in [12, 17, 18, 20, 32, 34] {
            assert_eq!(world.call(number, [99, ARGS, 1, 0, 0]), failed(Errno::NoCall), "{number}");
        }
    });
}

#[test]
fn the_version_is_the_abis() {
    with_guests(|world| {
        assert_eq!(call(world, VERSION, 0, 0), Outcome::Answer(4 << 16 | 17));
        assert_eq!(call(world, VERSION, 7, 0), Outcome::Answer(PAGE_BYTES));
        world.poke(ARGS, &[u64::MAX; 3]);
        assert_eq!(call(world, VERSION, 1, ARGS), DONE);
        assert_eq!(world.peek(ONE, ARGS).to_le_bytes(), *b".0-tabul");
        assert_eq!(world.peek(ONE, ARGS + 8).to_le_bytes(), *b"a\0\0\0\0\0\0\0");
        assert_eq!(world.peek(ONE, ARGS + 16), u64::MAX, "no byte behind the field is written");
        world.poke(ARGS, &[0]);
        assert_eq!(call(world, VERSION, 6, ARGS), DONE);
        assert_eq!(world.peek(ONE, ARGS) >> 32, 1 << 2 | 1 << 16);
        world.poke(ARGS, &[1]);
        assert_eq!(call(world, VERSION, 6, ARGS), failed(Errno::Invalid), "there is one submap");
        for (what, bytes) in [(2, 144), (3, 1024), (4, 64), (5, 8), (8, 16), (9, 1024)] {
            world.poke(ARGS + bytes, &[7]);
            assert_eq!(call(world, VERSION, what, ARGS), DONE, "{what}");
            assert_eq!(world.peek(ONE, ARGS + bytes), 7, "{what}");
        }
        assert_eq!(call(world, VERSION, 10, ARGS), failed(Errno::NoData));
    });
}

#[test]
fn pointers_that_the_guest_cannot_use_itself_are_refused() {
    with_guests(|world| {
        let end = BASE + PAGES * PAGE_BYTES;
        let nowhere = [0, BASE - 1, end, EMPTY, 1 << 39, 1 << 48, 1 << 63, u64::MAX];
        let calls =
            [(17, 1), (17, 6), (12, 7), (12, 23), (20, 8), (20, 10), (29, 2), (29, 3), (32, 4), (32, 6), (34, 1)];
        for (number, command) in calls {
            for at in nowhere.into_iter().chain([end - 1]) {
                assert_eq!(call(world, number, command, at), failed(Errno::Fault), "{number}, {command}, {at:#x}");
            }
        }
        assert_eq!(call(world, VERSION, 1, READ_ONLY), failed(Errno::Fault));
        assert_eq!(
            call(world, VERSION, 1, READ_ONLY - 8),
            failed(Errno::Fault),
            "only the first half could be written"
        );
        assert_eq!(world.call(24, [10, 0, u64::MAX, 0, 0]), failed(Errno::Fault));
        for at in nowhere {
            assert_eq!(world.call(20, [5, at, 1, 0, 0]), failed(Errno::Fault), "copy, {at:#x}");
            assert_eq!(world.call(20, [5, at, 0, 0, 0]), DONE, "none to copy, {at:#x}");
        }
    });
}

#[test]
fn what_is_written_is_printed_in_order_across_pages() {
    with_guests(|world| {
        let text: std::vec::Vec<u8> = (0..4096_u32).map(|at| (at % 251) as u8).collect();
        let at = BASE + PAGE_BYTES + 13;
        for (word, bytes) in text.chunks_exact(8).enumerate() {
            let value = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            world.poke(BASE + PAGE_BYTES + 8 * word as u64, &[value]);
        }
        assert_eq!(world.call(18, [0, 4096 - 13, at, 0, 0]), DONE);
        assert_eq!(*world.printed.borrow(), text[13..]);
        assert_eq!(world.call(18, [0, 4097, at, 0, 0]), failed(Errno::TooBig));
        assert_eq!(world.call(18, [0, 1, EMPTY, 0, 0]), failed(Errno::Fault));
        assert_eq!(world.call(18, [0, 0, EMPTY, 0, 0]), DONE, "no byte of it is read");
        assert_eq!(world.call(18, [1, u64::MAX, u64::MAX, 0, 0]), DONE, "nothing to read");
        assert_eq!(world.call(18, [2, 0, 0, 0, 0]), failed(Errno::NoCall));
        assert_eq!(world.printed.borrow().len(), 4096 - 13);
    });
}

#[test]
fn a_domain_ends_for_the_reason_it_gives() {
    with_guests(|world| {
        let reasons = [
            (0, Outcome::End(End::PoweredOff)),
            (1, Outcome::End(End::Reset)),
            (2, failed(Errno::NotSupported)),
            (3, Outcome::End(End::Crashed)),
            (4, Outcome::End(End::Crashed)),
            (5, failed(Errno::NotSupported)),
            (6, failed(Errno::Invalid)),
            (u64::from(u32::MAX), failed(Errno::Invalid)),
        ];
        for (reason, outcome) in reasons {
            world.poke(ARGS, &[reason]);
            assert_eq!(call(world, 29, 2, ARGS), outcome, "{reason}");
        }
        world.poke(ARGS, &[2]);
        assert_eq!(call(world, 29, 4, ARGS), failed(Errno::NotPermitted), "another domain");
        world.poke(ARGS, &[1]);
        assert_eq!(call(world, 29, 4, ARGS), failed(Errno::Invalid), "itself, by the wrong call");
    });
}

#[test]
fn a_guest_finds_its_console_and_no_store() {
    with_guests(|world| {
        let mut get = |index: u64| {
            world.poke(ARGS, &[0x7ff0 | index << 32, u64::MAX]);
            (call(world, 34, 1, ARGS), world.peek(ONE, ARGS + 8))
        };
        assert_eq!(get(17), (DONE, WINDOW.ring.get() / PAGE_BYTES));
        assert_eq!(get(18), (DONE, 1));
        assert_eq!(get(1), (DONE, 0));
        assert_eq!(get(2), (DONE, 0));
        assert_eq!(get(0), (DONE, 2 << 56 | 31));
        assert_eq!(get(5), (failed(Errno::NotPermitted), u64::MAX));
        assert_eq!(get(39), (failed(Errno::Invalid), u64::MAX));
        assert_eq!(get(u64::from(u32::MAX)), (failed(Errno::Invalid), u64::MAX));
        let mut set = |domain: u64, index: u64, value: u64| {
            world.poke(ARGS, &[domain | index << 32, value]);
            call(world, 34, 0, ARGS)
        };
        assert_eq!(set(1, 0, 2 << 56 | 31), DONE);
        assert_eq!(set(0x7ff0, 0, 0), failed(Errno::Invalid));
        assert_eq!(set(0x7ff0, 17, 0), failed(Errno::NotPermitted));
        assert_eq!(set(2, 0, 2 << 56 | 31), failed(Errno::NotPermitted));
        assert_eq!(set(0, 0, 2 << 56 | 31), failed(Errno::NotPermitted));
    });
}

#[test]
fn shared_pages_move_with_what_they_hold() {
    with_guests(|world| {
        let mut place = |space: u64, index: u64, page: u64| {
            world.poke(ARGS, &[0x7ff0 | space << 32, index, page]);
            call(world, 12, 7, ARGS)
        };
        let page = |number: u64| (BASE / PAGE_BYTES) + number;
        assert_eq!(place(0, 0, page(2)), DONE);
        assert_eq!(place(1, 3, page(3)), DONE);
        assert_eq!(place(1, 3, page(3)), DONE, "where it is already");
        for (space, index, at, error) in [
            (0, 0, page(PAGES), Errno::Invalid),
            (0, 0, EMPTY / PAGE_BYTES, Errno::Invalid),
            (0, 0, u64::MAX, Errno::Invalid),
            (0, 0, 1 << 40, Errno::Invalid),
            (1, 4, page(3), Errno::Invalid),
            (1, 0x8000_0000, page(3), Errno::Invalid),
            (1, u64::MAX, page(3), Errno::Invalid),
            (2, 0, page(3), Errno::NotSupported),
            (3, 0, page(3), Errno::NotSupported),
            (4, 0, page(3), Errno::NotPermitted),
            (5, 0, page(3), Errno::NotPermitted),
            (6, 0, page(3), Errno::NoCall),
        ] {
            assert_eq!(place(space, index, at), failed(error), "{space}, {index:#x}, {at:#x}");
        }
        world.poke(ARGS, &[2, 0, page(4)]);
        assert_eq!(call(world, 12, 7, ARGS), failed(Errno::NotPermitted), "another domain's");
        // A batch: three of them, one of which fails.
        world.poke(ARGS, &[0x7ff0 | 1 << 16 | 3 << 32, ARGS + 0x40, ARGS + 0x60, ARGS + 0x80]);
        world.poke(ARGS + 0x40, &[0, 9, 1]);
        world.poke(ARGS + 0x60, &[page(5), page(6), page(7)]);
        world.poke(ARGS + 0x80, &[u64::MAX; 2]);
        assert_eq!(call(world, 12, 23, ARGS), DONE);
        assert_eq!(world.peek(ONE, ARGS + 0x80), (-22_i32 as u32 as u64) << 32);
        assert_eq!(world.peek(ONE, ARGS + 0x88), 0xffff_ffff_0000_0000);
        world.poke(ARGS, &[0x7ff0 | 1 << 16 | 257 << 32]);
        assert_eq!(call(world, 12, 23, ARGS), failed(Errno::TooBig));
    });
}

#[test]
fn vcpus_say_where_they_look() {
    with_guests(|world| {
        let mut register = |vcpu: u64, page: u64, offset: u64| {
            world.poke(ARGS, &[page, offset]);
            world.call(24, [10, vcpu, ARGS, 0, 0])
        };
        let page = BASE / PAGE_BYTES + 2;
        assert_eq!(register(0, page, 4), failed(Errno::Invalid), "not aligned");
        assert_eq!(register(0, page, 4096 - 40), failed(Errno::Invalid), "leaves its page");
        assert_eq!(register(0, page, u64::from(u32::MAX) & !7), failed(Errno::Invalid));
        assert_eq!(register(0, EMPTY / PAGE_BYTES, 0), failed(Errno::Invalid));
        assert_eq!(register(2, page, 0), failed(Errno::NoEntry));
        assert_eq!(register(1 << 32, page, 0), failed(Errno::NoEntry));
        assert_eq!(register(0, page, 4096 - 48), DONE);
        assert_eq!(register(0, page, 0), failed(Errno::Invalid), "it moves once");
        assert_eq!(register(1, page, 64), DONE);
        assert_eq!(world.upcalls, [(ONE, 0), (ONE, 1)]);
        assert_eq!(world.peek(ONE, BASE + 3 * PAGE_BYTES - 48) & 0xff, 1);
        assert_eq!(world.peek(ONE, BASE + 3 * PAGE_BYTES - 40), u64::MAX, "whatever came before is looked for");
        assert_eq!(world.call(24, [3, 0, 0, 0, 0]), Outcome::Answer(1));
        assert_eq!(world.call(24, [3, 1, 0, 0, 0]), DONE);
        assert_eq!(world.call(24, [0, 1, 0, 0, 0]), failed(Errno::Invalid), "vCPUs are started by PSCI");
        world.poke(ARGS, &[BASE + 0x800]);
        world.poke(BASE + 0x800, &[u64::MAX; 7]);
        assert_eq!(world.call(24, [5, 0, ARGS, 0, 0]), DONE);
        assert_eq!((world.peek(ONE, BASE + 0x800), world.peek(ONE, BASE + 0x830)), (0, u64::MAX));
        world.poke(ARGS, &[READ_ONLY]);
        assert_eq!(world.call(24, [5, 0, ARGS, 0, 0]), failed(Errno::Fault));
    });
}

#[test]
fn another_domains_memory_is_out_of_reach_of_arguments() {
    with_guests(|world| {
        let theirs = world.shown(TWO, Ipa::new(BASE)).expect("it has memory").address().get();
        assert_eq!(
            call(world, VERSION, 1, theirs),
            failed(Errno::Fault),
            "its frame's number is no address of this guest"
        );
        let before = world.peek(TWO, ARGS);
        assert_eq!(call(world, VERSION, 1, ARGS), DONE);
        assert_eq!(world.peek(TWO, ARGS), before, "the same address leads to the caller's own memory");
    });
}
