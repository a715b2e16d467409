//! The look-ups, on the model board. Never reads another board.

use paging::VirtAddr;
use std::string::ToString;

use super::types::Origin;
use super::{PLATFORM, Place, REGIONS, region};

#[test]
fn each_end_of_a_region_belongs_to_it() {
    for expected in &REGIONS {
        let last = VirtAddr::new(expected.base.get() + (expected.bytes - 1));
        for at in [expected.base, last] {
            let found = region(at).expect("the region is in the table");
            assert_eq!(found.name, expected.name, "{at}");
        }
    }
}

#[test]
fn what_no_region_holds_has_no_owner() {
    let last = REGIONS.last().expect("a plan has regions");
    assert!(region(VirtAddr::new(last.base.get() + last.bytes)).is_none());
    let gap = REGIONS.windows(2).find(|pair| pair[0].base.get() + pair[0].bytes < pair[1].base.get());
    let gap = gap.expect("the plan leaves most of the address space alone");
    assert!(region(VirtAddr::new(gap[1].base.get() - 1)).is_none());
}

#[test]
fn places_are_printed_as_editors_open_them() {
    assert_eq!(Place(Origin::Line(7)).to_string(), std::format!("{}:7", PLATFORM.file));
    assert_eq!(Place(Origin::Default).to_string(), std::format!("{}, by default", PLATFORM.file));
}
