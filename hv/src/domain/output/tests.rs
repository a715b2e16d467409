//! What guests print, line by line.

use std::string::String;
use std::vec::Vec;

use super::{LINE_BYTES, Line, Pushed, unprintable};

/// All lines of a text, the unfinished one last; taken in pieces of this size.
fn lines(text: &[u8], piece: usize) -> Vec<String> {
    let (mut line, mut all) = (Line::EMPTY, Vec::new());
    let finished = |line: &Line| String::from_utf8_lossy(line.text()).into_owned();
    for mut left in text.chunks(piece) {
        while !left.is_empty() {
            let (taken, complete) = line.take(left);
            if complete == Pushed::Complete {
                all.push(finished(&line));
                line.used = 0;
            }
            left = &left[taken..];
        }
    }
    all.push(finished(&line));
    all
}

fn line(text: &[u8]) -> Line {
    let mut line = Line::EMPTY;
    for byte in text {
        line.push(*byte);
    }
    line
}

#[test]
fn a_line_ends_at_its_newline_or_when_it_is_full() {
    assert_eq!(line(b"a").push(b'\n'), Pushed::Complete);
    assert_eq!(line(&[b'x'; LINE_BYTES - 1]).push(b'y'), Pushed::Complete);
    assert_eq!(line(b"a").push(b'b'), Pushed::Kept);
}

#[test]
fn control_bytes_do_not_reach_the_terminal() {
    assert_eq!(line(b"a\x1b[2J\xffb\r").text(), b"a.[2J.b");
}

#[test]
fn a_line_belongs_to_a_domain_only_with_its_whole_name() {
    assert!(line(b"one: hello").names("one"));
    assert!(!line(b"one: hello").names("on"));
    assert!(!line(b"tabula: all domains are off").names("one"));
}

#[test]
fn pieces_of_any_size_make_the_same_lines() {
    let mut text: Vec<u8> = (0..2000_u32).map(|at| (at * 7 % 256) as u8).collect();
    text.extend(b"a line\r\nanother, longer than a word of eight bytes\n\n");
    text.extend([b'z'; 3 * LINE_BYTES + 5]);
    let expected = lines(&text, 1);
    assert!(expected.len() > 10 && expected.contains(&"another, longer than a word of eight bytes".into()));
    for piece in [2, 3, 7, 8, 9, 16, 64, 511, text.len()] {
        assert_eq!(lines(&text, piece), expected, "{piece}");
    }
}

#[test]
fn the_first_byte_that_is_not_printable_is_found() {
    for byte in 0..=255_u8 {
        for at in 0..8 {
            for rest in [b' ', b'~', b'a'] {
                let mut word = [rest; 8];
                word[at] = byte;
                let printable = (b' '..=b'~').contains(&byte);
                let first = unprintable(u64::from_le_bytes(word)).trailing_zeros() / 8;
                assert_eq!(first as usize, if printable { 8 } else { at }, "{byte:#x} at {at}");
            }
        }
    }
}
