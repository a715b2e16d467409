//! Who has what, and random steps that change it.
//!
//! Knows nothing of lists, records or nodes.

use std::collections::BTreeMap;
use std::vec::Vec;

use paging::{Frame, FrameRange};
use proptest::prelude::*;

use super::{OWNER, On};
use crate::mm::buddy::FreeError;
use crate::mm::frames::{Node, Order, Owner};
use crate::mm::rig::{BLOCK, System};
use crate::mm::space::Tables;

/// What a test asks for.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Allocate { order: u8, node: u8, owner: usize },
    Free(usize),
    Trim { which: usize, keep: u64 },
    Table,
    GiveTable(usize),
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let order = prop_oneof![4 => 0_u8..4, 2 => 4_u8..9, 1 => 9_u8..14];
    let step = prop_oneof![
        5 => (order, 0_u8..2, 0_usize..3).prop_map(|(order, node, owner)| Step::Allocate { order, node, owner }),
        4 => any::<usize>().prop_map(Step::Free),
        1 => (any::<usize>(), any::<u64>()).prop_map(|(which, keep)| Step::Trim { which, keep }),
        1 => Just(Step::Table),
        1 => any::<usize>().prop_map(Step::GiveTable),
    ];
    proptest::collection::vec(step, 1..300)
}

/// Who has what.
#[derive(Default)]
pub(super) struct Model {
    pub(super) used: BTreeMap<Frame, (Order, Owner)>,
    pub(super) tables: Vec<Frame>,
}

impl Model {
    pub(super) fn nth(&self, number: usize) -> Option<(Frame, Order, Owner)> {
        let nth = self.used.iter().nth(number.checked_rem(self.used.len())?)?;
        Some((*nth.0, nth.1.0, nth.1.1))
    }

    pub(super) fn frames(&self) -> u64 {
        self.used.values().map(|(order, _)| order.frames()).sum::<u64>() + self.tables.len() as u64
    }

    fn take(&mut self, frame: Frame, order: Order, owner: Owner) {
        let range = FrameRange::new(frame, order.frames());
        let below = self.used.range(..frame).next_back().map(|(first, (order, _))| first.add(order.frames()));
        assert!(below.is_none_or(|end| end <= frame), "{range} is somebody's already");
        let above = self.used.range(frame..).next().map(|(first, _)| *first);
        assert!(above.is_none_or(|first| first >= range.end()), "{range} is somebody's already");
        assert!(!self.tables.iter().any(|table| range.contains(*table)), "{range} holds a table");
        assert!(frame.number().is_multiple_of(order.frames()), "{range} is aligned");
        self.used.insert(frame, (order, owner));
    }

    pub(super) fn step(&mut self, here: On<'_, '_, '_>, system: &mut System, step: Step) {
        let heap = &mut system.domain;
        match step {
            Step::Allocate { order, node, owner } => {
                let (order, owner) = (Order::new(order), Owner::domain(owner));
                if let Ok(frame) = heap.allocate(here, order, owner, Node(node)) {
                    self.take(frame, order, owner);
                }
            }
            Step::Free(which) => {
                let Some((frame, order, owner)) = self.nth(which) else { return };
                assert_eq!(heap.free(here, frame, order, Owner::domain(9)), Err(FreeError::Foreign(frame)));
                assert_eq!(heap.free(here, frame, order, owner), Ok(()));
                assert!(heap.free(here, frame, order, owner).is_err(), "twice");
                self.used.remove(&frame);
            }
            Step::Trim { which, keep } => {
                let Some((frame, order, owner)) = self.nth(which) else { return };
                let unit = if order.is_blocks() { BLOCK } else { 1 };
                let keep = keep % (order.frames() + 1) / unit * unit;
                assert_eq!(heap.trim(here, (frame, order), owner, keep), Ok(()));
                self.used.remove(&frame);
                crate::mm::buddy::cut::parts(frame, order, keep)
                    .filter(|(start, _)| start.number() < frame.number() + keep)
                    .for_each(|(start, part)| {
                        self.used.insert(start, (part, owner));
                    });
            }
            Step::Table => {
                if let Some(table) = Tables::allocate(heap, here) {
                    assert!(!self.tables.contains(&table));
                    self.take(table, Order::FRAME, OWNER);
                    self.used.remove(&table);
                    self.tables.push(table);
                }
            }
            Step::GiveTable(which) => {
                let Some(place) = which.checked_rem(self.tables.len()) else { return };
                Tables::free(heap, here, self.tables.swap_remove(place));
            }
        }
    }
}
