//! What has to be decided before the MMU is on: is this the right exception level, may the image move itself.
//!
//! Runs at whatever address the image was loaded, so it must not use absolute pointers: no formatting, no tables of
//! strings or slices, no panics; values of the plan as constants, text by number. Memory is Device, so nothing is
//! unaligned. Writes nothing but its stack and the console.

// UNSAFETY: reads what the boot loader left, at its physical address.
#![expect(unsafe_code, reason = "physical memory with the MMU off")]

use aarch64_cpu::asm;

use super::power;
use crate::board::types::{ConsolePlace, Flag, Origin, Register, Width};
use crate::board::{BLOBS, BOOT, CONSOLE, CPU_FRAMES, MANIFEST, PLATFORM, PRIVATE};
use crate::fdt::{Fact, HEADER_BYTES, Header, Range, Scan};

/// The early stack: where the boot CPU's own will be, relative to the image, wherever that is. The boot loader keeps
/// the whole footprint free (image_size in the header).
pub(super) const STACK_OFFSET: u64 = CPU_FRAMES[0].stack.address().get() - BOOT.load.get();

/// The file and line of `boot.load` and of `boot.entry-el`. The names are statics of bytes: a constant string would be
/// a pointer in memory, which holds the address that the image was linked for.
const LOAD_AT: (&str, u32) = place(BOOT.load_from);
const ENTRY_EL_AT: (&str, u32) = place(BOOT.entry_el_from);
static LOAD_FILE: [u8; LOAD_AT.0.len()] = bytes(LOAD_AT.0);
static ENTRY_EL_FILE: [u8; ENTRY_EL_AT.0.len()] = bytes(ENTRY_EL_AT.0);

const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut copy = [0; N];
    let mut at = 0;
    while at < N {
        copy[at] = text.as_bytes()[at];
        at += 1;
    }
    copy
}

const fn place(from: Origin) -> (&'static str, u32) {
    match from {
        Origin::Line(line) => (PLATFORM.file, line),
        Origin::BaseLine(line) => (PLATFORM.base_file, line),
        Origin::Default => (PLATFORM.file, 0),
    }
}

/// Why the image stays where it was loaded. The discriminants number [`REFUSALS`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Refusal {
    NoTree,
    BadTree,
    NotRam,
    Reserved,
    Tree,
    Blob,
}

/// One text for all reasons, in the order of [`Refusal`], so that none is reached through a pointer in memory.
static REFUSALS: [u8; REFUSAL_TEXT.len()] = bytes(REFUSAL_TEXT);
const REFUSAL_TEXT: &str = "no device tree says what is RAM there\n\
    the device tree contradicts itself\n\
    the device tree has no RAM there\n\
    the device tree reserves a part of it\n\
    the device tree itself lies there\n\
    a blob lies where the image works before it moves\n";

/// The console's writes, for the same reason: the first ones, and those around each byte.
static INIT: [(Register, u32); CONSOLE.init.len()] = writes(CONSOLE.init);
static BEFORE: [(Register, u32); CONSOLE.before.len()] = writes(CONSOLE.before);
static AFTER: [(Register, u32); CONSOLE.after.len()] = writes(CONSOLE.after);

const fn writes<const N: usize>(list: &[(Register, u32)]) -> [(Register, u32); N] {
    let mut copy = [(CONSOLE.tx, 0); N];
    let mut at = 0;
    while at < N {
        copy[at] = list[at];
        at += 1;
    }
    copy
}

/// Entered at another level than EL2.
pub(super) extern "C" fn wrong_level(level: u64) -> ! {
    open();
    text(b"tabula: entered at EL");
    decimal(level);
    text(b", boot.entry-el says ");
    decimal(u64::from(BOOT.entry_el));
    at(&ENTRY_EL_FILE, ENTRY_EL_AT.1);
    text(b"\r\n");
    asm_park()
}

/// Whether the image at `source` may be copied to its planned place: the bytes to copy, or a message and the end.
pub(super) extern "C" fn may_move(source: u64, tree: u64) -> u64 {
    match check(source, tree) {
        Ok(bytes) => bytes,
        Err(reason) => {
            open();
            text(b"tabula: loaded at ");
            hexadecimal(source);
            text(b", boot.load is ");
            hexadecimal(BOOT.load.get());
            at(&LOAD_FILE, LOAD_AT.1);
            text(b": ");
            refusal(reason);
            text(b"\r\n");
            power::firmware_off();
            asm_park()
        }
    }
}

fn check(source: u64, tree: u64) -> Result<u64, Refusal> {
    let stack = Range { base: source + STACK_OFFSET, bytes: PRIVATE.stack_bytes };
    let manifest = Range { base: MANIFEST.frame.address().get(), bytes: paging::PAGE_BYTES };
    let blob_meets =
        |blob: &crate::board::types::Blob| meet(stack, Range { base: blob.base.get(), bytes: blob.max_bytes });
    if meet(stack, manifest) || BLOBS.iter().any(blob_meets) {
        return Err(Refusal::Blob);
    }
    let wanted = Range { base: BOOT.load.get(), bytes: BOOT.footprint_bytes };
    check_tree(tree, wanted)?;
    Ok(image_bytes().next_multiple_of(16))
}

fn check_tree(tree: u64, wanted: Range) -> Result<(), Refusal> {
    if tree == 0 || tree % 8 != 0 {
        return Err(Refusal::NoTree);
    }
    let header = Header::parse(physical(tree, HEADER_BYTES as u64));
    let Ok(header) = header else { return Err(Refusal::NoTree) };
    if meet(wanted, Range { base: tree, bytes: u64::from(header.total_bytes) }) {
        return Err(Refusal::Tree);
    }
    let mut ram = false;
    let mut reserved = false;
    for fact in Scan::new(physical(tree, header.used_bytes())).map_err(|_| Refusal::BadTree)? {
        match fact {
            Ok(Fact::Ram(range)) => ram |= holds(range, wanted),
            Ok(Fact::Reserved(range)) => reserved |= meet(range, wanted),
            Ok(Fact::Cpu | Fact::CommandLine(_)) => {}
            Err(_) => return Err(Refusal::BadTree),
        }
    }
    if !ram {
        Err(Refusal::NotRam)
    } else if reserved {
        Err(Refusal::Reserved)
    } else {
        Ok(())
    }
}

fn meet(one: Range, other: Range) -> bool {
    one.base < other.base.saturating_add(other.bytes) && other.base < one.base.saturating_add(one.bytes)
}

fn holds(outer: Range, inner: Range) -> bool {
    outer.base <= inner.base
        && inner.base - outer.base <= outer.bytes
        && inner.bytes <= outer.bytes - (inner.base - outer.base)
}

/// What the boot loader left, as bytes.
fn physical(at: u64, bytes: u64) -> &'static [u8] {
    // SAFETY: the MMU is off, so every physical address can be read; the boot protocol says the tree is in RAM at this
    // address, and nobody writes it before the MMU is on. Its length was read from its header.
    unsafe { core::slice::from_raw_parts(at as *const u8, bytes as usize) }
}

/// Length of the image as a file: everything up to `.bss`.
fn image_bytes() -> u64 {
    unsafe extern "C" {
        static _start: u8;
        static __bss_start: u8;
    }
    (&raw const __bss_start) as u64 - (&raw const _start) as u64
}

fn asm_park() -> ! {
    loop {
        asm::wfe();
    }
}

/// Prints the line of [`REFUSALS`] with the reason's number.
fn refusal(reason: Refusal) {
    let mut line = 0;
    for byte in &REFUSALS {
        if *byte == b'\n' {
            line += 1;
        } else if line == reason as u8 {
            put(*byte);
        }
    }
}

fn at(file: &[u8], line: u32) {
    text(b" (");
    text(file);
    if line != 0 {
        put(b':');
        decimal(u64::from(line));
    }
    put(b')');
}

fn text(bytes: &[u8]) {
    for byte in bytes {
        put(*byte);
    }
}

fn decimal(value: u64) {
    let mut unit = 1;
    while value / unit >= 10 {
        unit *= 10;
    }
    while unit > 0 {
        put(b'0' + (value / unit % 10) as u8);
        unit /= 10;
    }
}

fn hexadecimal(value: u64) {
    text(b"0x");
    let digits = (u64::BITS - value.leading_zeros()).div_ceil(16).max(1) * 4;
    for digit in (0..digits).rev() {
        let nibble = (value >> (digit * 4) & 0xf) as u8;
        put(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        if digit % 4 == 0 && digit > 0 {
            put(b'_');
        }
    }
}

/// The console's first writes.
fn open() {
    write_all(&INIT);
}

fn put(byte: u8) {
    if let Some(idle) = const { CONSOLE.idle } {
        wait(idle);
    }
    write_all(&BEFORE);
    wait(const { CONSOLE.ready });
    write(CONSOLE.tx, u32::from(byte));
    write_all(&AFTER);
}

fn wait(flag: Flag) {
    for _ in 0..1_000_000 {
        if flag.holds(read(flag.register)) {
            break;
        }
    }
}

fn write_all(list: &[(Register, u32)]) {
    for (register, value) in list {
        write(*register, *value);
    }
}

/// The console's base, where it has one.
const fn base() -> Option<u64> {
    match CONSOLE.place {
        ConsolePlace::Mmio { physical, .. } => Some(physical.get()),
        ConsolePlace::Port(_) | ConsolePlace::None => None,
    }
}

fn read(register: Register) -> u32 {
    let Some(base) = (const { base() }) else { return CONSOLE.ready.value };
    let at = base + register.offset as u64;
    // SAFETY: with the MMU off, physical addresses are Device memory; the plan says that the console is here.
    unsafe {
        match register.width {
            Width::Byte => (at as *const u8).read_volatile() as u32,
            Width::Half => (at as *const u16).read_volatile() as u32,
            Width::Word => (at as *const u32).read_volatile(),
        }
    }
}

fn write(register: Register, value: u32) {
    let Some(base) = (const { base() }) else { return };
    let at = base + register.offset as u64;
    // SAFETY: as `read`; the registers named in the plan transmit a byte or switch the transmitter on.
    unsafe {
        match register.width {
            Width::Byte => (at as *mut u8).write_volatile(value as u8),
            Width::Half => (at as *mut u16).write_volatile(value as u16),
            Width::Word => (at as *mut u32).write_volatile(value),
        }
    }
}
