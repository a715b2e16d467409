//! Random tables, well-formed and not, against the walker of crate `paging`, which knows what was written.

use std::vec::Vec;

use paging::{
    El2, Entry, Format, Frame, FrameRange, HostAccess, HostAttributes, Index, Level, LongMode, Mapper, Memory, Npt,
    Root, Stage2, TableAccess, Translation, VirtAddr,
};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::proptest;
use proptest::test_runner::Config;

use super::{BY_PAGE, EL1, Guest, GuestMemory, GuestPool, LONG_MODE, PAGES, ROOT, guest};
use crate::mm::guest_tables::NestedFormat;
use crate::mm::guest_walk::{El1, GuestLongMode, GuestVirt, NoExecute, Stage1, WalkError};
use crate::sim::HostFormat;

/// What a guest maps: pages of its virtual memory, pages of its physical memory, how many.
type Request = (u64, u64, u64);

/// Around the ends of tables of all levels, in few places, so that requests share tables.
fn pages() -> impl Strategy<Value = u64> {
    let base = prop_oneof![proptest::prelude::Just(0_u64), proptest::prelude::Just(512 * 512), 0..1_u64 << 34];
    (base, 0..600_u64).prop_map(|(base, offset)| base / 512 * 512 + offset)
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    vec((pages(), 0..1_u64 << 20, prop_oneof![3 => 1..20_u64, 1 => 500..1100_u64]), 1..12)
}

/// Bits to be written into tables: which table, which entry, what.
type Damage = (u64, usize, u64);

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let bits = prop_oneof![
        2 => any::<u64>(),
        // Links and leaves to pages that the guest has, with any attributes.
        3 => (any::<u64>(), 0..PAGES).prop_map(|(bits, page)| bits & 0xfff0_0000_0000_0fff | page << 12 | 3),
    ];
    vec((0..20_u64, 0..512_usize, bits), 0..60)
}

/// Has the guest map what it can, and then damage what it wrote.
fn fill<S>(memory: GuestMemory<'_, impl HostFormat>, requests: &[Request], damage: &[Damage])
where
    S: Format<Input = VirtAddr, Attributes = HostAttributes>,
{
    let (mut access, mut pool) = (memory, GuestPool(memory));
    let root = paging::TableSource::allocate(&mut pool).expect("there are pages");
    let mapper = Mapper::<S>::new(Root::new(root, Level::L0));
    let attributes = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);
    for &(at, frame, pages) in requests {
        // Aligned like the address now and then, so that large leaves occur.
        let frame = if frame % 2 == 0 { frame / 512 * 512 + at % 512 } else { frame };
        let to = FrameRange::new(Frame::new(frame), pages);
        // What overlaps is refused, and that is the guest's business.
        let _mapped = mapper.map(&mut access, &mut pool, S::input(at * paging::PAGE_BYTES), to, attributes);
    }
    for &(table, index, bits) in damage {
        access.write(Frame::new(ROOT + table), Index::new(index), Entry::new(bits));
    }
}

/// Every table lies in the guest's memory, so whatever the strict walker finds is what ours must find.
fn compare<F: HostFormat, G: NestedFormat, S>(guest: &Guest<'_, '_, F, G>, regime: &impl Stage1, at: u64)
where
    S: Format<Input = VirtAddr, Attributes = HostAttributes>,
{
    let input = S::input(at);
    let found = guest.view(|view| view.walk(regime, GuestVirt::new(input.get())));
    let mut inside = Inside(guest.memory, false);
    let expected = paging::walk::<S>(&mut inside, Root::new(Frame::new(ROOT), Level::L0), input);
    if inside.1 {
        // A table elsewhere: ours says so, or has stopped before.
        assert!(found.is_err(), "{found:?}");
        return;
    }
    let last = expected.steps().last().expect("it begins at the root");
    match expected.result {
        Translation::Leaf(leaf) => {
            let walked = found.expect("a well-formed guest is understood");
            assert_eq!((walked.at.get(), walked.level), (expected.physical().expect("mapped").get(), leaf.level));
            assert_eq!(walked.grants.write, leaf.attributes.access == HostAccess::ReadWrite);
        }
        Translation::Invalid => assert_eq!(found, Err(WalkError::Invalid(last.level))),
        // Not as our own tables would be, but perhaps as a processor reads it.
        Translation::Unknown => {}
        Translation::OutOfRange => panic!("all 48 bits are translated"),
    }
}

/// The guest's memory; whether a table outside of it was asked for.
struct Inside<'s, F: HostFormat>(GuestMemory<'s, F>, bool);

impl<F: HostFormat> TableAccess for Inside<'_, F> {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        if table.number() < PAGES {
            return self.0.read(table, index);
        }
        self.1 = true;
        Entry::INVALID
    }

    fn write(&mut self, _: Frame, _: Index, _: Entry) {
        unreachable!("walks write nothing");
    }
}

fn agree<F: HostFormat, G: NestedFormat, S>(requests: &[Request], damage: &[Damage], look: &[u64], regime: &impl Stage1)
where
    S: Format<Input = VirtAddr, Attributes = HostAttributes>,
{
    guest::<F, G>(1, BY_PAGE, |guest| {
        fill::<S>(guest.memory, requests, damage);
        let mapped = requests.iter().flat_map(|(at, _, pages)| [*at, at + pages - 1, at + pages]);
        for page in mapped.chain(look.iter().copied()) {
            compare::<F, G, S>(guest, regime, page % (1 << 36) * paging::PAGE_BYTES + 0x123);
        }
    });
}

proptest! {
    #![proptest_config(Config { cases: 24, failure_persistence: None, ..Config::default() })]

    #[test]
    fn walks_find_what_paging_finds(requests in requests(), look in vec(pages(), 0..60)) {
        agree::<LongMode, Npt, LongMode>(&requests, &[], &look, &LONG_MODE);
        // EL2's tables are EL1's, one privilege level apart: AP[1] is set in all of them.
        agree::<El2, Stage2, El2>(&requests, &[], &look, &EL1);
    }

    #[test]
    fn damaged_tables_end_walks_and_nothing_else(
        requests in requests(),
        damage in damage(),
        look in vec(pages(), 0..60),
    ) {
        agree::<LongMode, Npt, LongMode>(&requests, &damage, &look, &LONG_MODE);
        agree::<El2, Stage2, El2>(&requests, &damage, &look, &EL1);
    }

    #[test]
    fn any_registers_and_any_memory_end_in_an_address_or_an_error(
        damage in damage(),
        registers in vec((any::<u64>(), any::<u64>(), any::<u64>(), any::<u8>()), 1..8),
        addresses in vec(any::<u64>(), 1..20),
        pages in vec(0..PAGES, 1..8),
    ) {
        guest::<LongMode, Npt>(2, BY_PAGE, |guest| {
            let mut memory = guest.memory;
            for &(table, index, bits) in &damage {
                memory.write(Frame::new(ROOT + table), Index::new(index), Entry::new(bits));
            }
            for (&(tcr, low, high, bits), page) in registers.iter().zip(pages.iter().cycle()) {
                // Any root, and roots that the guest has.
                for (low, high) in [(low, high), (page << 12 | low & 0xfff, page << 12 | high & 0xfff)] {
                    let el1 = El1 { tcr, ttbr0: low, ttbr1: high };
                    // A size and a granule that are read, whatever the rest.
                    let read = El1 { tcr: tcr & !0x3f_c03f & !(0b11 << 30) & !(1 << 59) | 0b10 << 30 | 25 | 20 << 16, ..el1 };
                    let [strict, lax] = [NoExecute::Disabled, NoExecute::Enabled]
                        .map(|no_execute| GuestLongMode { cr3: low, no_execute, physical_bits: bits });
                    for at in addresses.iter().map(|at| GuestVirt::new(*at)) {
                        let ends = guest.view(|view| {
                            [view.walk(&el1, at), view.walk(&read, at), view.walk(&strict, at), view.walk(&lax, at)]
                        });
                        for walked in ends.into_iter().flatten() {
                            assert!(walked.at.get() < 1 << 52);
                        }
                        let mut buffer = [0; 9];
                        let copied = guest.view(|view| view.copy_out(&lax, at, &mut buffer));
                        assert!(copied.is_ok() || guest.view(|view| view.copy_in(&lax, at, &buffer)).is_err());
                    }
                }
            }
        });
    }
}
