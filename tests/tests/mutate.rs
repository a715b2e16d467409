//! Damaged board files: a seeded loop of mutations, none of which may panic the loader or the planner.

use std::path::Path;
use std::time::{Duration, Instant};

use codegen::plan::Flavour;

/// Seed of every run; a failure repeats.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
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

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }
}

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
    let seconds = std::env::var("TABULA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let seeds: Vec<Vec<u8>> =
        tests::fixtures("accept", "toml").iter().map(|path| std::fs::read(path).expect("listed")).collect();
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(SEED);
    let (mut rounds, mut accepted) = (0_u64, 0_u64);
    while Instant::now() < deadline {
        let mut text = seeds[random.below(seeds.len())].clone();
        mutate(&mut text, &mut random);
        let read = |_: &Path| Ok(text.clone());
        if let Ok((board, _)) = codegen::load_with(Path::new("accept/arm.toml"), &read) {
            accepted += 1;
            drop(codegen::plan(&board, Flavour::Release));
        }
        rounds += 1;
    }
    assert!(rounds > 0);
    println!("{rounds} damaged files, {accepted} of them still boards");
}
