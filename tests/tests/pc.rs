//! PCs from what Linux shows of their firmware: a memory map and a MADT, right ones and damaged ones.

use std::path::Path;

use codegen::import::{Answers, Firmware, Imported, MapEntry, Source, import_pc};
use codegen::plan::Flavour;
use tests::random::Random;

const POWER_OFF: &str = "{ port = 0x604, width = 2, value = 0x2000 }";

/// A table with its header and its sum. ACPI Specification 6.5, "System Description Table Header".
fn madt(entries: &[&[u8]]) -> Vec<u8> {
    let body: Vec<u8> = [0xfee0_0000_u32.to_le_bytes(), 1_u32.to_le_bytes()].concat();
    let mut table = [b"APIC".as_slice(), &[0; 32], &body, &entries.concat()].concat();
    let length = u32::try_from(table.len()).expect("a small table");
    table[4..8].copy_from_slice(&length.to_le_bytes());
    seal(&mut table);
    table
}

fn seal(table: &mut [u8]) {
    table[9] = 0;
    table[9] = table.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
}

/// Four processors, of which one is off and one has an identifier that is too wide, and an I/O APIC.
fn firmware() -> Firmware {
    let entry = |first, last, kind: &str| MapEntry { first, last, kind: kind.into() };
    let map = vec![
        entry(0x10_0000, 0x3ffd_ffff, "System RAM"),
        entry(0, 0x9_fbff, "System RAM"),
        entry(0x9_fc00, 0x9_ffff, "Reserved"),
        entry(0x1_0000_0000, 0x1_3fff_ffff, "System RAM"),
    ];
    let processors: [&[u8]; 4] = [
        &[0, 8, 0, 4, 1, 0, 0, 0],
        &[0, 8, 1, 5, 0, 0, 0, 0],
        &[9, 16, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0],
        &[9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0],
    ];
    let others: [&[u8]; 2] = [&[1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0], &[2, 10, 0, 0, 2, 0, 0, 0, 0, 0]];
    Firmware { map, madt: madt(&[&processors[..], &others[..]].concat()) }
}

fn import(firmware: &Firmware, answers: &Answers) -> Result<Imported, String> {
    let source = Source { name: "pc".into(), file: "saved".into(), sha256: "0".repeat(64) };
    import_pc(firmware, &source, answers).map_err(|error| error.to_string())
}

fn answered() -> Answers {
    Answers { console: Some("0x3f8".into()), power_off: Some(POWER_OFF.into()), ..Answers::default() }
}

#[test]
fn a_pc_checks_and_plans_once_its_uart_and_its_switch_are_given() {
    let imported = import(&firmware(), &answered()).expect("it is whole");
    assert_eq!(imported.holes, []);
    let read = |_: &Path| Ok(imported.text.clone().into_bytes());
    let loaded = codegen::load_with("pc.toml".as_ref(), &read);
    let (board, warnings) = loaded.unwrap_or_else(|found| panic!("{}", found.text(codegen::diagnostic::Colour::Never)));
    assert!(warnings.is_empty());
    let banks: Vec<_> =
        board.memory.banks.iter().map(|bank| (bank.frames.first.number(), bank.frames.frames)).collect();
    assert_eq!(banks, [(0, 0x9f), (0x100, 0x3_fee0), (0x10_0000, 0x4_0000)]);
    assert_eq!(board.cpus.cores.iter().map(|core| core.id).collect::<Vec<_>>(), [4, 7]);
    assert!(codegen::plan(&board, Flavour::Release).is_ok());
    assert!(imported.text.contains("# left out: 1 processors"), "{}", imported.text);
}

#[test]
fn what_no_table_says_is_open() {
    let imported = import(&Firmware { map: Vec::new(), ..firmware() }, &Answers::default()).expect("it is read");
    let open: Vec<_> = imported.holes.iter().map(|hole| hole.key).collect();
    assert_eq!(open, ["platform.power-off", "memory.bank", "console"]);
    assert!(imported.text.parse::<toml::Table>().is_ok(), "{}", imported.text);
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    let whole = firmware().madt;
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut madt = whole.clone();
        change(&mut madt);
        import(&Firmware { madt, ..firmware() }, &answered()).err().unwrap_or_default()
    };
    assert_eq!(with(&|madt| madt.truncate(60)), "MADT: it says 114 bytes, 60 are there");
    assert_eq!(with(&|madt| madt[50] ^= 1), "MADT: its sum is not 0");
    assert_eq!(with(&|madt| madt[0] = b'X'), "MADT: it does not begin with APIC");
    let short = |madt: &mut Vec<u8>| {
        madt[45] = 3;
        seal(madt);
    };
    assert_eq!(with(&short), "MADT: the entry at byte 44 is too short");
    let endless = |madt: &mut Vec<u8>| {
        madt[45] = 0;
        seal(madt);
    };
    assert_eq!(with(&endless), "MADT: the entry at byte 44 has no length");
}

#[test]
fn a_damaged_table_never_panics() {
    let mut random = Random::seeded();
    let mut imported = 0;
    for _ in 0..2_000 {
        let mut firmware = firmware();
        for _ in 0..=random.below(3) {
            let at = 44 + random.below(firmware.madt.len() - 44);
            firmware.madt[at] = random.word() as u8;
        }
        seal(&mut firmware.madt);
        let range = random.below(firmware.map.len());
        firmware.map[range].last = u64::from(random.word()) << random.below(33);
        if let Ok(found) = import(&firmware, &answered()) {
            imported += 1;
            let read = |_: &Path| Ok(found.text.clone().into_bytes());
            if let Ok((board, _)) = codegen::load_with("pc.toml".as_ref(), &read) {
                drop(codegen::plan(&board, Flavour::Release));
            }
        }
    }
    assert!(imported > 0);
}
