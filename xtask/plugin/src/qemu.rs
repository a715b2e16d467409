//! The declarations of QEMU's plugin interface, version 1, that the counter uses.
//!
//! Nothing here decides anything. Names and shapes: QEMU documentation, "QEMU TCG Plugins", API section.

// UNSAFETY: declares functions that the emulator provides.
#![expect(unsafe_code, reason = "foreign interface of the emulator")]

use core::ffi::{c_char, c_int, c_uint, c_void};

/// Opaque: a translation block while it is being translated.
#[repr(C)]
pub(crate) struct TranslationBlock {
    _opaque: [u8; 0],
}

/// Opaque: one instruction of a block while it is being translated.
#[repr(C)]
pub(crate) struct Instruction {
    _opaque: [u8; 0],
}

/// Identifies the plugin to the emulator.
pub(crate) type PluginId = u64;

/// `QEMU_PLUGIN_INLINE_ADD_U64` of `enum qemu_plugin_op`.
pub(crate) const INLINE_ADD_U64: c_uint = 0;

/// `QEMU_PLUGIN_CB_NO_REGS` of `enum qemu_plugin_cb_flags`.
pub(crate) const CALLBACK_NO_REGISTERS: c_uint = 0;

unsafe extern "C" {
    pub(crate) fn qemu_plugin_register_vcpu_tb_trans_cb(
        id: PluginId,
        callback: extern "C" fn(PluginId, *mut TranslationBlock),
    );
    pub(crate) fn qemu_plugin_tb_n_insns(block: *const TranslationBlock) -> usize;
    pub(crate) fn qemu_plugin_tb_get_insn(block: *const TranslationBlock, index: usize) -> *mut Instruction;
    pub(crate) fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    fn qemu_plugin_insn_data(instruction: *const Instruction) -> *const u8;
    fn qemu_plugin_insn_size(instruction: *const Instruction) -> usize;
    pub(crate) fn qemu_plugin_register_vcpu_insn_exec_inline(
        instruction: *mut Instruction,
        operation: c_uint,
        counter: *mut c_void,
        addend: u64,
    );
    pub(crate) fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        callback: extern "C" fn(c_uint, *mut c_void),
        flags: c_uint,
        data: *mut c_void,
    );
    pub(crate) fn qemu_plugin_register_atexit_cb(
        id: PluginId,
        callback: extern "C" fn(PluginId, *mut c_void),
        data: *mut c_void,
    );
}

/// The interface version this plugin was written for; the emulator refuses others.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "the emulator looks it up by name")]
pub static qemu_plugin_version: c_int = 1;

/// An instruction's bytes.
///
/// # Safety
///
/// - QEMU is translating `instruction` during the running callback.
pub(crate) unsafe fn bytes(instruction: *const Instruction) -> Vec<u8> {
    // SAFETY: the contract of this function.
    let data = unsafe { qemu_plugin_insn_data(instruction) };
    // SAFETY: as above.
    let size = unsafe { qemu_plugin_insn_size(instruction) };
    // SAFETY: QEMU keeps `size` bytes at `data` for the length of the callback (plugin interface, "instruction data").
    unsafe { core::slice::from_raw_parts(data, size) }.to_vec()
}

/// Arguments as the emulator hands them over: `argc` strings of the form `key=value`.
///
/// # Safety
///
/// - `argv` points to `argc` pointers to NUL-terminated strings that stay valid during the call;
///   QEMU guarantees both for the arguments of `qemu_plugin_install`.
pub(crate) unsafe fn arguments(argc: c_int, argv: *const *const c_char) -> Vec<String> {
    let count = usize::try_from(argc).unwrap_or(0);
    let mut list = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: QEMU passes `argc` pointers (contract, first bullet) and `index` is below it.
        let place = unsafe { argv.add(index) };
        // SAFETY: as above; the element is a valid pointer (contract).
        let text = unsafe { *place };
        // SAFETY: each pointer is a NUL-terminated string for the duration of the call (contract).
        let text = unsafe { core::ffi::CStr::from_ptr(text) };
        list.push(text.to_string_lossy().into_owned());
    }
    list
}
