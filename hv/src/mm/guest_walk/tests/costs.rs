//! Map operations of a walk, by retention.

use paging::{
    El2, Format, Frame, FrameRange, HostAccess, HostAttributes, Level, LongMode, Mapper, Memory, Npt, Root, Stage2,
    VirtAddr,
};

use super::{BY_PAGE, EL1, GUEST, GuestPool, LONG_MODE, ROOT, canary, guest};
use crate::mm::guest_tables::{NestedFormat, Retention, TablesPlan};
use crate::mm::guest_walk::{GuestVirt, Stage1};
use crate::sim::HostFormat;

/// A page that four levels of the guest's tables translate, and where it leads.
const AT: u64 = 0x1234_5678_9000;
const PAGE: u64 = 77;

/// Map operations of a walk, and of a walk with a copy of the data behind it.
fn maps<F: HostFormat, G: NestedFormat, S>(plan: TablesPlan, regime: &impl Stage1) -> (u64, u64)
where
    S: Format<Input = VirtAddr, Attributes = HostAttributes>,
{
    let mut counted = (0, 0);
    guest::<F, G>(1, plan, |guest| {
        let mut pool = GuestPool(guest.memory);
        let root = paging::TableSource::allocate(&mut pool).expect("there are pages");
        assert_eq!(root, Frame::new(ROOT));
        let mut access = guest.memory;
        let attributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);
        let page = FrameRange::new(Frame::new(PAGE), 1);
        Mapper::<S>::new(Root::new(root, Level::L0))
            .map(&mut access, &mut pool, S::input(AT), page, attributes)
            .expect("the guest's tables are empty");
        let cpu = &guest.rig.cpus[0];
        let at = GuestVirt::new(AT + 8);
        let start = cpu.maps();
        let walked = guest.view(|view| view.walk(regime, at)).expect("the guest has mapped it");
        assert_eq!(walked.at.get(), PAGE * paging::PAGE_BYTES + 8);
        counted.0 = cpu.maps() - start;
        let (start, mut word) = (cpu.maps(), [0; 8]);
        assert_eq!(guest.view(|view| view.copy_out(regime, at, &mut word)), Ok(()));
        assert_eq!(u64::from_le_bytes(word), canary(&guest.memory, PAGE, 1));
        counted.1 = cpu.maps() - start;
        let context = cpu.within(GUEST, |here| here.reach.loaded());
        assert_eq!(context, crate::mm::mapcache::Owner::Domain(super::ID.vmid));
    });
    counted
}

/// As [`maps`], for each retention: map cache, resident, pool window.
fn all<F: HostFormat, G: NestedFormat, S>(plan: TablesPlan, regime: &impl Stage1) -> [(u64, u64); 3]
where
    S: Format<Input = VirtAddr, Attributes = HostAttributes>,
{
    [Retention::MapCache, Retention::Resident, Retention::PoolWindow]
        .map(|retention| maps::<F, G, S>(TablesPlan { retention, ..plan }, regime))
}

#[test]
fn four_levels_over_nested_pages_cost_twenty_maps_or_four() {
    let found = all::<LongMode, Npt, LongMode>(BY_PAGE, &LONG_MODE);
    assert_eq!(found, [(20, 25), (4, 5), (4, 5)]);
}

#[test]
fn four_levels_over_three_of_stage_2_cost_sixteen_maps_or_four() {
    let plan = TablesPlan { root_level: Level::L1, ..BY_PAGE };
    assert_eq!(all::<El2, Stage2, El2>(plan, &EL1), [(16, 20), (4, 5), (4, 5)]);
}

#[test]
fn four_levels_over_four_of_stage_2_cost_twenty_maps_or_four() {
    assert_eq!(all::<El2, Stage2, El2>(BY_PAGE, &EL1), [(20, 25), (4, 5), (4, 5)]);
}

#[test]
fn blocks_below_save_a_map_for_each_table_of_the_guest() {
    let plan = TablesPlan { largest_leaf: Level::L2, ..BY_PAGE };
    assert_eq!(all::<LongMode, Npt, LongMode>(plan, &LONG_MODE), [(16, 20), (4, 5), (4, 5)]);
}
