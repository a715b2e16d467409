//! Calls to the firmware below: start a CPU, stop it, switch the machine off.
//!
//! Source: Arm Power State Coordination Interface (DEN 0022), "Function prototypes"; SMC Calling Convention (DEN 0028),
//! "SMC and HVC argument passing".

// UNSAFETY: leaves for the firmware.
#![expect(unsafe_code, reason = "SMC and HVC")]

use core::arch::asm;

/// SYSTEM_OFF.
pub(super) const SYSTEM_OFF: u64 = 0x8400_0008;
/// CPU_ON, 64-bit.
pub(super) const CPU_ON: u64 = 0xc400_0003;

/// CPU_OFF.
const CPU_OFF: u64 = 0x8400_0002;
/// AFFINITY_INFO, 64-bit.
const AFFINITY_INFO: u64 = 0xc400_0004;
/// What AFFINITY_INFO says of a core that is off. "AFFINITY_INFO", "Return codes".
pub(super) const OFF: i64 = 1;

/// How the firmware is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduit {
    /// SMC #0.
    Smc,
    /// HVC #0.
    Hvc,
}

/// Starts the CPU with affinity `target` at physical address `entry`; `function` is [`CPU_ON`] but in version 0.1.
pub(super) fn cpu_on(conduit: Conduit, function: u64, target: u64, entry: u64) -> i64 {
    call(conduit, [function, target, entry, 0])
}

/// Stops the calling CPU; returns where the firmware does not.
pub(super) fn cpu_off(conduit: Conduit) {
    call(conduit, [CPU_OFF, 0, 0, 0]);
}

/// Whether the CPU with affinity `target` is on (0), off (1) or on its way (2); negative where the firmware cannot say.
pub(super) fn affinity_info(conduit: Conduit, target: u64) -> i64 {
    call(conduit, [AFFINITY_INFO, target, 0, 0])
}

/// Switches the machine off; returns where the firmware does not.
pub(super) fn system_off(conduit: Conduit) {
    call(conduit, [SYSTEM_OFF, 0, 0, 0]);
}

macro_rules! leave {
    ($instruction:literal, $arguments:ident) => {{
        let result: u64;
        // SAFETY: the firmware follows the calling convention: x0 to x17 may change, everything else is kept. Memory
        // is touched by none of the functions called here; no `nomem` all the same, as another CPU runs after.
        unsafe {
            asm!(
                $instruction,
                inlateout("x0") $arguments[0] => result,
                inlateout("x1") $arguments[1] => _,
                inlateout("x2") $arguments[2] => _,
                inlateout("x3") $arguments[3] => _,
                out("x4") _, out("x5") _, out("x6") _, out("x7") _, out("x8") _, out("x9") _, out("x10") _,
                out("x11") _, out("x12") _, out("x13") _, out("x14") _, out("x15") _, out("x16") _, out("x17") _,
                options(nostack),
            );
        }
        result
    }};
}

fn call(conduit: Conduit, arguments: [u64; 4]) -> i64 {
    let result = match conduit {
        Conduit::Smc => leave!("smc #0", arguments),
        Conduit::Hvc => leave!("hvc #0", arguments),
    };
    // "Return codes" are signed 32-bit values, in a W register where the function is a 32-bit one.
    i64::from(result as i32)
}
