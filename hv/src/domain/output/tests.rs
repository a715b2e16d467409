//! What guests print, line by line.

use super::{LINE_BYTES, Line, Pushed};

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
    assert_eq!(line(b"a\x1b[2J\xffb\r").text(), "a.[2J.b");
}

#[test]
fn a_line_belongs_to_a_domain_only_with_its_whole_name() {
    assert!(line(b"one: hello").names("one"));
    assert!(!line(b"one: hello").names("on"));
    assert!(!line(b"tabula: all domains are off").names("one"));
}
