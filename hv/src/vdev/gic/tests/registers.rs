//! Registers at all widths, and what is not there.

use super::guest::Guest;
use super::{Effect, VcpuNumber, Version, Width};

const WIDTHS: [Width; 4] = [Width::Byte, Width::Half, Width::Word, Width::Double];

#[test]
fn identification_says_what_is_there() {
    let v2 = Guest::booted(Version::V2, 3);
    assert_eq!(v2.read_shared(0, 0x004, Width::Word), 2 | 2 << 5, "96 interrupts, 3 CPUs");
    assert_eq!(v2.read_shared(0, 0xfe8, Width::Word) & 0xf0, 0x20);
    let v3 = Guest::booted(Version::V3, 18);
    assert_eq!(v3.read_shared(0, 0x004, Width::Word) & 0x1f, 2);
    assert_eq!(v3.read_shared(0, 0xffe8, Width::Word) & 0xf0, 0x30);
    assert_eq!(v3.read_shared(0, 0x000, Width::Word), 0x52, "DS, ARE, group 1");
    let kind = |vcpu: usize| v3.vcpus[vcpu].read(0x0008, Width::Double);
    assert_eq!((kind(0), kind(17)), (0, 0x101 << 32 | 17 << 8 | 1 << 4));
    assert_eq!(v3.vcpus[17].read(0x000c, Width::Word), 0x101);
    assert_eq!(v3.vcpus[0].read(0xffe8, Width::Word) & 0xf0, 0x30);
}

#[test]
fn a_redistributor_sleeps_until_it_is_woken() {
    let mut guest = Guest::booted(Version::V3, 1);
    assert_eq!(guest.vcpus[0].read(0x14, Width::Word), 0b110);
    guest.vcpus[0].write(0x14, Width::Word, 0);
    assert_eq!(guest.vcpus[0].read(0x14, Width::Word), 0);
}

#[test]
fn bits_are_set_and_cleared_by_pairs_of_registers() {
    for version in [Version::V2, Version::V3] {
        let mut guest = Guest::booted(version, 1);
        for (set, clear) in [(0x100, 0x180), (0x200, 0x280), (0x300, 0x380)] {
            guest.write_private(0, set, 0xf0f0_0000);
            guest.write_private(0, clear, 0x0ff0_0000);
            assert_eq!((guest.read_private(0, set), guest.read_private(0, clear)), (0xf000_0000, 0xf000_0000));
            assert_eq!(guest.write_shared(0, set + 8, Width::Word, 0b11), effect(1, 0b11));
            assert_eq!(guest.read_shared(0, clear + 8, Width::Word), 0b11);
            assert_eq!(guest.read_shared(0, clear + 4, Width::Word), 0);
        }
    }
}

fn effect(bank: usize, bits: u32) -> Effect {
    Effect::Shared(crate::vdev::gic::Lines { bank, bits })
}

#[test]
fn priorities_and_targets_are_bytes_or_words() {
    let mut guest = Guest::booted(Version::V2, 4);
    guest.write_shared(0, 0x424, Width::Word, 0x4433_2211);
    guest.write_shared(0, 0x425, Width::Byte, 0xff);
    assert_eq!(guest.read_shared(0, 0x424, Width::Word), 0x4030_f810, "five bits each");
    assert_eq!(guest.read_shared(0, 0x425, Width::Byte), 0xf8);
    guest.write_shared(0, 0x424, Width::Half, 0);
    assert_eq!(guest.read_shared(0, 0x424, Width::Word), 0x4030_f810);
    guest.write_shared(0, 0x820, Width::Word, 0x0804_0201);
    assert_eq!(guest.read_shared(0, 0x820, Width::Word), 0x0804_0201);
    guest.write_shared(0, 0x821, Width::Byte, 0x0c);
    assert_eq!(guest.read_shared(0, 0x821, Width::Byte), 0x04, "one of them");
    guest.write_shared(0, 0x822, Width::Byte, 0xf0);
    assert_eq!(guest.read_shared(0, 0x822, Width::Byte), 0, "vCPUs that are not there");
    assert_eq!(guest.read_shared(2, 0x800, Width::Word), 0x0404_0404, "who reads");
}

#[test]
fn sgis_are_edges_for_good() {
    for version in [Version::V2, Version::V3] {
        let mut guest = Guest::booted(version, 1);
        assert_eq!((guest.read_private(0, 0xc00), guest.read_private(0, 0xc04)), (0xaaaa_aaaa, 0));
        guest.write_private(0, 0xc00, 0);
        guest.write_private(0, 0xc04, u32::MAX);
        assert_eq!((guest.read_private(0, 0xc00), guest.read_private(0, 0xc04)), (0xaaaa_aaaa, 0xaaaa_aaaa));
        guest.write_shared(0, 0xc0c, Width::Word, 0x8000_0002);
        assert_eq!(guest.read_shared(0, 0xc0c, Width::Word), 0x8000_0002);
        assert_eq!(guest.read_shared(0, 0xc08, Width::Word), 0);
    }
}

#[test]
fn routers_hold_affinities_of_vcpus() {
    let mut guest = Guest::booted(Version::V3, 18);
    for (written, read) in [(0x101, 0x101), (0xf, 0xf), (0x102, 0), (0x1_0000, 0), (1 << 32, 0), (0x10, 0)] {
        guest.write_shared(0, 0x6000 + 8 * 95, Width::Double, written);
        assert_eq!(guest.read_shared(0, 0x6000 + 8 * 95, Width::Double), read, "{written:#x}");
    }
    guest.write_shared(0, 0x6000 + 8 * 96, Width::Double, 1);
    assert_eq!(guest.read_shared(0, 0x6000 + 8 * 96, Width::Double), 0, "no such interrupt");
}

#[test]
fn senders_of_a_gicv2_can_be_set_and_cleared() {
    let mut guest = Guest::booted(Version::V2, 4);
    guest.enable(1, 2);
    guest.write_shared(1, 0xf20, Width::Word, 0x0005_0000);
    assert_eq!(guest.read_shared(1, 0xf12, Width::Byte), 5);
    guest.write_shared(1, 0xf12, Width::Byte, 1);
    assert_eq!((guest.take(1), guest.sender), (Some(2), 2));
    guest.write_private(1, 0x200, 0xffff);
    guest.write_private(1, 0x280, 0xffff);
    assert_eq!(guest.read_private(1, 0x200), 0, "ISPENDR does not act on SGIs");
}

#[test]
fn nothing_anywhere_panics_and_what_is_not_there_reads_as_zero() {
    for (version, vcpus) in [(Version::V2, 8), (Version::V3, 20)] {
        let mut guest = Guest::booted(version, vcpus);
        let last = usize::from(vcpus) - 1;
        for offset in 0..0x2_0000 {
            for width in WIDTHS {
                for value in [0, u64::MAX] {
                    if guest.write_shared(last, offset, width, value) == Effect::All {
                        guest.switch_on();
                    }
                    guest.vcpus[last].write(offset, width, value);
                }
                guest.read_shared(last, offset, width);
                guest.vcpus[last].read(offset, width);
            }
        }
        assert_eq!(guest.read_shared(0, 0x10c, Width::Word), 0, "a bank behind the last one");
        guest.enable(last, 3);
        guest.vcpus[last].send(1 << 3, VcpuNumber::new(0));
        assert_eq!(guest.take(last), Some(3), "it works still");
        assert_eq!(VcpuNumber::from_affinity(0x1_0000), None);
    }
}
