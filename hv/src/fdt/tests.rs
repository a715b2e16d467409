//! Trees right and wrong, written by a small writer. Never reads a file.

use proptest::prelude::{any, proptest};
use std::vec::Vec;

use super::{Fact, FdtError, HEADER_BYTES, Header, Range, Scan};

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// Writes blobs, right and wrong ones.
#[derive(Default)]
struct Writer {
    reserve: Vec<u8>,
    structure: Vec<u8>,
    strings: Vec<u8>,
}

impl Writer {
    fn word(mut self, value: u32) -> Self {
        self.structure.extend(value.to_be_bytes());
        self
    }

    fn padded(mut self, bytes: &[u8]) -> Self {
        self.structure.extend(bytes);
        self.structure.resize(self.structure.len().next_multiple_of(4), 0);
        self
    }

    fn node(self, name: &str) -> Self {
        self.word(BEGIN_NODE).padded(&[name.as_bytes(), b"\0"].concat())
    }

    fn end(self) -> Self {
        self.word(END_NODE)
    }

    fn property(mut self, name: &str, value: &[u32]) -> Self {
        let offset = self.strings.len() as u32;
        self.strings.extend([name.as_bytes(), b"\0"].concat());
        let value: Vec<u8> = value.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        self.word(PROPERTY).word(value.len() as u32).word(offset).padded(&value)
    }

    fn reserve(mut self, base: u64, bytes: u64) -> Self {
        self.reserve.extend([base.to_be_bytes(), bytes.to_be_bytes()].concat());
        self
    }

    fn blob(mut self) -> Vec<u8> {
        self = self.reserve(0, 0).word(END);
        let reserve = HEADER_BYTES as u32;
        let structure = reserve + self.reserve.len() as u32;
        let strings = structure + self.structure.len() as u32;
        let total = strings + self.strings.len() as u32;
        let sizes = [self.strings.len() as u32, self.structure.len() as u32];
        let header = [super::MAGIC, total, structure, strings, reserve, 17, 16, 0, sizes[0], sizes[1]];
        let mut blob: Vec<u8> = header.iter().flat_map(|field| field.to_be_bytes()).collect();
        blob.extend([self.reserve, self.structure, self.strings].concat());
        blob
    }
}

/// A machine with two banks, reservations of both kinds and two processors.
fn machine() -> Vec<u8> {
    Writer::default()
        .reserve(0x8000_0000, 0x1000)
        .node("")
        .property("#address-cells", &[2])
        .property("#size-cells", &[1])
        .node("memory@40000000")
        .property("device_type", &[0x6d65_6d6f, 0x7279_0000])
        .property("reg", &[0, 0x4000_0000, 0x1000_0000, 1, 0, 0x2000_0000])
        .end()
        .word(NOP)
        .node("reserved-memory")
        .property("#address-cells", &[1])
        .property("#size-cells", &[1])
        .node("secure@4e000000")
        .property("reg", &[0x4e00_0000, 0x20_0000])
        .end()
        .end()
        .node("cpus")
        .node("cpu-map")
        .end()
        .node("cpu@0")
        .property("reg", &[0])
        .end()
        .node("cpu@1")
        .node("memory@0")
        .property("reg", &[0, 0, 7])
        .end()
        .end()
        .end()
        .node("memory-controller@0")
        .property("reg", &[0, 0, 7])
        .end()
        .end()
        .blob()
}

fn facts(blob: &[u8]) -> Result<Vec<Fact<'_>>, FdtError> {
    Scan::new(blob)?.collect()
}

fn range(base: u64, bytes: u64) -> Range {
    Range { base, bytes }
}

#[test]
fn memory_reservations_and_processors_are_found() {
    let expected = [
        Fact::Reserved(range(0x8000_0000, 0x1000)),
        Fact::Ram(range(0x4000_0000, 0x1000_0000)),
        Fact::Ram(range(0x1_0000_0000, 0x2000_0000)),
        Fact::Reserved(range(0x4e00_0000, 0x20_0000)),
        Fact::Cpu,
        Fact::Cpu,
    ];
    assert_eq!(facts(&machine()), Ok(expected.to_vec()));
}

#[test]
fn slack_behind_the_last_block_need_not_be_readable() {
    let mut blob = machine();
    let used = blob.len();
    let total = (used as u32 + 0x10_0000).to_be_bytes();
    blob[4..8].copy_from_slice(&total);
    assert_eq!(Header::parse(&blob).map(|header| header.used_bytes()), Ok(used as u64));
    assert!(facts(&blob).is_ok());
}

#[test]
fn a_range_of_no_cells_or_too_many_is_dropped() {
    for cells in [0, 3, u32::MAX] {
        let blob = Writer::default()
            .node("")
            .property("#address-cells", &[cells])
            .property("#size-cells", &[0])
            .node("memory")
            .property("reg", &[1, 2, 3, 4])
            .end()
            .end()
            .blob();
        assert_eq!(facts(&blob), Ok(Vec::new()), "{cells} cells");
    }
}

#[test]
fn every_truncation_is_an_error_or_the_whole_truth() {
    let blob = machine();
    for bytes in 0..blob.len() {
        assert!(facts(&blob[..bytes]).is_err(), "{bytes} bytes");
    }
}

#[test]
fn nesting_must_close() {
    assert_eq!(facts(&Writer::default().node("").blob()), Err(FdtError::Structure));
    assert_eq!(facts(&Writer::default().node("").end().end().blob()), Err(FdtError::Structure));
    assert_eq!(facts(&Writer::default().word(77).blob()), Err(FdtError::Structure));
}

#[test]
fn lengths_beyond_the_blob_are_errors() {
    let long = Writer::default().node("").word(PROPERTY).word(u32::MAX).word(0);
    assert_eq!(facts(&long.blob()), Err(FdtError::Bounds));
    let name = Writer::default().node("").word(PROPERTY).word(0).word(u32::MAX);
    assert_eq!(facts(&name.blob()), Err(FdtError::Bounds));
}

#[test]
fn other_blobs_are_told_apart() {
    assert_eq!(facts(&[0; 64]), Err(FdtError::Magic));
    let mut old = machine();
    old[23] = 16;
    assert_eq!(facts(&old), Err(FdtError::Version));
}

proptest! {
    #[test]
    fn no_change_of_bytes_makes_it_panic(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
        let mut blob = machine();
        for (at, byte) in changes {
            let at = at % blob.len();
            blob[at] = byte;
        }
        let _read = facts(&blob);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _read = facts(&bytes);
    }
}
