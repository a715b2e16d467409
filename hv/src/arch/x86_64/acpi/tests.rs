//! Tables as firmware makes them, then as it should not.

use std::vec::Vec;

use paging::PhysAddr;

use super::{AcpiError, RootTable, TABLE_BYTES_MAX, processors, root_table};
use crate::arch::x86_64::physical::model::Piece;

const BASE: u64 = 0x000f_0000;
const RSDP: u64 = BASE;
const ROOT: u64 = BASE + 0x40;
const MADT: u64 = BASE + 0x80;

fn seal(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    bytes[at] = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
}

fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = std::vec![0; 36];
    bytes[..4].copy_from_slice(signature);
    bytes.extend_from_slice(body);
    let length = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    seal(&mut bytes, 9);
    bytes
}

fn rsdp(revision: u8) -> Vec<u8> {
    let mut bytes = b"RSD PTR \0BOCHS ".to_vec();
    bytes.push(revision);
    bytes.extend((ROOT as u32).to_le_bytes());
    seal(&mut bytes, 8);
    if revision >= 2 {
        bytes.extend(36u32.to_le_bytes());
        bytes.extend(ROOT.to_le_bytes());
        bytes.extend([0; 4]);
        seal(&mut bytes, 32);
    }
    bytes
}

/// Two local APICs, one of them disabled, an I/O APIC to step over, one x2APIC.
fn madt() -> Vec<u8> {
    let mut body = Vec::from(0xfee0_0000u32.to_le_bytes());
    body.extend(1u32.to_le_bytes());
    body.extend([0, 8, 0, 0, 1, 0, 0, 0]);
    body.extend([0, 8, 1, 1, 0, 0, 0, 0]);
    body.extend([1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
    body.extend([9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
    table(b"APIC", &body)
}

fn memory(revision: u8, root: Vec<u8>, madt: Vec<u8>) -> Piece {
    let mut bytes = std::vec![0; 0x400];
    for (at, part) in [(RSDP, rsdp(revision)), (ROOT, root), (MADT, madt)] {
        let at = (at - BASE) as usize;
        bytes[at..at + part.len()].copy_from_slice(&part);
    }
    Piece { base: BASE, bytes }
}

fn xsdt() -> Vec<u8> {
    table(b"XSDT", &MADT.to_le_bytes())
}

fn read(mut memory: Piece) -> Result<Vec<u32>, AcpiError> {
    let root = root_table(&mut memory, PhysAddr::new(RSDP))?;
    let mut ids = Vec::new();
    processors(&mut memory, root, |processor| ids.push(processor.apic_id))?;
    Ok(ids)
}

#[test]
fn both_root_tables_lead_to_the_enabled_processors() {
    let expected = std::vec![0, 300];
    assert_eq!(read(memory(2, xsdt(), madt())), Ok(expected.clone()));
    let rsdt = table(b"RSDT", &(MADT as u32).to_le_bytes());
    assert_eq!(read(memory(0, rsdt, madt())), Ok(expected));
}

#[test]
fn damage_is_named() {
    let check = |root: Vec<u8>, madt: Vec<u8>, expected| {
        assert_eq!(read(memory(2, root, madt)), Err(expected));
    };
    let at = PhysAddr::new;
    let resized = |bytes: u32| {
        let mut madt = madt();
        madt[4..8].copy_from_slice(&bytes.to_le_bytes());
        madt
    };
    check(table(b"RSDT", &[0; 8]), madt(), AcpiError::Signature { at: at(ROOT) });
    check(table(b"XSDT", &[0; 7]), madt(), AcpiError::NoMadt { at: at(ROOT) });
    check(table(b"XSDT", &u64::MAX.to_le_bytes()), madt(), AcpiError::Unreadable { at: at(u64::MAX) });
    check(table(b"XSDT", &RSDP.to_le_bytes()), madt(), AcpiError::NoMadt { at: at(ROOT) });
    check(xsdt(), resized(35), AcpiError::Length { at: at(MADT), bytes: 35 });
    check(xsdt(), resized(u32::MAX), AcpiError::Length { at: at(MADT), bytes: u32::MAX });
    check(xsdt(), resized(60), AcpiError::Checksum { at: at(MADT) });
    check(xsdt(), resized(TABLE_BYTES_MAX), AcpiError::Unreadable { at: at(BASE + 0x380) });
    check(xsdt(), table(b"APIC", &[]), AcpiError::Length { at: at(MADT), bytes: 36 });
    let entry = |entry: &[u8]| table(b"APIC", &[&[0; 8], entry].concat());
    let length = |bytes| AcpiError::Length { at: at(MADT + 44), bytes };
    check(xsdt(), entry(&[0, 0]), length(0));
    check(xsdt(), entry(&[77, 1, 0]), length(1));
    check(xsdt(), entry(&[0, 8, 0, 0]), length(8));
    check(xsdt(), entry(&[9, 8, 0, 0, 0, 0, 0, 0]), length(8));
}

#[test]
fn a_wrong_pointer_is_named() {
    let check = |at: usize, value: u8, expected| {
        let mut memory = memory(2, xsdt(), madt());
        memory.bytes[at] = value;
        assert_eq!(root_table(&mut memory, PhysAddr::new(RSDP)), Err(expected));
    };
    let at = PhysAddr::new(RSDP);
    check(0, b'x', AcpiError::Signature { at });
    check(16, 0xaa, AcpiError::Checksum { at });
    check(20, 37, AcpiError::Length { at, bytes: 37 });
    check(33, 1, AcpiError::Checksum { at });
    let mut nothing = Piece { base: 0, bytes: Vec::new() };
    assert_eq!(root_table(&mut nothing, at), Err(AcpiError::Unreadable { at }));
}

/// Every byte of every table, set to values that hurt, with the sums made right again: an answer or an error, no more.
#[test]
fn no_byte_makes_the_reader_panic() {
    for offset in 0..madt().len() {
        for value in [0, 1, 2, 7, 8, 9, 0x7f, 0x80, 0xff] {
            let mut hostile = madt();
            hostile[offset] = value;
            seal(&mut hostile, 9);
            drop(read(memory(2, xsdt(), hostile)));
        }
    }
    for offset in 0..xsdt().len() {
        for value in [0, 1, 0x25, 0x7f, 0xff] {
            let mut hostile = xsdt();
            hostile[offset] = value;
            seal(&mut hostile, 9);
            drop(read(memory(2, hostile, madt())));
        }
    }
    assert_eq!(read(memory(2, xsdt(), madt())).map(|ids| ids.len()), Ok(2));
    assert!(matches!(
        processors(&mut memory(2, xsdt(), madt()), RootTable::Rsdt(PhysAddr::new(ROOT)), |_| {}),
        Err(AcpiError::Signature { .. })
    ));
}
