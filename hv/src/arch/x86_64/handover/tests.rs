//! Both protocols as loaders fill them in, then as they should not.

use std::vec::Vec;

use paging::{Frame, FrameRange, PhysAddr};

use super::{HandoverError, Protocol, read};
use crate::arch::x86_64::physical::model::Piece;
use crate::firmware::RAM_RANGES_MAX;

const BASE: u64 = 0x6000;
const AT: PhysAddr = PhysAddr::new(BASE);

fn pvh_entry(base: u64, bytes: u64, kind: u32) -> Vec<u8> {
    [&base.to_le_bytes()[..], &bytes.to_le_bytes(), &kind.to_le_bytes(), &[0; 4]].concat()
}

/// Where `pvh` says that ACPI starts.
const RSDP: u64 = 0xf_59b0;

/// `hvm_start_info`, its map behind it.
fn pvh(version: u32, entries: &[Vec<u8>]) -> Piece {
    let map = BASE + 56;
    let mut bytes = Vec::new();
    for word in [0x336e_c578, version, 0, 0] {
        bytes.extend(u32::to_le_bytes(word));
    }
    for word in [0, 0, RSDP, map, entries.len() as u64] {
        bytes.extend(u64::to_le_bytes(word));
    }
    entries.iter().for_each(|entry| bytes.extend(entry));
    Piece { base: BASE, bytes }
}

fn tag(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = [&kind.to_le_bytes()[..], &(body.len() as u32 + 8).to_le_bytes(), body].concat();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn map_tag(entry_bytes: u32, entries: &[Vec<u8>]) -> Vec<u8> {
    tag(6, &[&entry_bytes.to_le_bytes()[..], &[0; 4], &entries.concat()].concat())
}

fn multiboot2(tags: &[Vec<u8>]) -> Piece {
    let body = tags.concat();
    let total = body.len() as u32 + 16;
    let bytes = [&total.to_le_bytes()[..], &[0; 4], &body, &tag(0, &[])].concat();
    Piece { base: BASE, bytes }
}

fn frames(first: u64, frames: u64) -> FrameRange {
    FrameRange::new(Frame::new(first), frames)
}

/// What QEMU's microvm gives with 1 GiB, its last entry all zero.
fn microvm() -> [Vec<u8>; 5] {
    [
        pvh_entry(0, 0x9_fc00, 1),
        pvh_entry(0x9_fc00, 0x400, 2),
        pvh_entry(0xd_0000, 0x2_0000, 4),
        pvh_entry(0x10_0000, 0x3ff0_0000, 1),
        pvh_entry(0, 0, 0),
    ]
}

#[test]
fn both_protocols_give_whole_frames_of_ram_and_the_root_pointer() {
    let check = |protocol, mut memory: Piece, rsdp| {
        let handover = read(&mut memory, protocol, AT).expect("a right structure is read");
        assert_eq!(handover.ram[..], [frames(0, 0x9f), frames(0x100, 0x3_ff00)]);
        assert_eq!(handover.rsdp, rsdp);
    };
    check(Protocol::Pvh, pvh(1, &microvm()), Some(PhysAddr::new(RSDP)));
    // Tags lie at 8, 24 and 160; the newer pointer wins over the older one behind it.
    let tags = [tag(1, b"x\0"), map_tag(24, &microvm()), tag(15, &[0; 36]), tag(14, &[0; 20]), tag(21, &[0; 4])];
    check(Protocol::Multiboot2, multiboot2(&tags), Some(PhysAddr::new(BASE + 168)));
    check(Protocol::Multiboot2, multiboot2(&[map_tag(24, &microvm())]), None);
}

#[test]
fn entries_at_the_end_of_the_address_space_do_not_wrap() {
    let entries = [pvh_entry(u64::MAX, u64::MAX, 1), pvh_entry(u64::MAX - 0x1fff, u64::MAX, 1)];
    let handover = read(&mut pvh(1, &entries), Protocol::Pvh, AT).expect("a right structure is read");
    assert_eq!(handover.ram[..], [frames(0xf_ffff_ffff_fffe, 1)]);
}

#[test]
fn damage_is_named() {
    let check = |protocol, mut memory: Piece, expected| {
        assert_eq!(read(&mut memory, protocol, AT), Err(expected));
    };
    let many = std::vec![pvh_entry(0, 0x1000, 1); RAM_RANGES_MAX + 1];
    check(Protocol::Pvh, pvh(0, &microvm()), HandoverError::NoMemoryMap);
    check(Protocol::Pvh, pvh(1, &[]), HandoverError::NoMemoryMap);
    check(Protocol::Pvh, pvh(1, &many), HandoverError::TooManyRanges { at: PhysAddr::new(BASE + 56) });
    check(Protocol::Pvh, multiboot2(&[tag(9, &[0; 64])]), HandoverError::Magic { at: AT });
    let mut long = pvh(1, &microvm());
    long.bytes[50] = 0xff;
    check(Protocol::Pvh, long, HandoverError::Length { at: AT, length: 0xff_0005 });

    let two = Protocol::Multiboot2;
    check(two, multiboot2(&[tag(14, &[0; 20])]), HandoverError::NoMemoryMap);
    let tag_at = PhysAddr::new(BASE + 8);
    check(two, multiboot2(&[map_tag(0, &[])]), HandoverError::Length { at: tag_at, length: 0 });
    check(two, multiboot2(&[tag(6, &[])]), HandoverError::Length { at: tag_at, length: 0 });
    let mut short = multiboot2(&[map_tag(24, &microvm())]);
    short.bytes[12] = 7;
    check(two, short, HandoverError::Length { at: tag_at, length: 7 });
    let mut endless = multiboot2(&[]);
    endless.bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    check(two, endless, HandoverError::Length { at: AT, length: u32::MAX });
}

/// Every byte, set to values that hurt: an answer or an error, no more.
#[test]
fn no_byte_makes_the_reader_panic() {
    let tags = [map_tag(24, &microvm()), tag(14, &[0; 20])];
    for (protocol, bytes) in
        [(Protocol::Pvh, pvh(1, &microvm()).bytes), (Protocol::Multiboot2, multiboot2(&tags).bytes)]
    {
        for offset in 0..bytes.len() {
            for value in [0, 1, 7, 8, 0x10, 0x7f, 0x80, 0xff] {
                let mut hostile = Piece { base: BASE, bytes: bytes.clone() };
                hostile.bytes[offset] = value;
                drop(read(&mut hostile, protocol, AT));
            }
        }
    }
}
