//! Boards nobody would build: each is planned soundly or refused, none ends in a panic.

use paging::{Ipa, PhysAddr, VirtAddr};
use proptest::prelude::*;

use super::boards::{arm64, bank, cores, domain, reserved, x86_64};
use super::invariants;
use crate::model::{Board, DirectmapPolicy, Origin, Placement, PolicyChoice, Pools, RamBank, ReservedKind};
use crate::plan::{Flavour, decide};

/// Up to five disjoint banks, somewhere in the first `reach` MiB.
fn banks(reach: u64) -> impl Strategy<Value = Vec<RamBank>> {
    let cuts = proptest::collection::btree_set(0..reach, 2..=10);
    cuts.prop_map(|cuts| {
        let cuts: Vec<u64> = cuts.into_iter().collect();
        cuts.chunks_exact(2).map(|ends| bank(ends[0] << 20, (ends[1] - ends[0]) << 20)).collect()
    })
}

fn policy() -> impl Strategy<Value = DirectmapPolicy> {
    prop_oneof![Just(DirectmapPolicy::None), Just(DirectmapPolicy::OnDemand), Just(DirectmapPolicy::Full)]
}

/// Left to the planner, or a multiple of 2 MiB below `reach` MiB.
fn place(reach: u64) -> impl Strategy<Value = Placement<PhysAddr>> {
    prop_oneof![
        3 => Just(Placement::Auto(Origin::Default)),
        1 => (0..reach / 2).prop_map(|block| Placement::At(PhysAddr::new(block << 21), Origin::Line(50))),
    ]
}

prop_compose! {
    fn boards()(
        arm in any::<bool>(),
        reach in prop_oneof![Just(256_u64), Just(8 << 10), Just(1 << 24)],
    )(
        arm in Just(arm),
        banks in banks(reach),
        holes in proptest::collection::vec((0..reach, 1_u64..64, any::<bool>()), 0..6),
        cpus in 1_u64..40,
        policy in policy(),
        choice in prop_oneof![Just(PolicyChoice::Fixed), Just(PolicyChoice::AtBoot)],
        pools in prop_oneof![3 => Just(Pools::Elastic), 1 => (1_u64..64).prop_map(|blocks| Pools::Fixed(blocks << 21))],
        load in place(reach),
        domains in proptest::collection::vec((1_u64..64, 0_u64..512, place(reach)), 0..4),
        text in 1_u64..600,
        window in prop_oneof![3 => Just(None), 1 => any::<u64>().prop_map(Some)],
    ) -> Board {
        let mut board = if arm { arm64() } else { x86_64() };
        board.memory.banks = banks;
        // Below 1 MiB most have the RAM that a PC has.
        if !arm && board.memory.banks[0].frames.first.number() > 0 {
            board.memory.banks.insert(0, bank(0, 0x9_f000));
        }
        board.memory.pa_bits.value = 48;
        board.memory.reserved = holes
            .into_iter()
            .map(|(at, pages, hidden)| {
                let kind = if hidden { ReservedKind::NoMap } else { ReservedKind::Reserved };
                reserved("hole", at << 20, pages << 12, kind)
            })
            .collect();
        board.cpus.cores = cores(cpus);
        board.directmap.value = policy;
        board.directmap_choice.value = choice;
        board.heap.pools.value = pools;
        board.boot.load = load;
        board.layout.release.text.value = text << 12;
        if let Some(base) = window {
            board.layout.image_base = Placement::At(VirtAddr::new(base & !0xfff), Origin::Line(60));
        }
        board.domains.clear();
        if arm {
            for (number, (blocks, ipa, at)) in domains.into_iter().enumerate() {
                let mut guest = domain(&format!("guest{number}"), (blocks + 1) << 21);
                guest.ipa = Ipa::new(ipa << 21);
                guest.memory_at = at;
                board.domains.push(guest);
            }
        }
        board
    }
}

proptest! {
    #[test]
    fn planned_soundly_or_refused(board in boards()) {
        match decide(&board, Flavour::Release) {
            Ok(plan) => invariants::check(&plan),
            Err(refusals) => prop_assert!(!refusals.is_empty()),
        }
    }
}
