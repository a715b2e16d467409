//! One mistake a file, its exact diagnostic beside it; every code has at least one.

use std::collections::BTreeSet;

use tests::{expect, fixtures, verdict};

#[test]
fn every_rejected_file_says_what_it_said_before() {
    let files = fixtures("reject", "toml");
    assert!(files.len() >= 40, "only {} rejected files", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_stem().expect("it has an extension").to_string_lossy().into_owned();
        match verdict(file) {
            Ok(warnings) if !warnings.contains(&name[..5]) => wrong.push(format!("{name} was accepted")),
            Err(text) if !text.contains(&name[..5]) => wrong.push(format!("{name} lacks its own code:\n{text}")),
            Ok(text) | Err(text) => wrong.extend(expect(&file.with_extension("stderr"), &text).err()),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_code_has_a_rejected_file() {
    let files = fixtures("reject", "toml");
    let names = files.iter().filter_map(|file| file.file_stem()?.to_str()?.get(..5).map(str::to_owned));
    let covered: BTreeSet<String> = names.collect();
    // A file that cannot be read has no fixture: the next test is about it.
    let missing: Vec<_> =
        codegen::codes::all().map(|code| code.id).filter(|id| *id != "E0101" && !covered.contains(*id)).collect();
    assert!(missing.is_empty(), "no rejected file for {missing:?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let text = verdict("reject/no-such.toml".as_ref()).expect_err("it is not there");
    assert!(text.contains("E0101") && text.contains("reject/no-such.toml"), "{text}");
}

#[test]
fn a_diagnostic_never_names_this_machine() {
    for file in fixtures("reject", "stderr") {
        let text = std::fs::read_to_string(&file).expect("it was listed");
        assert!(!text.contains(env!("CARGO_MANIFEST_DIR")), "{}", file.display());
    }
}
