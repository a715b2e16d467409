//! Tables on the host, and the mapper against a model, for every format alike.

use std::collections::{BTreeMap, BTreeSet};

use paging::{
    El2, Entry, Ept, Format, Frame, FrameRange, GuestAccess, GuestAttributes, HostAccess, HostAttributes, Index,
    InputAddress, Level, LongMode, MapError, Mapper, Memory, Npt, PAGE_BYTES, Removed, Root, Stage2, TableAccess,
    TableSource, for_each_leaf, walk,
};
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use proptest::test_runner::Config;

/// Where tables come from: far above every mapped frame.
const FIRST_TABLE: u64 = 0x10_0000;
/// Pages of the address space that operations touch: two level-1 entries around a 1 GiB boundary.
const PAGES: u64 = 3 * 512 * 512;

#[derive(Default)]
struct Tables(BTreeMap<Frame, [u64; 512]>);

impl TableAccess for Tables {
    fn read(&mut self, table: Frame, index: Index) -> Entry {
        Entry::new(self.0.get(&table).map_or(0, |table| table[index.get()]))
    }

    fn write(&mut self, table: Frame, index: Index, entry: Entry) {
        self.0.entry(table).or_insert([0; 512])[index.get()] = entry.get();
    }
}

struct Pool {
    next: u64,
    out: BTreeSet<Frame>,
    limit: usize,
}

impl TableSource for Pool {
    fn allocate(&mut self) -> Option<Frame> {
        if self.out.len() == self.limit {
            return None;
        }
        self.next += 1;
        let frame = Frame::new(FIRST_TABLE + self.next);
        self.out.insert(frame);
        Some(frame)
    }

    fn free(&mut self, table: Frame) {
        assert!(self.out.remove(&table), "{table} was not handed out, or came back twice");
    }
}

/// One operation: page, frame, length in pages, map or unmap.
type Operation = (u64, u64, u64, bool);

fn check<F: Format>(operations: &[Operation], attributes: F::Attributes, limit: usize) {
    let (mut tables, mut pool) = (Tables::default(), Pool { next: 0, out: BTreeSet::new(), limit });
    let root = Root::new(Frame::new(FIRST_TABLE), Level::L0);
    let mapper = Mapper::<F>::new(root);
    let mut model: BTreeMap<u64, Frame> = BTreeMap::new();
    for &(page, frame, pages, is_map) in operations {
        let at = F::input(page * PAGE_BYTES);
        let before = pool.out.len();
        let span = page..page + pages;
        if is_map {
            let frames = FrameRange::new(Frame::new(frame), pages);
            let free = model.range(span.clone()).next().is_none();
            let needed = mapper.tables_needed(&mut tables, at, frames, attributes);
            match mapper.map(&mut tables, &mut pool, at, frames, attributes) {
                Ok(()) => {
                    assert!(free, "mapped over something");
                    assert_eq!(needed, Ok((pool.out.len() - before) as u64), "as many tables as were foretold");
                    model.extend(span.map(|at| (at, frames.first.add(at - page))));
                }
                Err(error) => {
                    assert!(pool.out.len() == before, "a failed map kept tables");
                    assert!(error == MapError::OutOfTables || needed == Err(error), "the same is wrong");
                }
            }
        } else {
            let mut gone = 0;
            let done = mapper.unmap(&mut tables, &mut pool, at, pages, |removed| {
                if let Removed::Leaf(leaf) = removed {
                    gone += leaf.level.entry_frames();
                }
            });
            if done.is_ok() {
                assert_eq!(gone, pages, "each page is reported once");
                span.for_each(|at| assert!(model.remove(&at).is_some()));
            }
        }
    }
    compare::<F>(&mut tables, root, &model, attributes);
    if model.is_empty() {
        assert!(pool.out.is_empty(), "empty tables were kept");
    }
}

fn compare<F: Format>(tables: &mut Tables, root: Root, model: &BTreeMap<u64, Frame>, attributes: F::Attributes) {
    let mut found = BTreeMap::new();
    let visited = for_each_leaf::<F>(tables, root, |leaf| {
        assert_eq!(leaf.attributes, attributes);
        let page = leaf.at.get() / PAGE_BYTES;
        found.extend((0..leaf.level.entry_frames()).map(|at| (page + at, leaf.frame.add(at))));
    });
    assert!(visited.is_ok());
    assert_eq!(&found, model);
    for page in (0..PAGES).step_by(4099) {
        let physical = walk::<F>(tables, root, F::input(page * PAGE_BYTES)).physical();
        assert_eq!(physical, model.get(&page).map(|frame| frame.address()));
    }
}

proptest! {
    #![proptest_config(Config { cases: 24, ..Config::default() })]

    #[test]
    fn every_format_agrees_with_a_model(
        picks in vec((0..PAGES / 512, 0_u64..600, 0_u64..3, 1_u64..700, any::<bool>()), 1..12),
        limit in 3_usize..40,
    ) {
        // Addresses near block boundaries, frames aligned like them or not: all leaf sizes occur.
        let operations: Vec<Operation> = picks
            .iter()
            .map(|(block, offset, skew, pages, is_map)| {
                let page = block * 512 + offset % 512;
                (page, 0x4_0000 + page + skew * 512 + (skew / 2), *pages, *is_map)
            })
            .collect();
        let host = HostAttributes::new(HostAccess::ReadWrite, Memory::Normal);
        let guest = GuestAttributes::new(GuestAccess::ReadWriteExecute, Memory::Normal);
        check::<El2>(&operations, host, limit);
        check::<LongMode>(&operations, host, limit);
        check::<Stage2>(&operations, guest, limit);
        check::<Npt>(&operations, guest, limit);
        check::<Ept>(&operations, guest, limit);
    }

    #[test]
    fn decoding_never_panics_and_inverts_encoding(bits in any::<u64>()) {
        for level in Level::ALL {
            inverse::<El2>(level, bits);
            inverse::<Stage2>(level, bits);
            inverse::<LongMode>(level, bits);
            inverse::<Npt>(level, bits);
            inverse::<Ept>(level, bits);
        }
    }
}

/// Whatever decodes to a leaf or a link is exactly what encoding that leaf or link gives.
fn inverse<F: Format>(level: Level, bits: u64) {
    match F::decode(level, Entry::new(bits)) {
        paging::Decoded::Leaf { frame, attributes } => assert_eq!(F::leaf(level, frame, attributes).get(), bits),
        paging::Decoded::Table(frame) => assert_eq!(F::table(frame).get(), bits),
        paging::Decoded::Invalid | paging::Decoded::Unknown => {}
    }
}
