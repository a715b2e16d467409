//! A TCG plugin that counts executed instructions by address range.
//!
//! Arguments: `out=FILE`; any number of `range=NAME:FIRST:END` (hexadecimal, half-open, first match counts); any number
//! of `call=NAME:ADDRESS`, which counts how often ADDRESS is executed; `kinds=aarch64` or `kinds=x86_64`, which counts
//! barriers and invalidations by kind; `stop=ADDRESS:NAME`: the first execution of ADDRESS after range NAME has run
//! takes a snapshot; `lap=ADDRESS`: each execution of ADDRESS takes one; `cpu=NUMBER`: what other CPUs execute is not
//! counted. The file gets one line a snapshot, `stop`,
//! `lap` or `exit`, followed by `NAME=COUNT` pairs and `other=COUNT`. It never changes what the guest does. Counts are
//! exact under `-icount`, which runs all CPUs on one thread.

// UNSAFETY: implements the emulator's plugin interface.
#![expect(unsafe_code, reason = "foreign interface of the emulator")]

mod kinds;
mod qemu;

use core::ffi::{c_char, c_int, c_uint, c_void};
use kinds::{Kind, Machine};
use qemu::{Instruction, PluginId, TranslationBlock};
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

struct Range {
    name: String,
    first: u64,
    end: u64,
    executed: AtomicU64,
}

/// An address whose executions are counted.
struct Call {
    name: String,
    address: u64,
    executed: AtomicU64,
}

struct Stop {
    address: u64,
    /// Index of the range that must have run before: low addresses are the image's own until then.
    after: usize,
}

struct Counter {
    ranges: Vec<Range>,
    other: AtomicU64,
    calls: Vec<Call>,
    machine: Option<Machine>,
    kinds: [AtomicU64; Kind::ALL.len()],
    stop: Option<Stop>,
    stopped: AtomicBool,
    lap: Option<u64>,
    cpu: Option<c_uint>,
    out: String,
}

static COUNTER: OnceLock<Counter> = OnceLock::new();

impl Counter {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut counter = Counter {
            ranges: Vec::new(),
            other: AtomicU64::new(0),
            calls: Vec::new(),
            machine: None,
            kinds: [const { AtomicU64::new(0) }; Kind::ALL.len()],
            stop: None,
            stopped: AtomicBool::new(false),
            lap: None,
            cpu: None,
            out: String::new(),
        };
        for argument in arguments {
            let (key, value) = argument.split_once('=').ok_or_else(|| format!("`{argument}`: no `=`"))?;
            match key {
                "out" => counter.out = value.to_owned(),
                "range" => counter.ranges.push(range(value)?),
                "call" => counter.calls.push(call(value)?),
                "kinds" => counter.machine = Some(Machine::named(value)?),
                "cpu" => counter.cpu = Some(number(value)?),
                "lap" => counter.lap = Some(hexadecimal(value)?),
                "stop" => counter.stop = Some(counter.stop_at(value)?),
                _ => return Err(format!("unknown argument `{key}`")),
            }
        }
        Ok(counter)
    }

    fn stop_at(&self, value: &str) -> Result<Stop, String> {
        let (address, name) = value.split_once(':').ok_or_else(|| format!("stop `{value}`: no range"))?;
        let after = self.ranges.iter().position(|range| range.name == name);
        Ok(Stop {
            address: hexadecimal(address)?,
            after: after.ok_or_else(|| format!("stop: no range `{name}` before it"))?,
        })
    }

    fn cell(&self, address: u64) -> &AtomicU64 {
        let range = self.ranges.iter().find(|range| (range.first..range.end).contains(&address));
        range.map_or(&self.other, |range| &range.executed)
    }

    fn report(&self, phase: &str) {
        let mut line = phase.to_owned();
        for range in &self.ranges {
            line += &format!(" {}={}", range.name, range.executed.load(Ordering::Relaxed));
        }
        for call in &self.calls {
            line += &format!(" {}={}", call.name, call.executed.load(Ordering::Relaxed));
        }
        if self.machine.is_some() {
            for (kind, executed) in Kind::ALL.iter().zip(&self.kinds) {
                line += &format!(" {}={}", kind.word(), executed.load(Ordering::Relaxed));
            }
        }
        line += &format!(" other={}\n", self.other.load(Ordering::Relaxed));
        let file = OpenOptions::new().create(true).append(true).open(&self.out);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("instruction-count: {}: {error}", self.out);
        }
    }
}

fn range(value: &str) -> Result<Range, String> {
    let mut parts = value.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(first), Some(end), None) => Ok(Range {
            name: name.to_owned(),
            first: hexadecimal(first)?,
            end: hexadecimal(end)?,
            executed: AtomicU64::new(0),
        }),
        _ => Err(format!("range `{value}` is not NAME:FIRST:END")),
    }
}

fn call(value: &str) -> Result<Call, String> {
    let (name, address) = value.split_once(':').ok_or_else(|| format!("call `{value}` is not NAME:ADDRESS"))?;
    Ok(Call { name: name.to_owned(), address: hexadecimal(address)?, executed: AtomicU64::new(0) })
}

fn number(text: &str) -> Result<c_uint, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

fn hexadecimal(text: &str) -> Result<u64, String> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).map_err(|error| format!("`{text}`: {error}"))
}

extern "C" fn translated(_id: PluginId, block: *mut TranslationBlock) {
    let Some(counter) = COUNTER.get() else { return };
    // SAFETY: QEMU passes the block it is translating and keeps it alive during this callback.
    let instructions = unsafe { qemu::qemu_plugin_tb_n_insns(block) };
    for index in 0..instructions {
        // SAFETY: `index` is below the count QEMU gave for this very block.
        let instruction = unsafe { qemu::qemu_plugin_tb_get_insn(block, index) };
        count(counter, instruction);
    }
}

fn count(counter: &'static Counter, instruction: *mut Instruction) {
    // SAFETY: `instruction` came from QEMU in the running callback.
    let address = unsafe { qemu::qemu_plugin_insn_vaddr(instruction) };
    if counter.stop.as_ref().is_some_and(|stop| stop.address == address) {
        call_before(instruction, reached, core::ptr::null_mut());
    }
    if counter.lap == Some(address) {
        call_before(instruction, lapped, core::ptr::null_mut());
    }
    add_before(counter, instruction, counter.cell(address));
    for call in counter.calls.iter().filter(|call| call.address == address) {
        add_before(counter, instruction, &call.executed);
    }
    // SAFETY: `instruction` came from QEMU in the running callback.
    let kind = counter.machine.and_then(|machine| Kind::of(machine, &unsafe { qemu::bytes(instruction) }));
    if let Some(kind) = kind {
        add_before(counter, instruction, &counter.kinds[kind as usize]);
    }
}

/// Has QEMU call `callback` with `data` before each execution of an instruction that it is translating.
fn call_before(instruction: *mut Instruction, callback: extern "C" fn(c_uint, *mut c_void), data: *mut c_void) {
    // SAFETY: `instruction` is being translated (caller); QEMU copies both pointers and looks at neither.
    unsafe {
        qemu::qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, qemu::CALLBACK_NO_REGISTERS, data);
    }
}

/// Has each execution of an instruction that QEMU is translating counted.
fn add_before(counter: &'static Counter, instruction: *mut Instruction, cell: &'static AtomicU64) {
    let cell = cell.as_ptr().cast::<c_void>();
    if counter.cpu.is_some() {
        return call_before(instruction, executed, cell);
    }
    // SAFETY: the cell lies in `COUNTER`, which is never dropped, so translated code may add to it for ever.
    unsafe {
        qemu::qemu_plugin_register_vcpu_insn_exec_inline(instruction, qemu::INLINE_ADD_U64, cell, 1);
    }
}

extern "C" fn executed(vcpu: c_uint, cell: *mut c_void) {
    if COUNTER.get().is_some_and(|counter| counter.cpu == Some(vcpu)) {
        // SAFETY: `add_before` passes cells of `COUNTER`, which is never dropped, and nothing else.
        let cell = unsafe { AtomicU64::from_ptr(cell.cast()) };
        cell.fetch_add(1, Ordering::Relaxed);
    }
}

extern "C" fn reached(_vcpu: c_uint, _data: *mut c_void) {
    let Some(counter) = COUNTER.get() else { return };
    let Some(stop) = &counter.stop else { return };
    let armed = counter.ranges[stop.after].executed.load(Ordering::Relaxed) > 0;
    if armed && !counter.stopped.swap(true, Ordering::Relaxed) {
        counter.report("stop");
    }
}

extern "C" fn lapped(_vcpu: c_uint, _data: *mut c_void) {
    if let Some(counter) = COUNTER.get() {
        counter.report("lap");
    }
}

extern "C" fn exited(_id: PluginId, _data: *mut c_void) {
    if let Some(counter) = COUNTER.get() {
        counter.report("exit");
    }
}

/// Called once by the emulator; a value other than 0 refuses to start.
///
/// # Safety
///
/// - Only QEMU calls it, with `argv` holding `argc` NUL-terminated strings (plugin interface, install function).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: PluginId,
    _info: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the contract of this function is the contract of `arguments`.
    let arguments = unsafe { qemu::arguments(argc, argv) };
    let installed =
        Counter::parse(&arguments).and_then(|counter| COUNTER.set(counter).map_err(|_| "installed twice".to_owned()));
    if let Err(error) = installed {
        eprintln!("instruction-count: {error}");
        return 1;
    }
    // SAFETY: `id` is the one QEMU gave; both callbacks live as long as the library.
    unsafe { qemu::qemu_plugin_register_vcpu_tb_trans_cb(id, translated) };
    // SAFETY: as above.
    unsafe { qemu::qemu_plugin_register_atexit_cb(id, exited, core::ptr::null_mut()) };
    0
}
