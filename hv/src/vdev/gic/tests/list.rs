//! List registers, bit by bit.

use super::{Intid, ListRegister, State};
use crate::vdev::gic::list::Announce;

#[test]
fn fields_lie_where_the_manual_says() {
    let register = ListRegister::pending(Intid::new(27), 0xa0).in_group_1().tied_to(Intid::new(27));
    assert_eq!(register.bits(), 0x70a0_001b_0000_001b);
    assert_eq!(register.to_v2(), 0xda00_6c1b, "HW, Grp1, pending, priority 0x14, physical 27, virtual 27");
    let sgi = ListRegister::pending(Intid::new(5), 0x80).sent_by(3).announced(Announce::End);
    assert_eq!(sgi.to_v2(), 0x1808_0c05);
}

#[test]
fn both_versions_say_the_same() {
    for state in 0..4_u64 {
        for intid in [0, 15, 31, 32, 1019] {
            let base = ListRegister::pending(Intid::new(intid), 0xf8).bits() & !(0b11 << 62) | state << 62;
            let base = ListRegister::from_bits(base);
            let kinds =
                [base, base.in_group_1(), base.tied_to(Intid::new(1019)), base.sent_by(7).announced(Announce::End)];
            for register in kinds {
                assert_eq!(ListRegister::from_v2(register.to_v2()), register);
            }
        }
    }
    assert_eq!(ListRegister::EMPTY.state(), State::Invalid);
    assert_eq!(ListRegister::from_bits(3 << 62).state(), State::Both);
}
