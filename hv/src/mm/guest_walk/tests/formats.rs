//! Entries and registers, one at a time: what the processor's manual says of each. No machine.

use paging::{Entry, Ipa, Level};

use super::{EL1, LONG_MODE};
use crate::mm::guest_walk::{El1, Found, Grants, GuestLongMode, GuestVirt, NoExecute, Stage1, Start, WalkError};

const LOW: GuestVirt = GuestVirt::new(0x1000);

fn el1(level: Level, bits: u64) -> Result<Found, WalkError> {
    EL1.decode(LOW, level, Entry::new(bits))
}

fn grants(write: bool, user: bool) -> Grants {
    Grants { write, user }
}

#[test]
fn el1_descriptors() {
    let page = 0x7654_3000;
    // Valid, page, AF.
    let usable = page | 0x403;
    for (level, bits, expected) in [
        (Level::L3, usable, Ok(Found::Leaf(Ipa::new(page), grants(true, false)))),
        (Level::L3, usable | 1 << 6, Ok(Found::Leaf(Ipa::new(page), grants(true, true)))),
        (Level::L3, usable | 1 << 7, Ok(Found::Leaf(Ipa::new(page), grants(false, false)))),
        // nG, contiguous, PXN, UXN and software bits mean nothing here.
        (Level::L3, usable | 1 << 11 | 0xff << 52, Ok(Found::Leaf(Ipa::new(page), grants(true, false)))),
        (Level::L3, usable & !(1 << 10), Err(WalkError::AccessFlag(Level::L3))),
        (Level::L3, usable & !2, Err(WalkError::Invalid(Level::L3))),
        (Level::L3, usable & !1, Err(WalkError::Invalid(Level::L3))),
        (Level::L2, page | 0x401, Ok(Found::Leaf(Ipa::new(0x7640_0000), grants(true, false)))),
        (Level::L1, page | 0x401, Ok(Found::Leaf(Ipa::new(0x4000_0000), grants(true, false)))),
        (Level::L0, page | 0x401, Err(WalkError::Invalid(Level::L0))),
        (Level::L0, page | 3, Ok(Found::Table(Ipa::new(page), grants(true, true)))),
        (Level::L1, page | 3 | 1 << 61, Ok(Found::Table(Ipa::new(page), grants(true, false)))),
        (Level::L2, page | 3 | 1 << 62, Ok(Found::Table(Ipa::new(page), grants(false, true)))),
    ] {
        assert_eq!(el1(level, bits), expected, "{level:?} {bits:#x}");
    }
    let unset = El1 { tcr: EL1.tcr | 1 << 39, ..EL1 };
    assert!(unset.decode(LOW, Level::L3, Entry::new(usable & !(1 << 10))).is_ok(), "HA: the processor sets it");
    let flat = El1 { tcr: EL1.tcr | 1 << 41, ..EL1 };
    let table = Entry::new(page | 3 | 1 << 62);
    assert_eq!(flat.decode(LOW, Level::L2, table), Ok(Found::Table(Ipa::new(page), grants(true, true))));
    let small = El1 { tcr: EL1.tcr & !(0b111 << 32), ..EL1 };
    assert_eq!(small.decode(LOW, Level::L3, Entry::new(1 << 32 | 0x403)), Err(WalkError::Malformed(Level::L3)));
}

#[test]
fn el1_ranges() {
    let at = |address| EL1.start(GuestVirt::new(address));
    let root = Ipa::new(EL1.ttbr0);
    assert_eq!(at(0xffff_ffff_f000), Ok(Start { table: root, level: Level::L0, index: 511 }));
    assert_eq!(at(0xffff_0000_0000_0000), Ok(Start { table: root, level: Level::L0, index: 0 }));
    for outside in [1 << 48, 1 << 55, 0xfffe_ffff_ffff_ffff, 0x00ff_0000_0000_0000] {
        assert_eq!(at(outside), Err(WalkError::OutOfRange), "{outside:#x}");
    }
    let tagged = El1 { tcr: EL1.tcr | 1 << 37 | 1 << 38, ..EL1 };
    for (address, index) in [(0xab00_0000_0000_0000, 0), (0x12ff_ff80_0000_0000, 511)] {
        assert_eq!(tagged.start(GuestVirt::new(address)).map(|start| start.index), Ok(index), "{address:#x}");
    }
    assert_eq!(tagged.start(GuestVirt::new(0x12fe_0000_0000_0000)), Err(WalkError::OutOfRange));
    for (size, level, entries) in [
        (16, Level::L0, 512),
        (24, Level::L0, 2),
        (25, Level::L1, 512),
        (33, Level::L1, 2),
        (34, Level::L2, 512),
        (39, Level::L2, 16),
    ] {
        // The table lies anywhere in a page, aligned to its size.
        let regime = El1 { tcr: EL1.tcr & !0x3f | size, ttbr0: 0x1_2345_67c1, ..EL1 };
        let top = GuestVirt::new((1 << (64 - size)) - 1);
        let align = (entries * 8_u64).max(64);
        let table = Ipa::new(0x1_2345_67c0 / align * align);
        assert_eq!(regime.start(top), Ok(Start { table, level, index: entries - 1 }), "T0SZ = {size}");
        assert_eq!(regime.start(GuestVirt::new(top.get() + 1)), Err(WalkError::OutOfRange), "T0SZ = {size}");
    }
    for size in [0, 15, 40, 63] {
        let regime = El1 { tcr: EL1.tcr & !0x3f | size, ..EL1 };
        assert_eq!(regime.start(LOW), Err(WalkError::Unsupported), "T0SZ = {size}");
    }
    let [granule, wide, off] = [0b01 << 14, 1 << 59, 1 << 7].map(|bits| El1 { tcr: EL1.tcr | bits, ..EL1 });
    assert_eq!(granule.start(LOW), Err(WalkError::Unsupported));
    assert_eq!(wide.start(LOW), Err(WalkError::Unsupported));
    assert_eq!(off.start(LOW), Err(WalkError::Invalid(Level::L0)));
    assert_eq!(off.start(GuestVirt::new(u64::MAX)).map(|start| start.index), Ok(511), "the other range is walked");
}

#[test]
fn long_mode_entries() {
    let page = 0x7654_3000;
    let decode = |level, bits| LONG_MODE.decode(LOW, level, Entry::new(bits));
    for (level, bits, expected) in [
        (Level::L3, page | 1, Ok(Found::Leaf(Ipa::new(page), grants(false, false)))),
        (Level::L3, page | 7, Ok(Found::Leaf(Ipa::new(page), grants(true, true)))),
        // PAT, global, available bits, protection key and XD mean nothing here.
        (Level::L3, page | 0xf83 | 0xfff << 52, Ok(Found::Leaf(Ipa::new(page), grants(true, false)))),
        (Level::L3, page | 6, Err(WalkError::Invalid(Level::L3))),
        (Level::L2, 0x7640_0000 | 0x83, Ok(Found::Leaf(Ipa::new(0x7640_0000), grants(true, false)))),
        (Level::L2, 0x7640_1000 | 0x83, Ok(Found::Leaf(Ipa::new(0x7640_0000), grants(true, false)))),
        (Level::L2, page | 0x83, Err(WalkError::Malformed(Level::L2))),
        (Level::L1, 0x4000_0000 | 0x81, Ok(Found::Leaf(Ipa::new(0x4000_0000), grants(false, false)))),
        (Level::L1, 0x4020_0000 | 0x81, Err(WalkError::Malformed(Level::L1))),
        (Level::L0, 0x4000_0000 | 0x81, Err(WalkError::Malformed(Level::L0))),
        (Level::L1, page | 5, Ok(Found::Table(Ipa::new(page), grants(false, true)))),
        (Level::L3, 1 << 48 | 1, Err(WalkError::Malformed(Level::L3))),
    ] {
        assert_eq!(decode(level, bits), expected, "{level:?} {bits:#x}");
    }
    let strict = GuestLongMode { no_execute: NoExecute::Disabled, ..LONG_MODE };
    assert_eq!(strict.decode(LOW, Level::L3, Entry::new(page | 1 | 1 << 63)), Err(WalkError::Malformed(Level::L3)));
}

#[test]
fn long_mode_addresses() {
    let start = |at| LONG_MODE.start(GuestVirt::new(at));
    let table = Ipa::new(LONG_MODE.cr3);
    assert_eq!(start(0x7fff_ffff_f000), Ok(Start { table, level: Level::L0, index: 255 }));
    assert_eq!(start(0xffff_8000_0000_0000), Ok(Start { table, level: Level::L0, index: 256 }));
    for hole in [0x8000_0000_0000, 0xffff_7fff_ffff_ffff, 1 << 63] {
        assert_eq!(start(hole), Err(WalkError::OutOfRange), "{hole:#x}");
    }
    // PCID or cache bits of CR3 are no part of the address.
    let tagged = GuestLongMode { cr3: LONG_MODE.cr3 | 0xfff | 1 << 63, ..LONG_MODE };
    assert_eq!(tagged.start(LOW).map(|start| start.table), Ok(table));
}
