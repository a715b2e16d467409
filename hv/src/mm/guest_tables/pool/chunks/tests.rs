//! Numbers only: no frame is touched.

use paging::{Frame, PAGE_BYTES, VirtAddr};

use super::{CHUNKS, Chunk, Chunks};
use crate::mm::frames::Order;
use crate::mm::guest_tables::TABLES_MAX;
use crate::mm::here::bytes;

#[test]
fn every_frame_of_a_full_pool_is_found_and_no_other() {
    let base = VirtAddr::new(0x7f00_0000_0000);
    for order in [0, 3, 6].map(Order::new) {
        let mut chunks = Chunks::new(order);
        let first = |number: usize| Frame::new((number * number * 3 + number + 1) as u64 * order.frames());
        for number in 0..CHUNKS {
            chunks.insert(number, Chunk { first: first(number), resident: None });
        }
        let removed: [usize; 3] = [0, 17, 31];
        removed.iter().for_each(|number| assert_eq!(chunks.remove(*number).first, first(*number)));
        for number in 0..CHUNKS {
            for table in [0, order.frames() - 1] {
                let frame = first(number).add(table);
                let offset = (number as u64 * order.frames() + table) * PAGE_BYTES;
                let expected = (!removed.contains(&number)).then(|| bytes(base, offset));
                assert_eq!(chunks.in_window(base, frame), expected, "{order:?}, chunk {number}");
            }
        }
        assert_eq!(chunks.in_window(base, Frame::new(0)), None);
    }
    assert_eq!(TABLES_MAX, 2048);
}
