//! What the payload asks of the machine: hypercalls, its exception level, bytes at an address.
//!
//! The only file that leaves safe Rust, `mmu` apart.

// UNSAFETY: entry code, hypercalls, the device tree's bytes.
#![expect(unsafe_code, reason = "hypercalls are instructions")]

use core::arch::{asm, global_asm};
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

/// PSCI functions. Arm DEN 0022, by name.
const SYSTEM_OFF: u64 = 0x8400_0008;
const SYSTEM_RESET: u64 = 0x8400_0009;
const CPU_OFF: u64 = 0x8400_0002;
const CPU_ON: u64 = 0xc400_0003;
const AFFINITY_INFO: u64 = 0xc400_0004;
/// `console_io` and its operation "write". Xen public headers, `xen.h`.
const CONSOLE_IO: u64 = 18;
const CONSOLE_WRITE: u64 = 0;
/// `xen_version` and its operation "extraversion", which writes this many bytes. Xen public headers, `version.h`.
const XEN_VERSION: u64 = 17;
const EXTRA_VERSION: u64 = 1;
const EXTRA_VERSION_BYTES: usize = 16;
/// Bytes of a device tree header. Devicetree Specification, "Header".
const HEADER_BYTES: usize = 40;
/// The domain's device tree has at most this many bytes.
const TREE_MAX_BYTES: usize = 64 * 1024;

global_asm!(
    ".section .entry, \"ax\"",
    ".globl _start",
    "_start:",
    // First of all, so that it says when the guest was entered; no load or store comes before the stack.
    "mrs x4, cntpct_el0",
    "adrp x1, __stack_top",
    "add x1, x1, :lo12:__stack_top",
    "mov sp, x1",
    "adrp x2, __bss_start",
    "add x2, x2, :lo12:__bss_start",
    "adrp x3, __bss_end",
    "add x3, x3, :lo12:__bss_end",
    "1: cmp x2, x3",
    "b.hs 2f",
    "stp xzr, xzr, [x2], #16",
    "b 1b",
    "2: mov x1, x4",
    "bl {main}",
    main = sym crate::main,
);

/// The console, a line at a time.
pub(crate) struct Console {
    line: [u8; 128],
    used: usize,
}

impl Default for Console {
    fn default() -> Self {
        Self { line: [0; 128], used: 0 }
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.line[self.used] = byte;
            self.used += 1;
            if byte == b'\n' || self.used == self.line.len() {
                let line = self.line;
                let sent = write(&line[..self.used]);
                self.used = 0;
                sent?;
            }
        }
        Ok(())
    }
}

/// The UART that lines go to; 0 for hypercalls. PL011 (DDI 0183), UARTDR at 0, UARTFR at 0x18, TXFF bit 5.
static UART: AtomicU64 = AtomicU64::new(0);
const UART_FLAGS: u64 = 0x18;
const UART_FULL: u32 = 1 << 5;

/// Prints on this UART from now on, or through hypercalls.
pub(crate) fn print_on(uart: Option<u64>) {
    UART.store(uart.unwrap_or(0), Ordering::Relaxed);
}

/// The flags of the UART, if there is one.
pub(crate) fn uart_flags() -> Option<u32> {
    let uart = UART.load(Ordering::Relaxed);
    (uart != 0).then(|| {
        let at = core::ptr::with_exposed_provenance::<u32>((uart + UART_FLAGS) as usize);
        // SAFETY: the device tree says that a PL011's registers are there.
        unsafe { at.read_volatile() }
    })
}

fn send(byte: u8) {
    while uart_flags().is_some_and(|flags| flags & UART_FULL != 0) {}
    let at = core::ptr::with_exposed_provenance_mut::<u32>(UART.load(Ordering::Relaxed) as usize);
    // SAFETY: as above.
    unsafe { at.write_volatile(u32::from(byte)) }
}

fn write(bytes: &[u8]) -> fmt::Result {
    if UART.load(Ordering::Relaxed) != 0 {
        bytes.iter().for_each(|byte| send(*byte));
        return Ok(());
    }
    let at = bytes.as_ptr().expose_provenance();
    match hypercall(CONSOLE_IO, [CONSOLE_WRITE, bytes.len() as u64, at as u64]) {
        0 => Ok(()),
        _ => Err(fmt::Error),
    }
}

/// A call of the Xen ABI: number in x16, arguments and answer from x0. Structures are passed by address, and are the
/// callee's to change until it returns.
pub(crate) fn hypercall(number: u64, arguments: [u64; 3]) -> i64 {
    let [first, second, third] = arguments;
    let answer: i64;
    // SAFETY: the hypervisor reads and writes structures whose addresses were exposed, and changes x0 alone.
    unsafe {
        asm!("hvc #0xea1", in("x16") number, inlateout("x0") first => answer, in("x1") second, in("x2") third,
            options(nostack));
    }
    answer
}

/// Reads the aligned word at an address of the guest's that is mapped by grant.
pub(crate) fn granted_word(at: u64) -> u64 {
    let at = core::ptr::with_exposed_provenance::<u64>(at as usize);
    // SAFETY: the caller has mapped a granted page there, inside the gigabyte that `mmu::enable` maps.
    unsafe { at.read_volatile() }
}

/// Has the hypervisor write its version's suffix into `buffer`; what it answers does not matter here.
pub(crate) fn extra_version(buffer: &mut [u8]) {
    if buffer.len() < EXTRA_VERSION_BYTES {
        return;
    }
    hypercall(XEN_VERSION, [EXTRA_VERSION, buffer.as_mut_ptr().expose_provenance() as u64, 0]);
}

/// A page of the guest's memory, which nothing else of it uses.
pub(crate) fn page(address: u64) -> &'static mut [u8; 4096] {
    let start = core::ptr::with_exposed_provenance_mut::<[u8; 4096]>(usize::try_from(address).unwrap_or(0));
    // SAFETY: the audit asks for pages above the program and below the device tree, one at a time, on the one CPU of
    // this guest; any bytes are an array of them.
    unsafe { &mut *start }
}

/// Does nothing for a while.
pub(crate) fn spin(steps: u32) {
    for _ in 0..steps {
        core::hint::spin_loop();
    }
}

/// The generic timer's virtual counter. Arm ARM (DDI 0487), CNTVCT_EL0.
pub(crate) fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: reads a register that every exception level but EL0 may read.
    unsafe { asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) }
    ticks
}

/// How far the virtual counter is behind the physical one: CNTVOFF_EL2, which no guest can read.
pub(crate) fn virtual_time_began() -> i64 {
    let (virt, phys): (u64, u64);
    // SAFETY: reads registers that every exception level but EL0 may read.
    unsafe {
        asm!("isb", "mrs {virt}, cntvct_el0", "mrs {phys}, cntpct_el0", virt = out(reg) virt, phys = out(reg) phys,
            options(nomem, nostack));
    }
    phys.wrapping_sub(virt).cast_signed()
}

fn psci(function: u64, arguments: [u64; 3]) -> u64 {
    let result: u64;
    // SAFETY: a call by the SMC calling convention, which changes x0 to x17 at most; another processor may begin to use
    // memory, so that the compiler takes all of it as changed.
    unsafe {
        asm!("hvc #0", inlateout("x0") function => result, inlateout("x1") arguments[0] => _,
            inlateout("x2") arguments[1] => _, inlateout("x3") arguments[2] => _, clobber_abi("C"), options(nostack));
    }
    result
}

/// Switches processor `number` on at `entry`, with its number in x0; says whether there is one.
pub(crate) fn cpu_on(number: u64, entry: u64) -> bool {
    psci(CPU_ON, [number, entry, number]) == 0
}

/// Whether processor `number` is off.
pub(crate) fn is_off(number: u64) -> bool {
    psci(AFFINITY_INFO, [number, 0, 0]) == 1
}

/// Switches the calling processor off.
pub(crate) fn cpu_off() -> ! {
    loop {
        psci(CPU_OFF, [0; 3]);
    }
}

/// Reboots the domain.
pub(crate) fn reset() -> ! {
    loop {
        psci(SYSTEM_RESET, [0; 3]);
    }
}

/// Switches the domain off.
pub(crate) fn power_off() -> ! {
    loop {
        // SAFETY: a PSCI call by the SMC calling convention; SYSTEM_OFF does not return.
        unsafe { asm!("hvc #0", in("x0") SYSTEM_OFF, options(nostack)) }
    }
}

/// Ticks of the generic timer in a second, as firmware says. Arm ARM (DDI 0487), CNTFRQ_EL0.
pub(crate) fn ticks_hz() -> u64 {
    let ticks_hz: u64;
    // SAFETY: reads a register that every exception level but EL0 may read.
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) ticks_hz, options(nomem, nostack)) }
    ticks_hz
}

/// CurrentEL.EL, bits [3:2]. Arm ARM (DDI 0487), CurrentEL.
pub(crate) fn exception_level() -> u64 {
    let level: u64;
    // SAFETY: reads a register that every exception level but EL0 may read.
    unsafe { asm!("mrs {}, CurrentEL", out(reg) level, options(nomem, nostack)) }
    level >> 2
}

/// The bytes of the device tree at `address`, as many as its header says.
pub(crate) fn device_tree(address: u64) -> Option<&'static [u8]> {
    let start = core::ptr::with_exposed_provenance::<u8>(usize::try_from(address).ok()?);
    if start.is_null() || !start.cast::<u64>().is_aligned() {
        return None;
    }
    // SAFETY: the hypervisor passes the address of a device tree in the domain's own memory, which nobody writes;
    // a header is the least it has.
    let header = unsafe { core::slice::from_raw_parts(start, HEADER_BYTES) };
    let bytes = usize::try_from(crate::tree::word(header, 4)?).ok()?;
    if crate::tree::word(header, 0)? != crate::tree::MAGIC || !(HEADER_BYTES..=TREE_MAX_BYTES).contains(&bytes) {
        return None;
    }
    // SAFETY: the header gives the length of the whole tree, which lies in the same memory.
    Some(unsafe { core::slice::from_raw_parts(start, bytes) })
}
