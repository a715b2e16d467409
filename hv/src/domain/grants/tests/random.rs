//! Random grants, copies and mappings beside a model of pages and of who uses them.

use std::vec::Vec;

use paging::{Ipa, PAGE_BYTES};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};

use super::{OKAY, Of, READING, READONLY, WRITING, at, copy, entry, gfn, map, table, unmap};
use crate::domain::grants::Status;
use crate::domain::rig::{EMPTY, ONE, TWO, TestWorld, with_guests};
use crate::domain::world::DomainNumber;

/// Grants of each domain, and pages that are granted.
const GRANTS: u64 = 4;
/// Places where grants are mapped.
const PLACES: u64 = 3;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// A domain writes an entry that nobody uses, as a guest that keeps to the protocol does.
    Grant {
        reference: u64,
        writable: bool,
        page: u64,
    },
    Revoke(u64),
    Pull {
        reference: u64,
        page: u64,
    },
    Push {
        reference: u64,
        page: u64,
    },
    Map {
        reference: u64,
        place: u64,
        writable: bool,
    },
    Unmap(u64),
    Write {
        page: u64,
        value: u64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Mapped {
    handle: u32,
    reference: u64,
    bits: u64,
}

#[derive(Default)]
struct Model {
    /// First words of pages.
    pages: [[u64; GRANTS as usize]; 2],
    grants: [[Option<(bool, u64)>; GRANTS as usize]; 2],
    mapped: [[Option<Mapped>; PLACES as usize]; 2],
}

impl Model {
    /// What the users of a domain's grant need; the user is the other one.
    fn used(&self, owner: usize, reference: u64) -> u64 {
        let maps = self.mapped[1 - owner].iter().flatten();
        maps.filter(|map| map.reference == reference).fold(0, |bits, map| bits | map.bits)
    }
}

fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
    let grant = || 0..GRANTS;
    let op = prop_oneof![
        (grant(), any::<bool>(), grant()).prop_map(|(reference, writable, page)| Op::Grant {
            reference,
            writable,
            page
        }),
        grant().prop_map(Op::Revoke),
        (grant(), grant()).prop_map(|(reference, page)| Op::Pull { reference, page }),
        (grant(), grant()).prop_map(|(reference, page)| Op::Push { reference, page }),
        (grant(), 0..PLACES, any::<bool>()).prop_map(|(reference, place, writable)| Op::Map {
            reference,
            place,
            writable
        }),
        (0..PLACES).prop_map(Op::Unmap),
        (grant(), any::<u64>()).prop_map(|(page, value)| Op::Write { page, value }),
    ];
    vec((0..2_usize, op), 1..50)
}

const BOTH: [DomainNumber; 2] = [ONE, TWO];

/// Entry `reference` of the table, and page `page` from the third on.
fn first_word(page: u64) -> u64 {
    at(3 + page)
}

fn apply(world: &mut TestWorld<'_, '_>, model: &mut Model, me: usize, op: Op) {
    let other = 1 - me;
    let peer = other as u64 + 1;
    world.run(BOTH[me], 0);
    match op {
        Op::Grant { reference, writable, page } if model.used(me, reference) == 0 => {
            let flags = if writable { 0 } else { READONLY };
            world.poke(table(reference), &[entry(flags, peer, gfn(3 + page))]);
            model.grants[me][reference as usize] = Some((writable, page));
        }
        Op::Revoke(reference) if model.used(me, reference) == 0 => {
            world.poke(table(reference), &[0]);
            model.grants[me][reference as usize] = None;
        }
        Op::Grant { .. } | Op::Revoke(_) => {}
        Op::Pull { reference, page } => {
            let own = Of::Own(gfn(3 + page), 0x7ff0, 0);
            let status = copy(world, Of::Grant(reference, peer, 0), own, 8);
            match model.grants[other][reference as usize] {
                Some((_, theirs)) => {
                    assert_eq!(status, OKAY);
                    model.pages[me][page as usize] = model.pages[other][theirs as usize];
                }
                None => assert_eq!(status, Status::BadReference as i16),
            }
        }
        Op::Push { reference, page } => {
            let own = Of::Own(gfn(3 + page), 0x7ff0, 0);
            let status = copy(world, own, Of::Grant(reference, peer, 0), 8);
            match model.grants[other][reference as usize] {
                Some((true, theirs)) => {
                    assert_eq!(status, OKAY);
                    model.pages[other][theirs as usize] = model.pages[me][page as usize];
                }
                Some((false, _)) => assert_eq!(status, Status::Denied as i16),
                None => assert_eq!(status, Status::BadReference as i16),
            }
        }
        Op::Map { reference, place, writable } => map_one(world, model, me, (reference, place, writable)),
        Op::Unmap(place) => {
            if let Some(Mapped { handle, .. }) = model.mapped[me][place as usize].take() {
                assert_eq!(unmap(world, handle, EMPTY + place * PAGE_BYTES), OKAY);
            }
        }
        Op::Write { page, value } => {
            world.poke(first_word(page), &[value]);
            model.pages[me][page as usize] = value;
        }
    }
}

fn map_one(
    world: &mut TestWorld<'_, '_>,
    model: &mut Model,
    me: usize,
    (reference, place, writable): (u64, u64, bool),
) {
    let flags = if writable { 2 } else { 2 | 4 };
    let mapped = map(world, reference, 2 - me as u64, EMPTY + place * PAGE_BYTES, flags);
    let taken = model.mapped[me][place as usize].is_some();
    match model.grants[1 - me][reference as usize] {
        None => assert_eq!(mapped, Err(Status::BadReference as i16)),
        Some((false, _)) if writable => assert_eq!(mapped, Err(Status::Denied as i16)),
        Some(_) if taken => assert_eq!(mapped, Err(Status::BadAddress as i16)),
        Some(_) => {
            let bits = if writable { READING | WRITING } else { READING };
            let handle = mapped.expect("it is granted, and the place is free");
            model.mapped[me][place as usize] = Some(Mapped { handle, reference, bits });
        }
    }
}

fn compare(world: &TestWorld<'_, '_>, model: &Model) {
    for me in [0, 1] {
        for page in 0..GRANTS {
            assert_eq!(world.peek(BOTH[me], first_word(page)), model.pages[me][page as usize]);
        }
        for reference in 0..GRANTS {
            let used = world.peek(BOTH[me], table(reference)) & (READING | WRITING);
            assert_eq!(used, model.used(me, reference), "domain {}, grant {reference}", me + 1);
        }
        for place in 0..PLACES {
            let shown = world.shown(BOTH[me], Ipa::new(EMPTY + place * PAGE_BYTES));
            let expected = model.mapped[me][place as usize].map(|map| {
                let (_, page) = model.grants[1 - me][map.reference as usize].expect("it is in use");
                world.shown(BOTH[1 - me], Ipa::new(first_word(page))).expect("it has memory")
            });
            assert_eq!(shown, expected, "domain {}, place {place}", me + 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_go_where_they_were_granted(ops in ops()) {
        with_guests(|world| {
            let mut model = Model::default();
            for (me, op) in &ops {
                apply(world, &mut model, *me, *op);
            }
            compare(world, &model);
        });
    }
}
