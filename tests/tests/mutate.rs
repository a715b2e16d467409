//! Damaged board files: a seeded loop of mutations, none of which may panic the loader or the planner.

use std::path::Path;

use codegen::plan::Flavour;
use tests::random::{Random, Rounds};

/// Files for each second that there is: a slow machine's.
const ROUNDS_A_SECOND: u64 = 6000;
/// Pieces that mutations insert.
const PIECES: [&[u8]; 12] = [
    b"0x",
    b"-1",
    b"\"",
    b"[[",
    b"]]",
    b"18446744073709551615",
    b"\xff",
    b"\n[memory]\n",
    b" = ",
    b"\"64 KB\"",
    b"{",
    b"true",
];

fn mutate(text: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if text.is_empty() {
            return;
        }
        let at = random.below(text.len());
        match random.below(5) {
            0 => text[at] ^= 1 << random.below(8),
            1 => drop(text.drain(at..(at + random.below(40)).min(text.len()))),
            2 => drop(text.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
            3 => text.truncate(at.max(1)),
            _ => text[at] = b"0123456789abcdefx_\" \n"[random.below(21)],
        }
    }
}

#[test]
fn no_damaged_file_panics() {
    let seeds: Vec<Vec<u8>> =
        tests::fixtures("accept", "toml").iter().map(|path| std::fs::read(path).expect("listed")).collect();
    let mut random = Random::seeded();
    let mut rounds = Rounds::new(ROUNDS_A_SECOND);
    let mut accepted = 0_u64;
    while rounds.go_on() {
        let mut text = seeds[random.below(seeds.len())].clone();
        mutate(&mut text, &mut random);
        let read = |_: &Path| Ok(text.clone());
        if let Ok((board, _)) = codegen::load_with(Path::new("accept/arm.toml"), &read) {
            accepted += 1;
            drop(codegen::plan(&board, Flavour::Release));
        }
    }
    println!("{rounds} damaged files, {accepted} of them still boards");
    assert!(accepted > 0, "{rounds}");
}
