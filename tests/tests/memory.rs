//! Memory that reading, checking, planning and rendering need: less than 100 MiB for every board, and for one larger than
//! any.
//!
//! A program of its own: the kernel counts what a process has used at most (proc(5), VmHWM), other tests' share too.

use std::path::Path;

use codegen::plan::Flavour;

/// Most that may be used, KiB.
const MOST_KIB: u64 = 100 << 10;

/// What this process has used at most, KiB.
fn most_used_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("tests run on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("proc(5) has VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}

#[test]
fn every_board_and_a_larger_one_need_less_than_100_mib() {
    let mut files = tests::fixtures("../platforms", "toml");
    files.extend(tests::fixtures("accept", "toml"));
    let large = tests::large::board(1024, 64);
    let read = |path: &Path| match path == Path::new("large.toml") {
        true => Ok(large.clone().into_bytes()),
        false => std::fs::read(path),
    };
    files.push("large.toml".into());
    let empty = most_used_kib();
    for file in &files {
        let (board, _) = codegen::load_with(file, &read).expect("it is accepted");
        for flavour in Flavour::ALL {
            let plan = codegen::plan(&board, flavour).expect("it is accepted");
            codegen::render(&plan).expect("it renders");
        }
    }
    let used = most_used_kib();
    println!(
        "figure: {} boards load, plan and render in {used} KiB, {empty} KiB of them before the first one; 102,400 at most",
        files.len()
    );
    // Control: the count follows what is used.
    assert!(used > empty && used < MOST_KIB, "{used} KiB");
    drop(std::hint::black_box(vec![1_u8; (MOST_KIB as usize) << 10]));
    assert!(most_used_kib() > MOST_KIB);
}
