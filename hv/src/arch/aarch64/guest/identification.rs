//! The processor's identification registers, by their place in the encoding.
//!
//! Reads; what a guest is shown of them is decided elsewhere.

// UNSAFETY: reads identification registers.
#![expect(unsafe_code, reason = "system registers")]

use core::arch::asm;

use crate::vdev::system_register::Identification;

/// One arm for each register of a CRm.
macro_rules! row {
    ($op2:expr, $crm:literal) => {
        match $op2 {
            0 => read!(concat!("s3_0_c0_c", $crm, "_0")),
            1 => read!(concat!("s3_0_c0_c", $crm, "_1")),
            2 => read!(concat!("s3_0_c0_c", $crm, "_2")),
            3 => read!(concat!("s3_0_c0_c", $crm, "_3")),
            4 => read!(concat!("s3_0_c0_c", $crm, "_4")),
            5 => read!(concat!("s3_0_c0_c", $crm, "_5")),
            6 => read!(concat!("s3_0_c0_c", $crm, "_6")),
            _ => read!(concat!("s3_0_c0_c", $crm, "_7")),
        }
    };
}

macro_rules! read {
    ($register:expr) => {{
        let value: u64;
        // SAFETY: an identification register: reading it has no effect, and those that are not there read as zero.
        // Arm ARM, "System register encoding space", Op0 3, Op1 0, CRn 0, CRm 1 to 7.
        unsafe { asm!(concat!("mrs {}, ", $register), out(reg) value, options(nostack, nomem, preserves_flags)) }
        value
    }};
}

/// What this processor says.
pub(super) fn read(which: Identification) -> u64 {
    match which.crm {
        1 => row!(which.op2, 1),
        2 => row!(which.op2, 2),
        3 => row!(which.op2, 3),
        4 => row!(which.op2, 4),
        5 => row!(which.op2, 5),
        6 => row!(which.op2, 6),
        _ => row!(which.op2, 7),
    }
}
