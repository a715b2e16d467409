//! Each function, its arguments right and wrong, and all that are none.

use super::{AFFINITY_INFO_64, CPU_ON_32, CPU_ON_64, CPU_SUSPEND_64, Call, Caller, Code, Entry, FUNCTIONS, affinity};

const CALLER: Caller = Caller { vcpus: 18, memory: (0x4000_0000, 0x100_0000) };

fn answer(x: [u64; 4]) -> u64 {
    match CALLER.decode(x) {
        Call::Answer(value) => value,
        other => panic!("{other:?} is no answer"),
    }
}

#[test]
fn questions_are_answered() {
    assert_eq!(answer([0x8400_0000, 0, 0, 0]), 0x1_0001);
    assert_eq!(answer([0x8000_0000, 0, 0, 0]), 0x1_0001);
    assert_eq!(answer([0x8400_0006, 0, 0, 0]), 2);
    for function in FUNCTIONS {
        assert_eq!(answer([0x8400_000a, function.into(), 0, 0]), 0, "{function:#x}");
    }
    assert_eq!(answer([0x8400_000a, 0x8400_0005, 0, 0]), Code::NotSupported.bits(), "MIGRATE");
    assert_eq!(answer([0x8000_0001, 0x8000_0001, 0, 0]), 0);
    assert_eq!(answer([0x8000_0001, 0x8000_8000, 0, 0]), Code::NotSupported.bits(), "ARCH_WORKAROUND_1");
}

#[test]
fn numbers_above_are_ignored_and_what_is_no_function_is_refused() {
    assert_eq!(answer([0xffff_ffff_8400_0000, 0, 0, 0]), 0x1_0001);
    for function in [0, 0x8400_0005, 0x8400_0007, 0xc400_0002, 0xc400_0012, 0x8400_00ff, u32::MAX] {
        assert_eq!(answer([function.into(), 0, 0, 0]), u64::MAX, "{function:#x}");
    }
}

#[test]
fn a_vcpu_is_switched_on_where_it_exists_and_may_begin() {
    let on = |target, at, context| CALLER.decode([CPU_ON_64.into(), target, at, context]);
    assert_eq!(on(1, 0x4000_0000, u64::MAX), Call::On { vcpu: 1, entry: Entry { at: 0x4000_0000, context: u64::MAX } });
    assert_eq!(on(0x101, 0x40ff_fffc, 0), Call::On { vcpu: 17, entry: Entry { at: 0x40ff_fffc, context: 0 } });
    for nobody in [16, 0x102, 1 << 31, u64::MAX] {
        assert_eq!(on(nobody, 0x4000_0000, 0), Call::Answer(Code::InvalidParameters.bits()), "{nobody:#x}");
    }
    for nowhere in [0, 0x3fff_fffc, 0x4100_0000, 0x4000_0002, u64::MAX] {
        assert_eq!(on(1, nowhere, 0), Call::Answer(Code::InvalidAddress.bits()), "{nowhere:#x}");
    }
}

#[test]
fn narrow_arguments_are_the_lower_halves() {
    let call = CALLER.decode([CPU_ON_32.into(), 1 << 32 | 2, 0xf_4000_0000, u64::MAX]);
    assert_eq!(call, Call::On { vcpu: 2, entry: Entry { at: 0x4000_0000, context: 0xffff_ffff } });
}

#[test]
fn the_rest_is_for_whoever_carries_it_out() {
    let ask = |function: u32| CALLER.decode([function.into(), 3, 0, 0]);
    assert_eq!(ask(AFFINITY_INFO_64), Call::IsOn { vcpu: 3 });
    assert_eq!(CALLER.decode([AFFINITY_INFO_64.into(), 3, 1, 0]), Call::Answer(Code::InvalidParameters.bits()));
    assert_eq!(ask(CPU_SUSPEND_64), Call::Suspend);
    assert_eq!(ask(0x8400_0002), Call::Off);
    assert_eq!(ask(0x8400_0008), Call::SystemOff);
    assert_eq!(ask(0x8400_0009), Call::SystemReset);
}

#[test]
fn every_vcpu_has_an_affinity_of_its_own() {
    let all: std::collections::BTreeSet<_> = (0..512).map(affinity).collect();
    assert_eq!(all.len(), 512);
    assert_eq!(affinity(16), 0x100, "as the device tree has it");
}
