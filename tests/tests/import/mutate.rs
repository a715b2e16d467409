//! A seeded loop of damage to the machine's tree: whole values and nodes first, then words and bytes of the blob.
//!
//! Nothing may panic; what is imported is a board file of the right shape, whatever it says.

use std::path::Path;

use codegen::plan::Flavour;
use tests::random::{Random, Rounds};

use super::trees::{Node, blob, machine};
use super::{Answers, Guest, import, source};

/// Trees for each second that there is: a slow machine's.
const ROUNDS_A_SECOND: u64 = 1500;
const WORDS: [u32; 14] =
    [0, 1, 2, 3, 4, 5, 9, 31, 0x1000, 0x7fff_ffff, 0x8000_0000, 0xffff_f000, 0xffff_ffff, 0xd00d_feed];
/// Codes of files that are no TOML, or hold what the schema does not know.
const MISSHAPEN: [&str; 6] = ["E0102", "E0104", "E0105", "E0107", "E0108", "E0109"];

/// A word at an edge, or any.
pub(super) fn word(random: &mut Random) -> u32 {
    match random.below(4) {
        0 => random.word(),
        _ => WORDS[random.below(WORDS.len())],
    }
}

/// Damage to the bytes: a word, a byte, the end.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.len() < 8 {
        return;
    }
    let at = random.below(bytes.len() - 4);
    match random.below(8) {
        0 => bytes.truncate(at),
        1..=3 => bytes[at] ^= 1 << random.below(8),
        _ => {
            let at = at / 4 * 4;
            bytes[at..at + 4].copy_from_slice(&word(random).to_be_bytes());
        }
    }
}

fn answers(random: &mut Random) -> Answers {
    let mut answers = Answers::default();
    if random.below(2) == 0 {
        answers.memory = vec![(u64::from(word(random)) << 8, u64::from(word(random)))];
        answers.memory.retain(|(base, bytes)| *bytes > 0 && base.checked_add(*bytes).is_some());
        answers.console = Some("none".into());
        answers.guest = Guest::Payload;
    }
    answers
}

#[test]
fn no_damaged_tree_panics_and_what_is_imported_has_the_right_shape() {
    let mut random = Random::seeded();
    let mut rounds = Rounds::new(ROUNDS_A_SECOND);
    let (mut imported, mut boards) = (0_u64, 0_u64);
    while rounds.go_on() {
        let mut root: Node = machine();
        for _ in 0..random.below(5) {
            root.damage(&mut random);
        }
        let mut bytes = blob(root);
        for _ in 0..random.below(3) {
            damage(&mut bytes, &mut random);
        }
        let found = import(&bytes, &source(), &answers(&mut random));
        if let Ok(found) = found {
            imported += 1;
            let read = |_: &Path| Ok(found.text.clone().into_bytes());
            match codegen::load_with("board.toml".as_ref(), &read) {
                Ok((board, _)) => {
                    boards += 1;
                    drop(codegen::plan(&board, Flavour::Release));
                }
                Err(found) => {
                    let bad = found.iter().find(|one| MISSHAPEN.contains(&one.code.id));
                    assert!(bad.is_none(), "{bad:?}");
                }
            }
        }
    }
    println!("{rounds} damaged trees, {imported} imported, {boards} of them boards");
    assert!(imported > 0 && boards > 0, "{rounds}: {imported} {boards}");
}

#[test]
fn a_thousand_banks_are_a_board() {
    let banks: Vec<u32> = (0..1000).flat_map(|bank| [1, bank * 0x40_0000, 0, 0x20_0000]).collect();
    let root = machine().edit("memory@40000000", |node| node.cells("reg", &banks));
    let found = import(&blob(root), &source(), &Answers::default()).expect("it is a tree");
    assert_eq!(found.text.matches("[[memory.bank]]").count(), 1000);
}
