//! One board for each reason not to plan; the files under `tests/reject` pin the exact texts.

use paging::{Frame, PhysAddr, VirtAddr};

use super::boards::{arm64, bank, domain, reserved, x86_64};
use crate::model::{Board, DirectmapPolicy, Origin, Placement, Pools, ReservedKind};
use crate::plan::{Flavour, decide};

/// Changes a board and expects exactly one refusal: its code and a piece of its message and of its help.
fn check(mut board: Board, change: impl FnOnce(&mut Board), code: &str, message: &str, help: &str) {
    change(&mut board);
    let refusals = decide(&board, Flavour::Release).map(|_| ()).expect_err(code);
    let codes: Vec<_> = refusals.iter().map(|refusal| refusal.code.id).collect();
    assert_eq!(codes, [code], "{refusals:?}");
    assert!(refusals[0].message.contains(message), "{}", refusals[0].message);
    assert!(refusals[0].help.contains(help), "{}", refusals[0].help);
}

fn at(address: u64) -> Placement<PhysAddr> {
    Placement::At(PhysAddr::new(address), Origin::Line(50))
}

#[test]
fn a_load_address_that_is_taken() {
    let message = "[0x4800_0000..0x4820_0000) 2 MiB, both claim [0x4800_0000..";
    check(arm64(), |board| board.boot.load = at(0x4800_0000), "E0501", message, "load it at 0x4020_0000");
}

#[test]
fn a_load_address_outside_ram() {
    check(
        arm64(),
        |board| board.boot.load = at(0x9000_0000),
        "E0502",
        "the nearest is [0x4000_0000..0x8000_0000) 1 GiB",
        "load it at 0x4020_0000",
    );
    // The first byte is in RAM, the last is not.
    let grown = |board: &mut Board| {
        board.boot.load = at(0x7fe0_0000);
        board.layout.stack_bytes.value = 1 << 20;
    };
    check(arm64(), grown, "E0502", "0x7fe0_0000", "load it at 0x4020_0000");
}

#[test]
fn no_hole_for_the_image() {
    let change = |board: &mut Board| {
        board.memory.banks = vec![bank(0x4000_0000, 2 << 20)];
        board.domains.clear();
    };
    check(
        arm64(),
        change,
        "E0503",
        "no free 2 MiB aligned range",
        "the largest hole is [0x4000_0000..0x4020_0000) 2 MiB",
    );
}

#[test]
fn an_image_larger_than_its_window() {
    let change = |board: &mut Board| board.layout.release.text.value = 2 << 20;
    check(arm64(), change, "E0504", "the image window holds 2 MiB", "give text of the release image at most 1964 KiB");
}

#[test]
fn entry_code_in_the_image_window() {
    let change = |board: &mut Board| {
        board.memory.banks = vec![bank(0xa00_0000_0000, 1 << 30)];
        board.memory.reserved.clear();
        board.memory.pa_bits.value = 44;
    };
    check(arm64(), change, "E0505", "0x0a00_0020_0000", "base = 0x0a80_0020_0000");
}

#[test]
fn an_image_window_that_cannot_be() {
    let place =
        |base| move |board: &mut Board| board.layout.image_base = Placement::At(VirtAddr::new(base), Origin::Line(60));
    for base in [0x4020_0000, 0x0a00_0000_0000, 0x0a00_3fe0_0000, 0x0a00_0020_1000, 0x7f00_0020_0000] {
        check(arm64(), place(base), "E0506", "cannot start", "for example 0x0a00_0020_0000");
    }
    check(x86_64(), place(0xffff_ffff_0020_0000), "E0506", "cannot start", "from 0xffff_ffff_8000_0000 on");
}

#[test]
fn an_image_above_what_32_bits_reach() {
    let change = |board: &mut Board| {
        board.memory.banks.push(bank(1 << 32, 1 << 30));
        board.boot.load = at(1 << 32);
    };
    check(x86_64(), change, "E0507", "0x1_0000_0000", "load it at 0x0020_0000");
}

#[test]
fn a_trampoline_that_is_not_free() {
    let place = |number| Placement::At(Frame::new(number), Origin::Line(52));
    let change = |board: &mut Board| {
        board.memory.reserved.push(reserved("ebda", 0x9_e000, 0x1000, ReservedKind::Reserved));
        board.boot.trampoline = place(0x9e);
    };
    check(x86_64(), change, "E0508", "overlaps ebda", "use 0x0009_d000");
    check(
        x86_64(),
        |board| board.boot.trampoline = place(0x9f),
        "E0508",
        "the nearest is [0x0..0x9_f000) 636 KiB",
        "use 0x0009_e000",
    );
}

#[test]
fn no_frame_for_a_trampoline() {
    let change = |board: &mut Board| board.memory.banks = vec![bank(0x10_0000, 0x3fee_0000)];
    check(x86_64(), change, "E0509", "below 640 KiB", "other than frame 0");
}

#[test]
fn a_domain_outside_ram() {
    let change = |board: &mut Board| board.domains[0].memory_at = at(0x7f80_0000);
    check(arm64(), change, "E0601", "[0x7f80_0000..0x8080_0000) 16 MiB", "place it at 0x4020_0000");
}

#[test]
fn a_domain_on_something_else() {
    check(
        arm64(),
        |board| board.domains[0].memory_at = at(0x4780_0000),
        "E0602",
        "firmware-dtb",
        "place it at 0x4020_0000",
    );
    let twice = |board: &mut Board| {
        board.domains.push(domain("second", 16 << 20));
        board.domains[0].memory_at = at(0x5000_0000);
        board.domains[1].memory_at = at(0x5080_0000);
    };
    check(arm64(), twice, "E0602", "memory of domain second", "place it at 0x4020_0000");
    let hypervisor = |board: &mut Board| {
        board.domains[0].memory_at = at(0x5000_0000);
        board.boot.load = at(0x5020_0000);
    };
    check(arm64(), hypervisor, "E0501", "memory of domain payload", "load it at 0x4020_0000");
}

#[test]
fn no_hole_for_a_domain() {
    let change = |board: &mut Board| board.domains[0].memory_bytes = 1000 << 20;
    check(arm64(), change, "E0603", "1000 MiB of domain payload", "give it at most 894 MiB");
}

#[test]
fn ram_beyond_the_directmap_window() {
    let change = |board: &mut Board| {
        board.directmap.value = DirectmapPolicy::OnDemand;
        board.memory.pa_bits.value = 48;
        board.memory.banks.push(bank(1 << 47, 1 << 30));
    };
    check(arm64(), change, "E0604", "128 TiB", "`policy = \"none\"`");
}

#[test]
fn ram_whose_end_is_the_end_of_what_entries_name() {
    let change = |board: &mut Board| {
        board.memory.pa_bits.value = 48;
        board.memory.banks = vec![bank((1 << 48) - (4 << 20), 4 << 20)];
        board.domains.clear();
    };
    check(arm64(), change, "E0503", "no free 2 MiB aligned range", "the largest hole is");
}

#[test]
fn windows_larger_than_a_root_entry() {
    let change = |board: &mut Board| board.layout.heap_bytes.value = 512 << 30;
    check(arm64(), change, "E0605", "512 GiB", "shrink layout.heap.size");
    let change = |board: &mut Board| {
        board.memory.pa_bits.value = 48;
        board.memory.banks.push(bank((1 << 48) - (1 << 30), 1 << 30));
    };
    check(arm64(), change, "E0605", "of addresses", "furthest apart");
}

#[test]
fn fixed_pools_beyond_ram() {
    let change = |board: &mut Board| board.heap.pools.value = Pools::Fixed(1 << 30);
    check(arm64(), change, "E0606", "1 GiB", "at most 100");
}

#[test]
fn a_domain_of_more_tables_than_a_pool_holds() {
    let sized = |bytes: u64| {
        move |board: &mut Board| {
            board.memory.pa_bits.value = 48;
            board.memory.banks = vec![bank(0x4000_0000, 40 << 40)];
            board.domains[0].memory_bytes = bytes;
        }
    };
    check(arm64(), sized(2 << 40), "E0608", "2048", "at most 1 TiB");
    let mut board = arm64();
    sized(1 << 40)(&mut board);
    assert!(decide(&board, Flavour::Release).is_ok());
}
