//! What the boot command line may say, and what comes of it.

use std::vec::Vec;

use super::{Wish, decide, parse};
use crate::mm::heap::Policy;

fn read(line: &str) -> (Option<Wish>, Vec<&[u8]>) {
    let mut unknown = Vec::new();
    let wish = parse(line.as_bytes(), |value| unknown.push(value));
    (wish, unknown)
}

#[test]
fn every_word_of_the_grammar_is_read() {
    for word in ["yes", "on", "true", "enable", "1"] {
        assert_eq!(read(&std::format!("directmap={word}")).0, Some(Wish::Full), "{word}");
    }
    for word in ["no", "off", "false", "disable", "0"] {
        assert_eq!(read(&std::format!("console=x directmap={word} quiet")).0, Some(Wish::Sparse), "{word}");
    }
    assert_eq!(read("directmap").0, Some(Wish::Full));
    assert_eq!(read("no-directmap").0, Some(Wish::Sparse));
    assert_eq!(read("").0, None);
    assert_eq!(read("mydirectmap=1 directmapped").0, None);
}

#[test]
fn the_last_one_counts_and_an_unknown_value_does_not() {
    assert_eq!(read("directmap=1 directmap=0").0, Some(Wish::Sparse));
    assert_eq!(read("no-directmap directmap").0, Some(Wish::Full));
    let (wish, unknown) = read("directmap=off directmap=perhaps directmap=");
    assert_eq!(wish, Some(Wish::Sparse));
    assert_eq!(unknown, [&b"perhaps"[..], b""]);
}

#[test]
fn false_never_means_full() {
    use Policy::{Full, None as NoWindow, OnDemand};
    for (file, absent, no) in [(Full, Full, OnDemand), (OnDemand, OnDemand, OnDemand), (NoWindow, NoWindow, NoWindow)] {
        assert_eq!(decide(file, None), absent);
        assert_eq!(decide(file, Some(Wish::Sparse)), no);
        assert_eq!(decide(file, Some(Wish::Full)), Full);
    }
}
