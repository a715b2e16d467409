//! Numbers of right boards replaced by extreme ones, singly and several at once: refused or planned, never a panic.
//!
//! Damaged text seldom stays a board; these always parse, so they reach the checks and the planner.

use std::ops::Range;
use std::path::Path;

use codegen::diagnostic::Colour;
use codegen::plan::Flavour;
use tests::random::Random;

/// Values at the edges of fields, pages, blocks, architectures and words.
const EXTREMES: [&str; 24] = [
    "0",
    "1",
    "3",
    "31",
    "52",
    "63",
    "255",
    "512",
    "0x1000",
    "0xfff",
    "0x9_f000",
    "0xa_0000",
    "0x20_0000",
    "0x7fff_ffff",
    "0xffff_ffff",
    "0xffff_ffff_f000",
    "0xf_ffff_ffff_f000",
    "0x8000_0000_0000",
    "0xffff_8000_0000_0000",
    "0x7fff_ffff_ffff_f000",
    "0x7fff_ffff_ffff_ffff",
    "0xffff_ffff_ffff_f000",
    "0xffff_ffff_ffe0_0000",
    "0xffff_ffff_ffff_ffff",
];
/// Boards with several numbers replaced, for each accepted one.
const COMBINATIONS: usize = 400;

/// Where numbers, sizes and `"auto"` stand as values.
fn values(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default();
        let mut at = 0;
        while let Some(next) = code[at..].find(['=', ',', '[']) {
            let rest = code[at + next + 1..].trim_start();
            let start = code.len() - rest.len();
            let length = rest.find([',', ']', '}', '\n', ' ']).unwrap_or(rest.len());
            let size = rest.strip_prefix('"').and_then(|rest| Some(&rest[..rest.find('"')?]));
            let length = size.map_or(length, |size| size.len() + 2);
            let is_size = size.is_some_and(|size| size.ends_with("iB") || size == "auto");
            if is_size || rest.starts_with(|c: char| c.is_ascii_digit()) {
                found.push(line_start + start..line_start + start + length);
            }
            at = at + next + 1;
        }
        line_start += line.len();
    }
    found
}

/// Reads and plans; whatever is found is printed both ways.
fn try_board(path: &Path, text: &str) {
    let read = |_: &Path| Ok(text.as_bytes().to_vec());
    let found = match codegen::load_with(path, &read) {
        Ok((board, warnings)) => {
            let refused = Flavour::ALL.map(|flavour| codegen::plan(&board, flavour).err());
            refused.into_iter().flatten().next().unwrap_or(warnings)
        }
        Err(found) => found,
    };
    drop((found.text(Colour::Never), found.json()));
}

#[test]
fn no_extreme_number_panics() {
    let mut random = Random::seeded();
    for path in tests::fixtures("accept", "toml") {
        let text = std::fs::read_to_string(&path).expect("it was listed");
        if text.contains("\nbase = \"") {
            // Its numbers are the other file's.
            continue;
        }
        let values = values(&text);
        assert!(values.len() > 10, "{}: {} values", path.display(), values.len());
        for value in &values {
            for extreme in EXTREMES {
                let mut text = text.clone();
                text.replace_range(value.clone(), extreme);
                try_board(&path, &text);
            }
        }
        for _ in 0..COMBINATIONS {
            let mut picked: Vec<usize> = (0..3).map(|_| random.below(values.len())).collect();
            picked.sort_unstable();
            picked.dedup();
            let mut text = text.clone();
            for value in picked.into_iter().rev() {
                text.replace_range(values[value].clone(), EXTREMES[random.below(EXTREMES.len())]);
            }
            try_board(&path, &text);
        }
    }
}
