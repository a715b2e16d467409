//! A timer over time.

use super::{Register, Timer};
use crate::vdev::gic::Line;

#[test]
fn the_line_is_up_from_the_deadline_on_unless_masked() {
    let mut timer = Timer::default();
    assert_eq!((timer.line(u64::MAX), timer.deadline()), (Line::Down, None));
    timer.write(Register::Left, 1000, 50);
    timer.write(Register::Control, 1000, 1);
    assert_eq!((timer.deadline(), timer.line(1049), timer.line(1050)), (Some(1050), Line::Down, Line::Up));
    assert_eq!((timer.read(Register::Control, 1049), timer.read(Register::Control, 1050)), (1, 5));
    timer.write(Register::Control, 1050, u64::MAX);
    assert_eq!((timer.line(1050), timer.deadline()), (Line::Down, None));
    assert_eq!(timer.read(Register::Control, 1050), 7);
}

#[test]
fn what_is_left_has_a_sign_and_32_bits() {
    let mut timer = Timer::default();
    timer.write(Register::Left, 1000, 0xffff_fff6);
    assert_eq!(timer.read(Register::Compare, 0), 990);
    assert_eq!(timer.read(Register::Left, 1000), 0xffff_fff6);
    timer.write(Register::Compare, 0, u64::MAX);
    assert_eq!(timer.read(Register::Left, 5), 0xffff_fffa);
}
